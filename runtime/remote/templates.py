"""How families of models want a hole in a text to be written, as text.

From each family's own publications: Qwen2.5-Coder (arXiv 2409.12186), StarCoder 2 (2402.19173),
Code Llama (2308.12950), DeepSeek-Coder (2401.14196), Mistral's Codestral.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runtime.remote.pieces import PromptParts

# Spellings that some server would read as a control token of some model.
_CONTROL = re.compile(
    r"<(?=\|[A-Za-z_][\w.-]{0,40}\|>"  # Qwen, Llama, GPT
    r"|｜[^｜>\n]{1,40}｜>"  # DeepSeek
    r"|/?(?:s|unk|pad|bos|eos|think|tool_call|tool_response|tool_calls|tools)>"
    r"|(?:PRE|SUF|MID|EOT|EOD)>"  # Code Llama
    r"|(?:fim_(?:prefix|middle|suffix|pad)|repo_name|file_sep|reponame|filename|gh_stars"
    r"|(?:issue|jupyter|commit|pr)_[a-z_]{1,20}|empty_output|intermediate_to_code)>"  # StarCoder
    r"|(?:start|end)_of_turn>)"  # Gemma
    r"|\[(?=(?:PREFIX|SUFFIX|MIDDLE|/?INST|/?SYSTEM_PROMPT|/?AVAILABLE_TOOLS|TOOL_CALLS"
    r"|/?TOOL_RESULTS)\])"  # Mistral
)


@dataclass(frozen=True, slots=True)
class Template:
    """`write` turns the parts into the prompt; `stop` are texts at which the answer is over.

    Without `has_suffix` the text behind the cursor is left out. `suffix_apart`: the server writes
    the hole itself, and takes the suffix in a field of its own.
    """

    write: Callable[[PromptParts], str]
    stop: tuple[str, ...] = ()
    has_suffix: bool = True
    suffix_apart: bool = False


def neutral(text: str) -> str:
    """The text with a space in everything that could be read as a control token."""
    return _CONTROL.sub(lambda match: f"{match[0]} ", text)


def neutral_parts(parts: PromptParts) -> PromptParts:
    return PromptParts(
        repository=neutral(parts.repository),
        files=tuple((neutral(path), neutral(text)) for path, text in parts.files),
        path=neutral(parts.path),
        prefix=neutral(parts.prefix),
        suffix=neutral(parts.suffix),
        line=neutral(parts.line),
    )


def _qwen(parts: PromptParts) -> str:
    files = _files(parts, "<|file_sep|>")
    repository = f"<|repo_name|>{parts.repository}\n" if parts.repository else ""
    return (
        f"{repository}{files}<|file_sep|>{parts.path}\n<|fim_prefix|>{parts.prefix}"
        f"<|fim_suffix|>{parts.suffix}<|fim_middle|>{parts.line}"
    )


def _starcoder(parts: PromptParts) -> str:
    files = _files(parts, "<file_sep>")
    repository = f"<repo_name>{parts.repository}" if parts.repository else ""
    return (
        f"{repository}{files}<file_sep><fim_prefix>{parts.path}\n{parts.prefix}"
        f"<fim_suffix>{parts.suffix}<fim_middle>{parts.line}"
    )


def _code_llama(parts: PromptParts) -> str:
    return f"{_bare(parts, '<PRE> ')}{parts.line} <SUF>{parts.suffix} <MID>"


def _deepseek(parts: PromptParts) -> str:
    """The family's repositories were written with `#path` above each file."""
    files = _files(parts, "#")
    return (
        f"<｜fim▁begin｜>{files}#{parts.path}\n{parts.prefix}{parts.line}"
        f"<｜fim▁hole｜>{parts.suffix}<｜fim▁end｜>"
    )


def _codestral(parts: PromptParts) -> str:
    """The suffix comes first, so the answer follows the unfinished line."""
    files = _files(parts, "+++++ ")
    return f"[SUFFIX]{parts.suffix}[PREFIX]{files}+++++ {parts.path}\n{parts.prefix}{parts.line}"


def _prefix(parts: PromptParts) -> str:
    return _bare(parts, "") + parts.line


def _files(parts: PromptParts, mark: str) -> str:
    return "".join(f"{mark}{path}\n{text}" for path, text in parts.files)


def _bare(parts: PromptParts, mark: str) -> str:
    """For models that know no separator of files: their texts, one after the other."""
    return "".join(text for _, text in parts.files) + mark + parts.prefix


TEMPLATES: Mapping[str, Template] = {
    "qwen": Template(_qwen, ("<|endoftext|>", "<|file_sep|>", "<|fim_prefix|>", "<|im_end|>")),
    "starcoder": Template(_starcoder, ("<|endoftext|>", "<file_sep>", "<fim_prefix>")),
    "codellama": Template(_code_llama, ("<EOT>", " <EOT>")),
    "deepseek": Template(_deepseek, ("<｜end▁of▁sentence｜>", "<｜fim▁begin｜>", "<|EOT|>")),
    "codestral": Template(_codestral, ("</s>", "[PREFIX]", "[SUFFIX]", "+++++ ")),
    "suffix": Template(_prefix, suffix_apart=True),
    "prefix": Template(_prefix, has_suffix=False),
}
# What a model's name has, in the order in which it is looked for.
_NAMES = (
    ("qwen", re.compile(r"qwen", re.IGNORECASE)),
    ("starcoder", re.compile(r"star[-_ ]?coder", re.IGNORECASE)),
    ("codellama", re.compile(r"code[-_ ]?llama", re.IGNORECASE)),
    ("deepseek", re.compile(r"deepseek[-_ ]?coder", re.IGNORECASE)),
    ("codestral", re.compile(r"codestral", re.IGNORECASE)),
)


def template_for(name: str, model: str) -> Template:
    """The template of a name; for `auto`, that of the family which the model's name tells."""
    if name == "auto":
        name = next((family for family, known in _NAMES if known.search(model)), "prefix")
    return TEMPLATES[name]
