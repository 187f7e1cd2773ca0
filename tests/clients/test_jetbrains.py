"""The template for LSP4IJ: the keys that LSP4IJ 0.20 reads, and the languages of the other clients.

No IDE runs here, so this says only that the file has the right shape.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[2] / "editor-clients"
TEMPLATE = CLIENTS / "jetbrains" / "lsp4ij-template" / "template.json"
KEYS = {
    "id": str,
    "name": str,
    "programArgs": dict,
    "env": dict,
    "fileTypeMappings": list,
    "languageMappings": list,
}


def test_template_has_the_keys_that_are_read() -> None:
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    assert {key: type(value) for key, value in template.items()} == KEYS
    assert set(template["programArgs"]) <= {"default", "windows", "mac", "unix"}
    assert template["programArgs"]["default"] == "lsp-server --stdio"
    for mapping in template["fileTypeMappings"]:
        assert set(mapping) == {"fileType", "languageId"}
        assert all(pattern.startswith("*.") for pattern in mapping["fileType"]["patterns"])


def test_all_clients_serve_the_same_languages() -> None:
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    jetbrains = sorted(mapping["languageId"] for mapping in template["fileTypeMappings"])
    package = json.loads((CLIENTS / "vscode" / "package.json").read_text(encoding="utf-8"))
    properties = package["contributes"]["configuration"]["properties"]
    source = (CLIENTS / "neovim" / "lua" / "sopilka" / "init.lua").read_text(encoding="utf-8")
    found = re.search(r"filetypes = \{(.*?)\}", source, re.DOTALL)
    assert found
    assert re.findall(r"'(\w+)'", found[1]) == jetbrains
    assert properties["sopilka.client.languages"]["default"] == jetbrains
