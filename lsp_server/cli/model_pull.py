"""Fetches a repository into the Hugging Face cache, where a network exists."""

from __future__ import annotations

import fnmatch

from lsp_server.cli.options import BadInput

# All that an import reads of a repository.
WANTED = ("*.json", "*.jinja", "README.md", "LICENSE*")
WEIGHTS = "*.safetensors"


def fetch(repository: str, revision: str | None, pattern: str | None) -> str:
    """Fetch what an import reads; return the path to import. Raises BadInput."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import logging
    except ImportError as error:
        raise BadInput(
            "pull needs the package huggingface_hub (pip install 'sopilka[pull]'); or fetch "
            f"{repository} in any other way and give its folder to lsp-server model import"
        ) from error
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # What it has to say we say in one line.
    try:
        info = huggingface_hub.HfApi().model_info(repository, revision=revision, timeout=20)
        files = [item.rfilename for item in info.siblings or ()]
        chosen = choose(repository, files, pattern)
        # The commit, so that the files are those that were chosen from.
        folder = huggingface_hub.snapshot_download(
            repository, revision=info.sha, allow_patterns=chosen
        )
    except BadInput:
        raise
    except HFValidationError as error:
        raise BadInput(f"{repository!r:.120} is no id of a repository: OWNER/NAME is") from error
    except Exception as error:  # Those of whatever the package speaks HTTP with.
        raise BadInput(_not_fetched(repository, error)) from error
    ggufs = [name for name in chosen if name.endswith(".gguf")]
    return f"{folder}/{ggufs[0]}" if ggufs else str(folder)


def choose(repository: str, files: list[str], pattern: str | None) -> list[str]:
    """Choose the files of a repository that an import reads. Raises BadInput."""
    ggufs = sorted(name for name in files if name.endswith(".gguf"))
    if pattern is not None:
        ggufs = [name for name in ggufs if fnmatch.fnmatch(name, pattern)]
        if not ggufs:
            raise BadInput(f"{repository} has no GGUF file that matches {pattern!r}")
    elif any(fnmatch.fnmatch(name, WEIGHTS) for name in files):
        return [name for name in files if _matches(name, (*WANTED, WEIGHTS)) and "/" not in name]
    # The parts of a split file differ in their numbers alone.
    models = {name.split("-000")[0] for name in ggufs}
    if len(models) != 1:
        known = ", ".join(ggufs[:12]) or "no file of safetensors or GGUF"
        raise BadInput(f"choose a file of {repository} with --file PATTERN; it has {known}")
    return ggufs


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _not_fetched(repository: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return (
        f"{repository} cannot be fetched ({reason}). Without a network: fetch it on another "
        "machine, copy its folder here, and run lsp-server model import FOLDER"
    )
