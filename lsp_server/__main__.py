"""The command line: picks the subcommand. An editor's `lsp-server --stdio` is `serve`."""

from __future__ import annotations

import importlib
import os
import sys

from lsp_server.about import server_version
from lsp_server.cli import output

COMMANDS = ("serve", "complete", "doctor", "index", "engine", "bench", "model", "eval")

HELP = """\
lsp-server: a local coding copilot that speaks LSP

  lsp-server --stdio                    serve an editor through pipes (what editors start)
  lsp-server --tcp 127.0.0.1:7000       serve an editor through a socket
  lsp-server complete FILE:LINE:COL     one completion in the terminal, with its receipt
  lsp-server doctor                     what works on this machine, and what to do about the rest
  lsp-server index DIR                  what of a folder is indexed; --symbols, --map, --context
  lsp-server engine status              the processes that hold models; also: stop, logs
  lsp-server model import PATH          a model of your own; also: list, info, use, remove, pull
  lsp-server bench                      how fast the model runs on this machine; --model NAME
  lsp-server eval DIR                   how good the suggestions are there, and what each part adds
  lsp-server --version                  the version

Examples
  lsp-server complete src/app.py:12:9           continue line 12 from column 9
  lsp-server complete src/app.py:12:9 --json    the same for a script
  lsp-server doctor --json                      for a bug report

`lsp-server COMMAND --help` explains a command.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns the exit code: 0 well, 1 failed, 2 asked wrongly."""
    rest = list(sys.argv[1:] if arguments is None else arguments)
    if rest[:1] in (["-h"], ["--help"], ["help"]):
        output.write(HELP)
        return 0
    if rest[:1] == ["--version"]:
        output.write(f"sopilka {server_version()}\n")
        return 0
    name = rest.pop(0) if rest and not rest[0].startswith("-") else "serve"
    if name not in COMMANDS:
        return output.fail(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
    # Only what the command needs is loaded: an editor waits for `serve`.
    command = importlib.import_module(f"lsp_server.cli.{name}")
    try:
        code: int = command.main(rest)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
