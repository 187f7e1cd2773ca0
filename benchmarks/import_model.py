"""What it takes to import a model, to load it, and to get an answer: time and memory.

    python benchmarks/import_model.py MODEL [--models DIR] [--write]

MODEL is anything that `lsp-server model import` takes; `random_checkpoint.py` makes one of random
weights in the shape of Qwen3-30B-A3B. Import and answer run in processes of their own, whose
largest memory the system tells. `--write` puts the result into benchmarks/results/import.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from lsp_server.machine import read_bandwidth
from runtime.export.footprint import BANDWIDTH_SHARE
from runtime.export.importing import section_sizes
from runtime.export.sources import open_source

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks/results/import.md"
NAME = "import-benchmark"
# Loads the bundle, reads a prompt and writes tokens; prints JSON.
ANSWER = """
import json, sys, time
from pathlib import Path
from lsp_server.cli.bench import memory_bytes
from runtime import EngineConfig, Request, SamplingParams, build_engine
from runtime.bundle import Bundle

began = time.perf_counter()
bundle = Bundle.open(Path(sys.argv[1]), verify=False)
engine = build_engine(bundle, EngineConfig(use_memory=False))
loaded = time.perf_counter()
prompt = tuple(engine.tokenizer.encode("def main(arguments):\\n    return parse(")[:64])
number = engine.add(Request(prompt, SamplingParams(max_tokens=24)))
spent = []
while engine.has_work:
    step = time.perf_counter()
    engine.step()
    spent.append(time.perf_counter() - step)
result = engine.result(number)
print(json.dumps({
    "load_s": loaded - began,
    "prompt_tokens": len(prompt),
    "tokens": len(result.tokens),
    "error": result.error,
    "first_step_s": spent[0],
    "steps_s": sorted(spent[1:]),
    "memory": memory_bytes(),
}))
"""


def run(command: list[str], **environment: str) -> tuple[float, float, int, str]:
    """Wall seconds, CPU seconds, largest memory in bytes, and stdout of a process."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[1:5]} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return time.perf_counter() - began, cpu, usage.ru_maxrss * 1024, output


def measure(model: str, models: str) -> dict[str, Any]:
    source = open_source(model, os.environ)
    sizes = section_sizes(source)
    found: dict[str, Any] = {
        "model": source.name,
        "kinds": sorted({source.storage(name).kind for name in source.shapes}),
        "source_bytes": sum(sizes.values()),
        "largest_layer": max(sizes.values()),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    source.close()
    command = [sys.executable, "-m", "lsp_server", "model", "import", model, "--name", NAME]
    seconds, cpu, peak, output = run(
        [*command, "--force", "--json"], SOPILKA_MODELS=models, XDG_CONFIG_HOME=models
    )
    found |= {"import_s": seconds, "import_cpu_s": cpu, "import_peak": peak}
    print(json.dumps(found), file=sys.stderr)  # It took minutes; what follows may fail.
    bundle = json.loads(output)["path"]
    found["bundle_bytes"] = sum(item.stat().st_size for item in Path(bundle).iterdir())
    info = [sys.executable, "-m", "lsp_server", "model", "info", NAME, "--json"]
    found["info"] = json.loads(run(info, SOPILKA_MODELS=models, XDG_CONFIG_HOME=models)[3])
    found["bandwidth"] = read_bandwidth()
    _, _, peak, output = run([sys.executable, "-c", ANSWER, bundle])
    return {**found, "answer_peak": peak, "answer": json.loads(output)}


def report(found: dict[str, Any]) -> str:
    answer, info = found["answer"], found["info"]
    bound = 3 * found["largest_layer"] + 10**9
    steps = answer["steps_s"]
    median = steps[len(steps) // 2]
    predicted = BANDWIDTH_SHARE * found["bandwidth"] / info["read_per_token"]
    rows = [
        ("source", f"{found['source_bytes'] / 1e9:.2f} GB, {', '.join(found['kinds'])}"),
        ("largest layer of the source", f"{found['largest_layer'] / 1e6:.0f} MB"),
        ("bundle", f"{found['bundle_bytes'] / 1e9:.2f} GB, context {info['context']}"),
        (
            "import",
            f"{found['import_s']:.0f} s ({found['import_cpu_s']:.0f} s of CPU), "
            f"{found['source_bytes'] / 1e6 / found['import_s']:.0f} MB/s",
        ),
        (
            "largest memory of the import",
            f"{found['import_peak'] / 1e6:.0f} MB; the bound, three layers and 1 GB, is "
            f"{bound / 1e6:.0f} MB",
        ),
        ("load", f"{answer['load_s']:.1f} s"),
        (
            "answer",
            f"{answer['tokens']} tokens behind {answer['prompt_tokens']}; first step "
            f"{answer['first_step_s']:.1f} s, then {1 / median:.2f} tokens/s (median step)",
        ),
        (
            "predicted",
            f"{predicted:.2f} tokens/s: {info['read_per_token'] / 1e9:.2f} GB a token, "
            f"{found['bandwidth'] / 1e9:.1f} GB/s measured just before",
        ),
        (
            "memory while answering",
            f"{answer['memory'].get('anonymous', 0) / 1e6:.0f} MB anonymous, "
            f"{answer['memory'].get('mapped', 0) / 1e9:.1f} GB of mapped weights in use",
        ),
    ]
    lines = [
        "# Importing a model",
        "",
        f"`python benchmarks/import_model.py`, {found['model']}, random weights.",
        f"{found['cores']} cores, load average {found['load']:.1f} at the start.",
        "",
        "| what | measured |",
        "| --- | --- |",
        *(f"| {name} | {text} |" for name, text in rows),
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--models", default="models", help="the folder to import into")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text = report(measure(arguments.model, str(Path(arguments.models).absolute())))
    print(text)
    if arguments.write:
        RESULT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
