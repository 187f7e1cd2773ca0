"""The command line: what it prints, and one clear message for every kind of bad input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lsp_server.__main__ import main
from lsp_server.features.prompt import Span
from tests.e2e.conftest import SHOP
from tests.support.bare_package import run_without_library
from tests.support.fixture import parse, write

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]
BUNDLE = ROOT / "runtime/models/default"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(parse(SHOP + "    return amount - disc\n", str(tmp_path)), tmp_path)
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_main(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        output = capfd.readouterr()
        return code, output.out, output.err

    return run_main


# What works


def test_complete_prints_the_suggestion_and_its_receipt(run: Run, shop: Path) -> None:
    code, out, err = run("complete", f"{shop}/main.py:7:25")
    assert (code, err) == (0, "")
    assert "  | ount_for(customer, amount)" in out
    pattern = r"context +shop/price\.py:\d+-5, \d+ tokens, score [\d.]+: definition of discount_for"
    assert re.search(pattern, out)
    assert re.search(r"tokens +\d+ reused, \d+ computed, \d+ generated", out)
    assert re.search(r"model +\S+, confidence [01]\.\d\d, ended by \w+", out)
    for phase in ("context", "prompt", "prefill", "decode", "postprocess", "index"):
        assert re.search(rf"\b{phase} \d", out), phase


def test_complete_gives_the_same_as_json(run: Run, shop: Path) -> None:
    code, out, _ = run("complete", f"{shop}/main.py:7:25", "--json", "--max-tokens", 30)
    found = json.loads(out)
    assert code == 0
    assert found["text"] == "ount_for(customer, amount)"
    assert set(found["context"][0]) == {field.name for field in fields(Span)}
    assert set(found["loading"]) == {"model", "index", "memory"}
    assert found["usage"]["generated"] > 1
    assert 0 <= found["confidence"] <= 1


def test_complete_explains_the_prompt(run: Run, shop: Path) -> None:
    code, out, err = run("complete", f"{shop}/main.py:7:25", "--explain")
    assert (code, err) == (0, "")
    assert "<file_sep>shop/price.py\n" in out and "def discount_for(" in out
    found = json.loads(run("complete", f"{shop}/main.py:7:25", "--explain", "--json")[1])
    assert sum(piece["tokens"] for piece in found["prompt"]) == found["usage"]["prompt"]


def test_complete_says_why_nothing_is_suggested(run: Run, shop: Path) -> None:
    code, out, _ = run("complete", f"{shop}/main.py:4:8", "--set", "completion.enable=false")
    assert code == 0
    assert "nothing is suggested: completion is switched off" in out


def test_index_prints_counts_and_reasons(run: Run, shop: Path) -> None:
    (shop / "big.py").write_text("x = 1\n" * 2000)
    (shop / ".env.py").write_text("")
    code, out, err = run("index", shop, "--set", "index.maxFileKb=1", "--skipped")
    assert (code, err) == (0, "")
    assert re.search(r": 4 files \(4 python\), \d+ symbols, \d+ references, \d+ chunks in ", out)
    assert "  big.py: 12000 bytes, more than 1024\n" in out
    assert "  .env.py: .env.py is a name for keys or credentials\n" in out
    code, out, _ = run("index", shop, "--json")
    found = json.loads(out)
    assert (found["files"], found["languages"]) == (5, {"python": 5})
    assert [each["path"] for each in found["skipped"]] == [".env.py"]


def test_doctor(run: Run) -> None:
    code, out, _ = run("doctor")
    assert code == 0, out
    assert re.search(r"ok +operators .*runs (scalar|avx2|avxvnni|avx512vnni|neon)", out)
    assert re.search(r"ok +bundle .*checksums right", out)
    assert re.search(r"ok +model +loads in .*one token in", out)
    assert re.search(r"ok +languages .*python", out)
    assert out.endswith("all is well\n")


def test_doctor_fails_when_nothing_can_be_suggested(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("doctor", "--json", "--set", f"engine.bundle={tmp_path}")
    found = json.loads(out)
    assert code == 1 and found["ok"] is False
    assert any(
        each["state"] == "broken" and str(tmp_path) in each["detail"] for each in found["findings"]
    )


def test_help_and_version(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0 and "lsp-server complete src/app.py:12:9" in out
    for command in ("serve", "complete", "doctor", "index"):
        code, out, _ = run(command, "--help")
        assert code == 0 and f"lsp-server {command}" in out
    code, out, _ = run("--version")
    assert code == 0 and out.startswith("sopilka ")


def test_the_module_is_a_command_and_help_is_quick_to_load() -> None:
    code = "import sys, lsp_server.__main__; sys.exit(bool({'pygls', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("sopilka ")


# Bad input


def check_refused(run: Run, wanted: str, *arguments: object) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("lsp-server: ") and err.count("\n") == 1, err
    assert re.search(wanted, err), err


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("nope.py:1:1", r"nope\.py: no such file"),
        ("shop:1:1", r"shop is a folder; name a file in it"),
        ("main.py:99:1", r"main\.py:99: the line is past the end of the file, which has 8 lines"),
        ("main.py:1:99", r"main\.py:1:99: the column is past .* whose last column is 46"),
        ("main.py:0:1", r"counted from 1"),
        ("main.py:1", r"must be FILE:LINE:COL"),
        ("main.py:a:b", r"must be FILE:LINE:COL"),
        ("main.py", r"must be FILE:LINE:COL"),
        (":1:1", r"must be FILE:LINE:COL"),
        ("latin.py:1:1", r"latin\.py is not read: not UTF-8"),
        ("binary.py:1:1", r"binary\.py is not read: binary"),
        (
            "huge.py:1:1",
            r"huge\.py is not read: 104857600 bytes, more than 524288 .*index\.maxFileKb",
        ),
        (".env:1:1", r"\.env is not read: .*keys or credentials"),
    ],
)
def test_a_bad_place_is_named(run: Run, shop: Path, place: str, wanted: str) -> None:
    (shop / "latin.py").write_bytes("é = 1".encode("latin-1"))
    (shop / "binary.py").write_bytes(b"\x7fELF\x00\x00\x01")
    (shop / ".env").write_text("TOKEN=abc")
    with (shop / "huge.py").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    check_refused(run, wanted, "complete", f"{shop}/{place}" if place[0] != ":" else place)


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("completion.maxTokns=3", "sopilka.completion.maxTokns is not a setting; did you mean"),
        ("completion.maxTokens=many", "maxTokens must be a whole number, not 'many'"),
        ("completion.maxTokens", "must be KEY=VALUE"),
    ],
)
def test_a_bad_setting_is_named(run: Run, shop: Path, option: str, wanted: str) -> None:
    check_refused(run, wanted, "complete", f"{shop}/main.py:1:1", "--set", option)
    check_refused(run, wanted, "index", shop, "--set", option)
    check_refused(run, wanted, "doctor", "--set", option)


def edit_manifest(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    change(manifest)
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def leave_bundle(manifest: dict[str, Any]) -> None:
    manifest["files"]["../main.py"] = manifest["files"]["model.onnx"]


def ask_for_unknown_operator(manifest: dict[str, Any]) -> None:
    manifest["operators"] = {"Unknown": 1}


@pytest.mark.parametrize(
    ("harm", "wanted"),
    [
        ("remove", r"weights\.bin is missing"),
        ("alter", r"weights\.bin was altered \(wrong SHA-256\)"),
        ("truncate", r"weights\.bin has \d+ bytes instead of \d+"),
        ("no manifest", r"cannot read bundle\.json"),
        ("garbage", r"bundle\.json is not JSON"),
        ("leave", r"'\.\./main\.py' is not a plain path inside the bundle"),
        ("operator", r"operators: 'Unknown' is unknown"),
        ("absent", r"is not a directory"),
    ],
)
def test_a_broken_bundle_is_named(
    run: Run, shop: Path, tmp_path: Path, harm: str, wanted: str
) -> None:
    bundle = tmp_path / "bundle"
    if harm != "absent":
        bundle.mkdir()
        for file in BUNDLE.iterdir():
            (bundle / file.name).write_bytes(file.read_bytes())
    weights = bundle / "weights.bin"
    match harm:
        case "remove":
            weights.unlink()
        case "alter":
            data = bytearray(weights.read_bytes())
            data[100] ^= 1
            weights.write_bytes(data)
        case "truncate":
            weights.write_bytes(weights.read_bytes()[:-1])
        case "no manifest":
            (bundle / "bundle.json").unlink()
        case "garbage":
            (bundle / "bundle.json").write_text("{")
        case "leave":
            edit_manifest(bundle, leave_bundle)
        case "operator":
            edit_manifest(bundle, ask_for_unknown_operator)
    place = f"{shop}/main.py:7:25"
    check_refused(run, wanted, "complete", place, "--set", f"engine.bundle={bundle}")
    assert run("doctor", "--set", f"engine.bundle={bundle}")[0] == 1


@pytest.mark.parametrize("command", ["complete", "doctor"])
def test_a_missing_operator_library_is_named(shop: Path, tmp_path: Path, command: str) -> None:
    code = "from lsp_server.__main__ import main; sys.exit(main())"
    place = [f"{shop}/main.py:7:25"] if command == "complete" else []
    options = [*place, "--set", f"engine.bundle={BUNDLE}"]
    done = run_without_library(tmp_path / "bare", code, command, *options)
    assert done.returncode == (2 if command == "complete" else 1)
    told = done.stderr if command == "complete" else done.stdout
    (line,) = [line for line in told.splitlines() if "operator library" in line][:1]
    assert "cmake -S runtime/ops -B runtime/ops/build" in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("0.0.0.0:7000", "0.0.0.0 can be reached from other machines"),
        ("example.com:7000", "--allow-remote"),
        ("127.0.0.1", "must be HOST:PORT"),
        ("127.0.0.1:99999", "must be HOST:PORT with a port from 0 to 65535"),
        (":7000", "must be HOST:PORT"),
    ],
)
def test_a_bad_address_is_named(run: Run, address: str, wanted: str) -> None:
    check_refused(run, wanted, "serve", "--tcp", address)


def test_other_mistakes(run: Run, tmp_path: Path) -> None:
    check_refused(run, "there is no command 'completee'; there are serve, complete", "completee")
    check_refused(run, "no such folder", "index", tmp_path / "nope")
    (tmp_path / "file.txt").write_text("")
    check_refused(run, "is a file; a folder is needed", "index", tmp_path / "file.txt")
    check_refused(
        run, "log-file .*No such file", "serve", "--stdio", "--log-file", tmp_path / "no/log"
    )
