"""Answers names with jedi, a JSON line each. Runs under the Python that has jedi."""

from __future__ import annotations

import json
import sys
import time

import jedi


def main() -> None:
    project = jedi.Project(sys.argv[1])
    scripts: dict[str, jedi.Script] = {}
    for row in sys.stdin:
        asked = json.loads(row)
        script = scripts.setdefault(asked["path"], jedi.Script(path=asked["path"], project=project))
        begin = time.process_time()
        try:
            found = script.goto(asked["line"] + 1, asked["at"], follow_imports=True)
        except Exception:  # jedi raises what the code it reads makes it stumble over
            found = []
        spent = 1000 * (time.process_time() - begin)
        places = [
            (str(name.module_path), (name.line or 1) - 1) for name in found if name.module_path
        ]
        print(json.dumps({"places": places, "milliseconds": spent}), flush=True)


if __name__ == "__main__":
    main()
