"""Generates from lsp_server/settings.py: JSON schema, docs/settings.md, VS Code's configuration.

`python -m lsp_server.settings --write` writes them; `--check` says which are stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from lsp_server.settings import SECTION, Spec, camel_case, specs

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = Path("lsp_server/settings.schema.json")
DOCS = Path("docs/settings.md")
VSCODE = Path("editor-clients/vscode/package.json")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lsp_server.settings", description=__doc__)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--write", action="store_true", help="write the generated files")
    how.add_argument("--check", action="store_true", help="fail when one is stale")
    write = parser.parse_args(arguments).write
    stale = [path for path, text in generated() if not is_fresh(path, text)]
    for path in stale:
        if write:
            (ROOT / path).write_text(dict(generated())[path], encoding="utf-8")
        sys.stderr.write(f"{'wrote' if write else 'stale:'} {path.as_posix()}\n")
    return 0 if write or not stale else 1


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with what it should contain."""
    yield SCHEMA, as_json(schema())
    yield DOCS, markdown()
    if (ROOT / VSCODE).exists():
        yield VSCODE, vscode_package((ROOT / VSCODE).read_text(encoding="utf-8"))


def is_fresh(path: Path, text: str) -> bool:
    try:
        return (ROOT / path).read_text(encoding="utf-8") == text
    except FileNotFoundError:
        return False


def schema() -> dict[str, Any]:
    """All settings as VS Code's `contributes.configuration` wants them, which is JSON schema."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sopilka",
        "type": "object",
        "properties": {f"{SECTION}.{spec.key}": property_of(spec) for spec in specs()},
    }


def property_of(spec: Spec) -> dict[str, Any]:
    shape: dict[str, Any]
    if get_origin(spec.type) is Literal:
        shape = {"type": "string", "enum": list(get_args(spec.type))}
    elif spec.type in (bool, str, int, float):
        names = {bool: "boolean", str: "string", int: "integer", float: "number"}
        shape = {"type": names[spec.type]}
    else:
        shape = {"type": "array", "items": {"type": "string"}}
    default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    limits = {"minimum": spec.minimum, "maximum": spec.maximum}
    # No folder that is opened may choose where text is sent to: VS Code heeds this.
    scope = {"scope": "machine"} if spec.group == "remote" else {}
    return {
        **shape,
        **scope,
        "default": default,
        **{name: value for name, value in limits.items() if value is not None},
        "markdownDescription": spec.doc,
    }


def markdown() -> str:
    lines = [
        "# Settings",
        "",
        "Generated from `lsp_server/settings.py` by `python -m lsp_server.settings --write`.",
        "",
        f"Editors send these below the section `{SECTION}`.",
        "A change takes effect at once; a changed model is loaded in the background.",
        "An unknown or ill-typed setting is named in a message, and its last good value stays.",
    ]
    group = ""
    for spec in specs():
        if spec.group != group:
            group = spec.group
            lines += ["", f"## {camel_case(group)}"]
        default = json.dumps(property_of(spec)["default"])
        lines += ["", f"### `{SECTION}.{spec.key}`", "", *sentences(spec.doc)]
        lines += [f"Type: {type_in_words(spec)}.", f"Default: `{default}`."]
    return "\n".join(lines) + "\n"


def sentences(text: str) -> list[str]:
    """One sentence a line, as all our Markdown has it."""
    return text.replace(". ", ".\n").split("\n")


def type_in_words(spec: Spec) -> str:
    if get_origin(spec.type) is Literal:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in get_args(spec.type))
    if spec.type in (int, float):
        kind = "whole number" if spec.type is int else "number"
        return f"{kind} from {shown(spec.minimum)} to {shown(spec.maximum)}"
    return {bool: "`true` or `false`", str: "string"}.get(spec.type, "list of strings")


def vscode_package(text: str) -> str:
    """The extension's package.json with our settings in `contributes.configuration`.

    Settings of the client's own, outside of the groups that the server has, stay where they are.
    """
    package = json.loads(text)
    configuration = package.setdefault("contributes", {}).setdefault("configuration", {})
    ours = schema()["properties"]
    groups = tuple(f"{SECTION}.{camel_case(spec.group)}." for spec in specs())
    theirs = {
        key: value
        for key, value in configuration.get("properties", {}).items()
        if not key.startswith(groups)
    }
    configuration["title"] = "Sopilka"
    configuration["properties"] = {**theirs, **ours}
    return as_json(package)


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def shown(number: float | None) -> str:
    return f"{number:.10g}"
