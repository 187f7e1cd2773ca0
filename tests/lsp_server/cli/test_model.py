"""`lsp-server model` as a user meets it: import, look, choose, remove, and what goes wrong."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lsp_server.__main__ import main
from lsp_server.cli.model_pull import choose
from lsp_server.cli.options import BadInput
from lsp_server.models import bundle_path
from lsp_server.settings import EngineSettings
from lsp_server.user_files import user_settings
from runtime.bundle import Bundle, default_bundle_path
from tests.runtime.checkpoints import CONFIG, weights, write_checkpoint
from tests.runtime.fixture_bundles import CHECKPOINTS
from tests.runtime.gguf_files import Q4_0, write_gguf

Run = Callable[..., tuple[int, str, str]]
CODER: dict[str, Any] = {**CONFIG, "num_hidden_layers": 2}


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_main(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main(["model", *map(str, arguments)])
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return run_main


def models(tmp_path: Path) -> Path:
    return tmp_path / "data/sopilka/models"


def test_from_a_folder_to_a_model_in_use(run: Run, tmp_path: Path) -> None:
    code, out, err = run("import", CHECKPOINTS / "tied", "--name", "mine", "--quant", "int4")
    assert code == 0
    assert out.startswith(f"imported mine into {models(tmp_path) / 'mine'}\n")
    assert "mine: int4 (rounded), context 128" in err
    assert "4 of 4 parts, 100 %" in err
    code, out, _ = run("list")
    assert "* default" in out and "  mine" in out
    assert run("use", "mine")[0] == 0
    settings, problems = user_settings()
    assert (settings.engine.model, problems) == ("mine", ())
    assert bundle_path(settings.engine) == models(tmp_path) / "mine"
    assert "* mine" in run("list")[1]
    assert run("verify")[1].startswith("mine: 3 files")
    assert run("use", "default")[0] == 0
    assert bundle_path(user_settings()[0].engine) == default_bundle_path()


def test_json(run: Run, tmp_path: Path) -> None:
    told = json.loads(run("import", CHECKPOINTS / "tied", "--json")[1])
    assert told["name"] == "tied"
    assert Bundle.open(Path(told["path"])).context == told["context"]
    (row,) = [row for row in json.loads(run("list", "--json")[1])["models"] if not row["in_use"]]
    assert row["name"] == "tied" and row["bits"]["experts"] in (4, 8)
    info = json.loads(run("info", "tied", "--json")[1])
    assert info["predicted_tokens_per_s"]["16"] > 0
    assert len(info["quantization"]["relative_rms_error"]["layers"]) == 2
    assert json.loads(run("verify", "tied", "--json")[1])["ok"] is True
    assert json.loads(run("use", "tied", "--json")[1])["name"] == "tied"
    removed = json.loads(run("remove", "tied", "--force", "--json")[1])
    assert removed["was_in_use"] is True
    assert removed["bytes"] > row["bytes"], "the manifest too"


def test_info_for_people(run: Run, tmp_path: Path) -> None:
    write_gguf(tmp_path / "coder-Q4_0.gguf", CODER, weights(CODER), Q4_0)
    assert run("import", tmp_path / "coder-Q4_0.gguf")[0] == 0
    out = run("info", "coder-Q4_0")[1]
    assert "2 layers, hidden size 32, 2 experts of which a token takes 1" in out
    assert "experts int4 in blocks of 32, projections int4 in blocks of 32" in out
    assert "F32, Q4_0; kept as it is" in out
    assert "predicted" in out and "tokens/s behind 16 tokens" in out
    assert "layers 0-1     projections 0, experts 0" in out


def test_what_a_server_takes_is_what_was_chosen(run: Run, tmp_path: Path) -> None:
    run("import", CHECKPOINTS / "tied", "--name", "mine")
    run("use", "mine")
    path = models(tmp_path) / "mine"
    own = user_settings()[0]
    from lsp_server.settings import Settings, from_client

    nothing = {"engine": {"model": "", "bundle": ""}}
    for sent, wanted in (
        (None, path),
        ({}, path),
        (nothing, path),  # As an editor does that sends every setting.
        ({"engine": {"model": "default"}}, default_bundle_path()),
        ({"engine": {"bundle": str(tmp_path)}}, tmp_path),
    ):
        settings, problems = from_client(sent, Settings(), own)
        assert (bundle_path(settings.engine), problems) == (wanted, ())


def test_other_settings_of_the_users_file_stay(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config/sopilka/settings.json"
    file.parent.mkdir(parents=True)
    run("import", CHECKPOINTS / "tied", "--name", "mine")
    file.write_text('{"completion": {"maxTokens": 7}, "engine.model": "mine"}')
    assert run("use", "default")[0] == 0
    assert json.loads(file.read_text()) == {"completion": {"maxTokens": 7}, "engine": {}}
    assert user_settings()[0].completion.max_tokens == 7
    assert run("use", "mine")[0] == 0
    assert json.loads(file.read_text())["engine"] == {"model": "mine"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not used: "),
        ("[]", "is not used: it must hold a JSON object"),
        ('{"engine": {"threads": -1}}', "sopilka.engine.threads must be from 0 to 256, not -1"),
        ('{"enginee": 1}', "sopilka.enginee is not a setting"),
    ],
)
def test_a_broken_settings_file(run: Run, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config/sopilka/settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    code, _, err = run("list")
    assert code == 2 and message in err
    assert file.read_text() == text


def test_remove(run: Run, tmp_path: Path) -> None:
    run("import", CHECKPOINTS / "tied", "--name", "mine")
    run("use", "mine")
    code, _, err = run("remove", "mine")
    assert code == 2 and "mine is in use: choose another one first" in err
    assert (models(tmp_path) / "mine/bundle.json").exists()
    code, out, _ = run("remove", "mine", "--force")
    assert code == 0 and out.endswith("default is in use now\n")
    assert list(models(tmp_path).iterdir()) == []
    assert user_settings()[0].engine.model == ""


def test_what_an_interrupted_import_left_is_shown_and_removed(run: Run, tmp_path: Path) -> None:
    run("import", CHECKPOINTS / "tied", "--name", "mine")
    left = models(tmp_path) / ".other.importing"
    left.mkdir()
    (left / "weights.bin").write_bytes(bytes(1000))
    assert "other: the import was interrupted; run it again to go on" in run("list")[1]
    assert run("remove", "other")[0] == 0
    assert [item.name for item in models(tmp_path).iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("info", "nope"), 1, "there is no model 'nope' in "),
        (("use", "nope"), 1, "there is no model 'nope' in "),
        (("use", "../.."), 1, "cannot be the name of a model"),
        (("remove", "../../home"), 1, "cannot be the name of a model"),
        (("remove", ".."), 1, "cannot be the name of a model"),
        (("remove", "default"), 2, "default ships with the program and cannot be removed"),
        (("remove", "nope"), 1, "there is no model 'nope' in "),
        (("import", "nowhere"), 1, "nowhere does not exist: give a folder with config.json"),
        (("import", "nobody/nothing"), 1, "neither a file or folder here nor a model in the cache"),
        (("import", "x\0y"), 1, "does not exist: give a folder"),
        (("import", "CHECKPOINT", "--name", "a/b"), 1, "cannot be the name of a model"),
        (("import", "CHECKPOINT", "--name", "default"), 1, "cannot be the name of a model"),
        (("import", "CHECKPOINT", "--context", "-1"), 2, "--context must be 0 or a number"),
        (("import", "CHECKPOINT", "--context", "9999"), 1, "--context must be from 1 to 128"),
        (("import", "CHECKPOINT", "--quant", "int3"), 2, "invalid choice: 'int3'"),
        (("import", "CHECKPOINT/config.json"), 1, "is one file of a model: give its folder"),
        (("list", "--set", "engine.model"), 2, "must be KEY=VALUE"),
        ((), 2, "ACTION"),
    ],
)
def test_mistakes(run: Run, arguments: tuple[str, ...], code: int, message: str) -> None:
    tied = str(CHECKPOINTS / "tied")
    found, _, err = run(*(text.replace("CHECKPOINT", tied) for text in arguments))
    assert (found, message in err) == (code, True), err
    assert "Traceback" not in err


def test_a_chosen_model_that_is_gone_is_named(run: Run, tmp_path: Path) -> None:
    run("import", CHECKPOINTS / "tied", "--name", "mine")
    run("use", "mine")
    shutil.rmtree(models(tmp_path) / "mine")
    code, _, err = run("info")
    assert code == 1 and "there is no model 'mine' in " in err and "there are default" in err
    # The way out works.
    assert run("use", "default")[0] == 0
    assert run("info")[0] == 0


def test_a_damaged_model(run: Run, tmp_path: Path) -> None:
    run("import", CHECKPOINTS / "tied", "--name", "mine")
    weights_file = models(tmp_path) / "mine/weights.bin"
    content = bytearray(weights_file.read_bytes())
    content[100] ^= 1
    weights_file.write_bytes(content)
    code, _, err = run("verify", "mine")
    assert code == 1 and "weights.bin was altered (wrong SHA-256)" in err
    weights_file.write_bytes(content[:-1])
    assert "cannot be used: " in run("list")[1]


def test_a_model_in_the_hub_cache(run: Run, tmp_path: Path) -> None:
    repository = tmp_path / "hub/hub/models--Owner--Some-Coder"
    commit = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(CHECKPOINTS / "sharded", repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    assert run("import", "Owner/Some-Coder")[0] == 0
    assert Bundle.open(models(tmp_path) / "Some-Coder").name == "Some-Coder"


def test_auto_refuses_with_the_numbers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_server.cli.model_import.free_memory", lambda: 300 * 10**6)
    code, _, err = run("import", CHECKPOINTS / "tied")
    assert code == 1
    assert "tied does not fit this machine: int4 takes 0.0 GB of weights, 0.6 GB of memory" in err
    assert "0.3 GB are free" in err
    code, _, err = run("import", CHECKPOINTS / "tied", "--quant", "int8")
    assert code == 0
    assert "warning: serving it takes 629.3 MB of memory, 300.0 MB are free" in err


def test_pull_without_a_network_or_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code, _, err = run("pull", "no//name")
    assert code == 2 and "OWNER/NAME" in err
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    code, _, err = run("pull", "Owner/Name")
    assert code == 2 and "needs the package huggingface_hub" in err
    assert "lsp-server model import" in err


def test_pull_explains_what_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*arguments: object, **options: object) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    code, _, err = run("pull", "Owner/Name")
    assert code == 2
    assert err.count("\n") == 1
    assert "Owner/Name cannot be fetched (no route to host). Without a network: fetch it" in err


def test_pull_imports_what_was_fetched(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is the one thing that is replaced."""
    import huggingface_hub

    source, asked = CHECKPOINTS / "tied", {}
    names = [item.name for item in source.iterdir()] + ["pytorch_model.bin", "onnx/model.onnx"]
    info = ModuleType("info")
    info.sha, info.siblings = "abc", [ModuleType(name) for name in names]  # type: ignore[attr-defined]
    for sibling, name in zip(info.siblings, names, strict=True):  # type: ignore[attr-defined]
        sibling.rfilename = name

    def download(repository: str, **options: Any) -> str:
        asked.update(options)
        return str(source)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert run("pull", "Owner/Tiny", "--revision", "main")[0] == 0
    assert (models(tmp_path) / "Tiny/bundle.json").exists()
    assert asked["revision"] == "abc"
    assert sorted(asked["allow_patterns"]) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_which_files_are_pulled() -> None:
    both = ["a-Q4_0-00001-of-00002.gguf", "a-Q4_0-00002-of-00002.gguf", "README.md"]
    assert choose("r", both, None) == both[:2]
    several = ["a-Q4_0.gguf", "a-Q8_0.gguf"]
    assert choose("r", several, "*Q8*") == ["a-Q8_0.gguf"]
    with pytest.raises(BadInput, match=r"choose a file of r with --file PATTERN; it has a-Q4_0"):
        choose("r", several, None)
    with pytest.raises(BadInput, match="has no GGUF file that matches"):
        choose("r", several, "*Q5*")
    with pytest.raises(BadInput, match=r"it has no file of safetensors or GGUF"):
        choose("r", ["pytorch_model.bin"], None)


def test_pickles_are_refused_with_advice(run: Run, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "pickled")
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    code, _, err = run("import", path)
    assert code == 1 and "is a pickle, which can run any program" in err
    code, _, err = run("import", path / "pytorch_model.bin")
    assert code == 1 and "pickles (.bin, .pt) are not read" in err


def test_the_setting_and_the_variable_move_the_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = f"engine.modelsFolder={tmp_path / 'moved'}"
    run("import", CHECKPOINTS / "tied", "--set", moved)
    assert (tmp_path / "moved/tied/bundle.json").exists()
    monkeypatch.setenv("SOPILKA_MODELS", str(tmp_path / "variable"))
    run("import", CHECKPOINTS / "tied", "--set", moved)
    assert (tmp_path / "variable/tied/bundle.json").exists()
    settings = EngineSettings(model="tied", models_folder=str(tmp_path / "moved"))
    assert bundle_path(settings) == tmp_path / "variable/tied"


def test_help_teaches(run: Run) -> None:
    for arguments, text in (
        (("--help",), "lsp-server model import FILE.gguf"),
        (("import", "--help"), "--quant auto (the default) keeps the values of Q4_0"),
        (("pull", "--help"), "Without a network"),
        (("use", "--help"), "Choose a model for the servers to come"),
    ):
        code, out, _ = run(*arguments)
        assert (code, text in out) == (0, True)


def test_an_awq_model_with_zero_points_takes_eight_bits(run: Run, tmp_path: Path) -> None:
    from tests.runtime.packed_matrices import awq_parts, random_matrix

    tensors: dict[str, Any] = {}
    for name, array in weights(CODER).items():
        if name.endswith("_proj.weight"):
            matrix = random_matrix(*array.shape, 32, 4, symmetric=False)
            parts = awq_parts(*matrix)
            stem = name.removesuffix(".weight")
            tensors |= {f"{stem}.{part}": value for part, value in parts.items()}
        else:
            tensors[name] = array.astype(np.float16)
    quantization = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}
    config = {**CODER, "quantization_config": quantization}
    path = write_checkpoint(tmp_path / "awq", config, tensors)
    assert run("import", path)[0] == 0
    found = Bundle.open(models(tmp_path) / "awq").quantization
    assert found["experts"] == {"bits": 8, "block_size": 32}
    assert found["source"] == "AWQ int4 group 32, F16; kept as it is"
    errors = found["relative_rms_error"]["layers"]
    assert errors == [{"projections": 0.0, "experts": 0.0}] * 2
    code, _, err = run("import", path, "--name", "four", "--quant", "int4")
    assert code == 1 and "import it with --quant int8" in err
    assert not (models(tmp_path) / "four").exists()
