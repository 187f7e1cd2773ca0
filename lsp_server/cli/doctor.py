"""`lsp-server doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import indexer
from indexer.language import languages
from lsp_server.about import server_version
from lsp_server.cli.options import BadInput, add_settings, read_settings
from lsp_server.cli.output import fail, write, write_json
from lsp_server.models import bundle_path, open_model
from lsp_server.settings import Settings
from runtime import EngineError, Request, SamplingParams

DESCRIPTION = """\
Checks everything that a suggestion needs. Exit code 0 unless no suggestion can be made.

  lsp-server doctor                              for people
  lsp-server doctor --json                       for a bug report
  lsp-server doctor --set engine.bundle=DIR      with another model
"""
MARKS = {"ok": "ok  ", "info": "    ", "missing": "--  ", "broken": "FAIL"}
EDITORS = ("nvim", "vim", "code", "codium", "code-server", "emacs", "hx", "idea", "pycharm", "kate")
ORT_PACKAGES = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `broken` means that nothing can be suggested until it is mended."""

    name: str
    state: str
    detail: str


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="lsp-server doctor",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings(parser)
    options = parser.parse_args(arguments)
    try:
        settings = read_settings(options.settings)
    except BadInput as error:
        return fail(str(error))
    findings = [finding for check in CHECKS for finding in check(settings)]
    is_well = all(finding.state != "broken" for finding in findings)
    if options.json:
        write_json({"ok": is_well, "findings": [asdict(finding) for finding in findings]})
    else:
        write("".join(f"{MARKS[f.state]} {f.name:12} {f.detail}\n" for f in findings))
        write("all is well\n" if is_well else "nothing can be suggested: see FAIL above\n")
    return 0 if is_well else 1


def check_system(settings: Settings) -> Iterator[Finding]:
    yield Finding("sopilka", "info", server_version())
    yield Finding("python", "info", f"{platform.python_version()} ({sys.executable})")
    yield Finding("platform", "info", f"{platform.platform()}, {os.cpu_count()} CPUs")


def check_runtime(settings: Settings) -> Iterator[Finding]:
    for package in ORT_PACKAGES:
        try:
            yield Finding("onnxruntime", "ok", f"{version(package)} (package {package})")
            break
        except PackageNotFoundError:
            continue
    else:
        yield Finding("onnxruntime", "broken", "not installed: pip install onnxruntime")
        return
    from runtime import ops

    try:
        info = ops.describe()
    except (EngineError, ImportError) as error:
        yield Finding("operators", "broken", str(error))
        return
    yield Finding(
        "providers", "info", f"{', '.join(info.providers)}; models run on the CPU in this version"
    )
    paths = ", ".join(info.available_paths)
    yield Finding(
        "operators",
        "ok",
        f"{info.version} at {info.library}, runs {info.selected_path} (can run {paths})",
    )


def check_model(settings: Settings) -> Iterator[Finding]:
    """Opens the bundle, checksums and all, and lets it write one token."""
    from runtime.bundle import Bundle

    if settings.remote.kind != "off":
        yield from check_remote(settings)
        return
    try:
        path = bundle_path(settings.engine)
        bundle = Bundle.open(path)
        size = sum(record.bytes for record in bundle.files.values())
        detail = f"{bundle.name} at {path}, {size / 1e6:.1f} MB, all checksums right"
        yield Finding("bundle", "ok", detail)
        began = time.perf_counter()
        milliseconds = asyncio.run(_one_token(settings))
        loaded = time.perf_counter() - began
        yield Finding("model", "ok", f"loads in {loaded:.1f} s, one token in {milliseconds:.1f} ms")
    except EngineError as error:
        yield Finding("model", "broken", str(error))


def check_remote(settings: Settings) -> Iterator[Finding]:
    """Says where text goes, and asks for a token there: what is sent is `import `."""
    from lsp_server.remote import remote_config, shown_place

    try:
        config = remote_config(settings.remote, None, os.environ)
        key = "with a key" if config.key is not None else "without a key"
        detail = f"text is sent to {shown_place(config)}, {key} (remote.kind {config.kind})"
        yield Finding("remote", "info", detail)
        milliseconds = asyncio.run(_one_token(settings))
        yield Finding("model", "ok", f"{config.shown_name} answers in {milliseconds:.0f} ms")
    except EngineError as error:
        yield Finding("model", "broken", str(error))


async def _one_token(settings: Settings) -> float:
    """Milliseconds for one token, after a first one that warms up."""
    # In this process: what is checked is the model, not whoever holds it already.
    model = await open_model(replace(settings, engine=replace(settings.engine, shared=False)))
    request = Request(tuple(model.tokens.encode("import ").tolist()), SamplingParams(max_tokens=1))
    try:
        for _ in range(2):
            async with model.engine.generate(request) as generation:
                result = await generation.result()
                if result.error:
                    raise EngineError(f"the model does not run: {result.error}")
        return result.timings.prefill + result.timings.decode
    finally:
        await model.engine.aclose()


def check_languages(settings: Settings) -> Iterator[Finding]:
    """Parses one line in every language, so that each grammar and query is really loaded."""
    works, broken = [], []
    for name, language in languages().items():
        try:
            indexer.extract(f"a{language.extensions[0]}", language, b"x\n")
            works.append(name)
        except Exception as error:
            broken.append(f"{name} ({type(error).__name__})")
    yield Finding("languages", "ok" if works else "broken", ", ".join(works) or "none works")
    if broken:
        yield Finding("languages", "missing", f"cannot be parsed: {', '.join(broken)}")


def check_editors(settings: Settings) -> Iterator[Finding]:
    found = [name for name in EDITORS if shutil.which(name)]
    detail = ", ".join(found) if found else f"none of {', '.join(EDITORS)} is on the PATH"
    yield Finding("editors", "ok" if found else "missing", detail)


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_system,
    check_runtime,
    check_model,
    check_languages,
    check_editors,
)
