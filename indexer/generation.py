"""One short name for everything that facts depend on besides the text that they are taken from."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

from indexer.language import languages

ENDINGS = (".py", ".scm", ".toml", ".txt", ".so", ".pyd", ".dylib", ".dll")


@cache
def generation() -> str:
    """Sixteen hexadecimal digits: other ones for another text of this package or another grammar.

    All of the package counts: facts that were kept although a rule had changed would be wrong, and
    facts that are taken again although none had cost seconds.
    """
    digest = hashlib.blake2b(repr(sys.version_info[:2]).encode(), digest_size=8)
    package = Path(__file__).parent
    for path in sorted(package.rglob("*")):
        if path.suffix in ENDINGS and path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(package)}\0{len(content)}\0".encode())
            digest.update(content)
    grammars = {language.grammar_module for language in languages().values()}
    for module in ("tree_sitter", *sorted(grammars)):
        digest.update(f"{module}\0{_version(module)}\0".encode())
    return digest.hexdigest()


def _version(module: str) -> str:
    """The version of the distribution that a module is named after."""
    from importlib.metadata import PackageNotFoundError, version  # slow to load, and rarely needed

    try:
        return version(module.replace("_", "-"))
    except PackageNotFoundError:
        return ""
