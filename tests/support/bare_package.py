"""The packages as they are where nobody has built the operator library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from indexer.native import library_path

ROOT = Path(__file__).resolve().parents[2]
# The finder of an editable install goes before the folder we are in.
FORGET_EDITABLE = (
    "import sys\n"
    "sys.meta_path = [f for f in sys.meta_path if 'Redirecting' not in type(f).__name__]\n"
)


def run_without_library(
    folder: Path, code: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a copy of the packages, in `folder`, without the operators' library.

    The index keeps its own, without which nothing gets so far as to need an operator.
    """
    ignored = shutil.ignore_patterns("build", "models", "__pycache__", "*.so", "*.dll")
    for package in ("lsp_server", "indexer", "runtime"):
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    built = library_path()
    shutil.copyfile(built, folder / "indexer" / "native" / built.name)
    return subprocess.run(
        [sys.executable, "-c", FORGET_EDITABLE + code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )
