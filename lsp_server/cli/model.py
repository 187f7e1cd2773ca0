"""`lsp-server model`: the models of this user, from the files that people have."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from lsp_server.cli import model_import
from lsp_server.cli.model_text import info_text, list_text
from lsp_server.cli.options import BadInput, add_settings, read_settings
from lsp_server.cli.output import fail, write, write_json
from lsp_server.machine import free_memory, read_bandwidth
from lsp_server.model_store import SHIPPED, ModelStore
from lsp_server.settings import Settings
from lsp_server.user_files import change_settings, settings_file
from runtime.bundle import Bundle
from runtime.errors import BundleError, EngineError

DESCRIPTION = """\
Imports models, shows what they need, and chooses the one that editors use.

  lsp-server model import DIR             a Hugging Face folder: safetensors in bf16, fp16, fp32,
                                          FP8, AWQ or GPTQ
  lsp-server model import FILE.gguf       a GGUF file; of a split one, any part
  lsp-server model import OWNER/NAME      a repository that is in the Hugging Face cache already
  lsp-server model pull OWNER/NAME        the same from the network
  lsp-server model list                   what there is, and which one is in use
  lsp-server model info [NAME]            size, precision, error by layer, predicted speed
  lsp-server model use NAME               let every server that starts from now on take it
  lsp-server model verify [NAME]          compare all files with their checksums
  lsp-server model remove NAME            delete it

Qwen2, Qwen2-MoE, Qwen3 and Qwen3-MoE are read, so Qwen2.5-Coder and Qwen3-Coder too.
Pickles (.bin, .pt) never are: they can run any program. Models lie in one folder: the setting
engine.modelsFolder, the variable SOPILKA_MODELS, or your system's place for data.
`lsp-server model import --help` says how precision and context are chosen.
"""


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = read_settings(options.settings)
        code: int = options.run(options, settings)
    except BadInput as error:
        return fail(str(error))
    except EngineError as error:
        return fail(str(error), 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}", 1)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lsp-server model",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    model_import.add_parsers(actions)
    for name, run, what, takes_name in (
        ("list", _list, "what there is, and which one is in use", ""),
        ("info", _info, "size, precision, error by layer and predicted speed", "?"),
        ("verify", _verify, "compare all files with their checksums", "?"),
        ("use", _use, f"choose a model for the servers to come; {SHIPPED}: what ships", "1"),
        ("remove", _remove, "delete a model, or what an interrupted import left of one", "1"),
    ):
        action = actions.add_parser(name, help=what, description=what.capitalize() + ".")
        if takes_name == "?":
            action.add_argument("name", nargs="?", metavar="NAME", help="default: the one in use")
        elif takes_name:
            action.add_argument("name", metavar="NAME")
        if name == "remove":
            action.add_argument("--force", action="store_true", help="even if it is in use")
        action.add_argument("--json", action="store_true", help="print JSON")
        add_settings(action)
        action.set_defaults(run=run)
    return parser


def _list(options: argparse.Namespace, settings: Settings) -> int:
    store = ModelStore.of(settings.engine)
    rows = [_row(store, name, settings) for name in (SHIPPED, *store.names())]
    unfinished = store.unfinished()
    if options.json:
        write_json({"folder": str(store.folder), "models": rows, "unfinished": unfinished})
    else:
        write(list_text(store.folder, rows, unfinished))
    return 0


def _row(store: ModelStore, name: str, settings: Settings) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "in_use": name == _in_use(settings)}
    try:
        bundle = Bundle.open(store.path(name), verify=False)
    except BundleError as error:
        return {**row, "problem": str(error)}
    parts = ("experts", "projections", "embedding")
    bits = {part: bundle.quantization.get(part, {}).get("bits") for part in parts}
    size = sum(record.bytes for record in bundle.files.values())
    return {**row, "bytes": size, "context": bundle.context, "bits": bits}


def _in_use(settings: Settings) -> str:
    """The name of the model that the settings choose; "" for a bundle that has none."""
    return "" if settings.engine.bundle else settings.engine.model or SHIPPED


def _info(options: argparse.Namespace, settings: Settings) -> int:
    bundle = Bundle.open(_path(options.name, settings), verify=False)
    found = describe(bundle, options.name or _in_use(settings) or bundle.name)
    if options.json:
        write_json(found)
    else:
        write(info_text(found))
    return 0


def describe(bundle: Bundle, name: str) -> dict[str, Any]:
    """What `model info` tells of a bundle: sizes in bytes, speeds in tokens a second."""
    from runtime.export.footprint import footprint

    cost = footprint(bundle.config, bundle.quantization)
    bandwidth = read_bandwidth()
    speeds = {
        str(context): cost.tokens_per_second(bandwidth, context)
        for context in (16, 2048, 8192)
        if context <= bundle.context
    }
    return {
        "name": name,
        "path": str(bundle.path),
        "bytes": sum(record.bytes for record in bundle.files.values()),
        "config": {
            key: getattr(bundle.config, key)
            for key in ("num_hidden_layers", "hidden_size", "num_experts", "num_experts_per_tok")
        },
        "context": bundle.context,
        "prompt_format": bundle.prompt_format.get("layout"),
        "quantization": dict(bundle.quantization),
        "read_per_token": cost.read_per_token,
        "cache_per_token": cost.cache_per_token,
        "read_bandwidth": bandwidth,
        "predicted_tokens_per_s": speeds,
        "free_memory": free_memory(),
    }


def _path(name: str | None, settings: Settings) -> Path:
    if name is not None:
        return ModelStore.of(settings.engine).path(name)
    if settings.engine.bundle:
        return Path(settings.engine.bundle).expanduser()
    return ModelStore.of(settings.engine).path(_in_use(settings))


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    path, began = _path(options.name, settings), time.perf_counter()
    bundle = Bundle.open(path)
    size = sum(record.bytes for record in bundle.files.values())
    seconds = time.perf_counter() - began
    if options.json:
        write_json({"ok": True, "path": str(path), "files": len(bundle.files), "bytes": size})
    else:
        write(
            f"{bundle.name}: {len(bundle.files)} files, {size / 1e9:.2f} GB, all checksums right "
            f"({seconds:.1f} s)\n"
        )
    return 0


def _use(options: argparse.Namespace, settings: Settings) -> int:
    store = ModelStore.of(settings.engine)
    bundle = Bundle.open(store.path(options.name), verify=False)
    chosen = use(options.name, settings)
    if options.json:
        write_json({"name": options.name, "path": str(bundle.path), "settings": str(chosen)})
        return 0
    write(f"{options.name} is in use from the next start of a server on ({chosen})\n")
    room = settings.engine.cache_megabytes * 2**20
    from runtime.export.footprint import footprint

    bits = 8 if settings.engine.small_cache else 32
    needed = footprint(bundle.config, bundle.quantization, bits).cache_per_token
    if needed * bundle.context > room:
        write(
            f"its context is {bundle.context} tokens, of which engine.cacheMegabytes = "
            f"{settings.engine.cache_megabytes} holds {room // needed}; all of it takes "
            f"{-(-needed * bundle.context // 2**20)} MB\n"
        )
    return 0


def use(name: str, settings: Settings) -> Path:
    """Write the choice of a model into the user's settings file, and return that file."""
    file = settings_file(os.environ, sys.platform)
    if file is None:
        raise BadInput(
            "there is no home folder to keep settings in; set engine.model in the editor"
        )
    try:
        # A folder that was chosen before would go before the name.
        chosen = None if name == SHIPPED else name
        change_settings(file, "engine", {"model": chosen, "bundle": None})
    except ValueError as error:
        raise BadInput(f"{file} is not changed: {error}") from error
    return file


def _remove(options: argparse.Namespace, settings: Settings) -> int:
    store = ModelStore.of(settings.engine)
    if options.name == SHIPPED:
        raise BadInput(f"{SHIPPED} ships with the program and cannot be removed")
    is_in_use = options.name == _in_use(settings) and options.name in store.names()
    if is_in_use and not options.force:
        raise BadInput(
            f"{options.name} is in use: choose another one first (lsp-server model use {SHIPPED}), "
            "or add --force"
        )
    size = store.remove(options.name)
    if is_in_use:
        use(SHIPPED, settings)
    if options.json:
        write_json({"name": options.name, "bytes": size, "was_in_use": is_in_use})
    else:
        rest = f"; {SHIPPED} is in use now" if is_in_use else ""
        write(f"removed {options.name}, {size / 1e9:.2f} GB{rest}\n")
    return 0
