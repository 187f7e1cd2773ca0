"""`lsp-server model import` and `pull`: from files to a model that is ready to be used."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsp_server.cli.model_text import size_text
from lsp_server.cli.options import BadInput, add_settings
from lsp_server.cli.output import write, write_json
from lsp_server.cli.progress import ProgressLine
from lsp_server.machine import free_memory, read_bandwidth
from lsp_server.model_store import ModelStore, check_name, name_from
from lsp_server.settings import Settings

if TYPE_CHECKING:
    from runtime.export.importing import Progress
    from runtime.export.plan import Machine, Plan
    from runtime.export.sources import Source

IMPORT = """\
Turns a model into a bundle in the folder of models. PATH is a Hugging Face folder, a GGUF file, or
OWNER/NAME of a repository that is in the Hugging Face cache. It is read layer by layer, so it may
be larger than memory. An import that was stopped or killed goes on where it was when the same
command is given again.

  lsp-server model import ~/models/Qwen2.5-Coder-1.5B
  lsp-server model import qwen3-coder-30b-Q4_0.gguf --name coder
  lsp-server model import Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8 --quant int4 --context 32768

--quant auto (the default) keeps the values of Q4_0, Q5_0, Q8_0, AWQ and GPTQ files as they are.
Of other models it takes int8 where that fits the free memory and is predicted to write 20 tokens a
second or more, and otherwise int4; it refuses, with the numbers, if neither fits.
  int4   4 bits for experts and MLPs, 8 for attention and embeddings unless the file has 4
  int8   8 bits for all matrices
  fp16   nothing is rounded; stored in 32 bits, since the operators for CPUs have no 16
--context 0 (the default) takes the model's own, halved until its keys and values fit half of the
memory that is left. What is asked for by name is done even if it does not fit this machine.
--calibrate TEXTS rounds by what the model does with a folder of code, a text file, or a .jsonl file
of objects with "text". With int4 that halves what rounding changes; it takes minutes for a model of
1B and hours for one of 30B, and after a stop it reads the texts from the beginning.
"""
PULL = """\
Fetches a repository into the Hugging Face cache and imports it; only what an import reads is
fetched, and never a pickle. Needs the package huggingface_hub and a network: this is the one
command that uses it.

  lsp-server model pull Qwen/Qwen2.5-Coder-1.5B
  lsp-server model pull OWNER/NAME-GGUF --file '*Q4_0*.gguf'

Without a network: fetch the repository on another machine, copy the folder, and import it.
"""
NEEDS_EXPORT = "importing needs more packages: pip install 'sopilka[export]'"


def add_parsers(actions: Any) -> None:
    """Add the two actions to those of `lsp-server model`."""
    for name, text, argument in (("import", IMPORT, "PATH"), ("pull", PULL, "REPO")):
        parser = actions.add_parser(
            name,
            help=text.split(".")[0].lower().replace("\n", " "),
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("source", metavar=argument)
        if name == "pull":
            parser.add_argument("--revision", help="a branch, tag or commit")
            parser.add_argument("--file", metavar="PATTERN", help="which GGUF file, such as *Q4_0*")
        parser.add_argument("--name", help="how to call it (default: as its files are called)")
        parser.add_argument("--quant", choices=("auto", "int4", "int8", "fp16"), default="auto")
        parser.add_argument("--context", type=int, default=0, metavar="N", help="tokens; 0: auto")
        parser.add_argument("--calibrate", type=Path, metavar="TEXTS", help="round by these texts")
        parser.add_argument("--force", action="store_true", help="replace a model of that name")
        parser.add_argument("--json", action="store_true", help="print JSON")
        add_settings(parser)
        parser.set_defaults(run=_pull if name == "pull" else _import)


def _import(options: argparse.Namespace, settings: Settings) -> int:
    return run_import(options.source, options, settings)


def _pull(options: argparse.Namespace, settings: Settings) -> int:
    from lsp_server.cli.model_pull import fetch

    found = fetch(options.source, options.revision, options.file)
    options.name = options.name or name_from(options.source.rpartition("/")[2])
    return run_import(found, options, settings)


def run_import(named: str, options: argparse.Namespace, settings: Settings) -> int:
    """Import what `named` is; raises BadInput and EngineError."""
    store = ModelStore.of(settings.engine)
    if options.context < 0:
        raise BadInput(f"--context must be 0 or a number of tokens, not {options.context}")
    if options.name is not None:
        check_name(options.name)
    try:
        from runtime.export.sources import open_source
    except ImportError as error:
        raise BadInput(f"{NEEDS_EXPORT} ({error})") from error
    with closing(open_source(named, os.environ)) as source:
        return _import_source(source, store, options)


def _import_source(source: Source, store: ModelStore, options: argparse.Namespace) -> int:
    from runtime.export.calibrate_texts import Calibration
    from runtime.export.importing import import_model
    from runtime.export.plan import Machine, fits, make_plan
    from runtime.export.write import Options, shape_of

    config = shape_of(source)
    machine = Machine(free_memory(), read_bandwidth())
    plan = make_plan(source, config, options.quant, options.context, machine)
    name = options.name or name_from(source.name)
    line = ProgressLine(sys.stderr)
    line.note(_plan_text(name, plan, machine))
    if not fits(plan, machine):
        line.note(
            f"warning: serving it takes {size_text(plan.memory)} of memory, "
            f"{size_text(machine.memory or 0)} are free"
        )
    kinds = sorted({source.storage(tensor).kind for tensor in source.shapes})
    notes = f"{', '.join(kinds)}; {'kept as it is' if plan.is_exact else 'rounded anew'}"
    wanted = Options(
        schemes=plan.schemes,
        name=name,
        context=plan.context,
        prompt_layout="auto",
        licence=source.licence(),
        replace=options.force,
        notes={"source": notes},
    )
    texts = options.calibrate
    calibration = None if texts is None else Calibration(texts, report=line.note)
    try:
        bundle = import_model(
            source, store.place(name), wanted, plan.size, _Report(line), calibration
        )
    except KeyboardInterrupt:
        line.close()
        line.note("stopped; the same command goes on from here")
        raise
    finally:
        line.close()
    found = {"name": name, "path": str(bundle.path), "bytes": plan.size, "context": plan.context}
    if options.json:
        write_json(found)
    else:
        write(
            f"imported {name} into {bundle.path}\n"
            f"  lsp-server model use {name}     take it from now on\n"
            f"  lsp-server model info {name}    what it needs and how fast it will be\n"
        )
    return 0


class _Report:
    """Puts the progress of an import into words."""

    def __init__(self, line: ProgressLine) -> None:
        self._line = line
        self._has_told = False

    def __call__(self, progress: Progress) -> None:
        if progress.kept and not self._has_told:
            self._has_told = True
            self._line.note("going on with what an earlier import had finished")
        what = f"{progress.sections} of {progress.all_sections} parts"
        # What was read last has still to be written.
        is_whole = progress.sections == progress.all_sections
        done = progress.done if is_whole else min(progress.done, progress.total - 1)
        self._line.show(what, done, progress.total, progress.kept)


def _plan_text(name: str, plan: Plan, machine: Machine) -> str:
    speed = plan.footprint.tokens_per_second(machine.bandwidth)
    exact = "the file's own values" if plan.is_exact else "rounded"
    return (
        f"{name}: {plan.precision} ({exact}), context {plan.context}; the bundle takes "
        f"{size_text(plan.size)}, serving it {size_text(plan.memory)} of memory; "
        f"about {speed:.2g} tokens/s here"
    )
