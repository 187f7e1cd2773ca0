"""The VS Code extension: installed from its lock, checked, tested and packaged by its own scripts.

No editor runs here; the tests of the extension cover what needs none.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from lsp_server.settings_files import vscode_package

EXTENSION = Path(__file__).resolve().parents[2] / "editor-clients" / "vscode"
NPM = shutil.which("npm")


def node_version() -> tuple[int, int]:
    node = shutil.which("node")
    if not node:
        return (0, 0)
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


needs_npm = pytest.mark.skipif(
    not NPM or node_version() < (20, 19), reason="needs npm and Node 20.19 or newer"
)


def npm(*arguments: str) -> str:
    done = subprocess.run(
        [str(NPM), *arguments], cwd=EXTENSION, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"npm {arguments}:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_settings_in_the_manifest_are_fresh_for_both_generators() -> None:
    """`npm run gen-config --check` has a test in the extension; this is the server's generator."""
    text = (EXTENSION / "package.json").read_text(encoding="utf-8")
    assert vscode_package(text) == text


@needs_npm
def test_install_check_test_and_package() -> None:
    npm("ci")
    said = npm("test")
    counts = dict(re.findall(r"^# (tests|pass|fail|skipped) (\d+)$", said, re.MULTILINE))
    assert int(counts["tests"]) == int(counts["pass"]) > 10, counts
    npm("run", "package")
    version = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))["version"]
    with zipfile.ZipFile(EXTENSION / f"sopilka-{version}.vsix") as vsix:
        names = {name for name in vsix.namelist() if name.startswith("extension/")}
        notices = vsix.read("extension/out/NOTICES.txt").decode()
    assert {name.lower() for name in names} == {
        "extension/package.json",
        "extension/readme.md",
        "extension/license.txt",
        "extension/out/extension.js",
        "extension/out/notices.txt",
    }
    assert "vscode-languageclient 11" in notices
