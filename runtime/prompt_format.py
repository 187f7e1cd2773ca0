"""How a model wants its prompt laid out. Pure data from the bundle and one function over token ids.

Parts come in order of volatility, the most stable first, so that a keystroke leaves most of the
key-value cache valid: repository, other files, the current file's header and text, and last the
tokens of the unfinished line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from runtime import chat_template
from runtime.chat import Message
from runtime.chat_template import TEMPLATES, Encoder, Piece
from runtime.errors import BundleError

LAYOUTS = ("prefix", "fim")
WRAPS = ("raw", "chat")
# What Qwen's own examples tell a chat model that is to fill in the middle.
FIM_SYSTEM = "You are a code completion assistant."


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """The layout and the control tokens of one model; an id is None where the model lacks it.

    `prefix`: files, then the current file up to the cursor; the text after the cursor is left out.
    `fim`: fill in the middle, prefix-suffix-middle (Bavarian et al., arXiv 2207.14255), anchored at
    line starts: whole lines above, then below, then the unfinished line after the middle token.

    `head` and `tail` stand around all but the unfinished line: a model that only knows
    conversations is asked in one, and the unfinished line begins its answer. `chat` names the
    template of conversations (`runtime.chat_template`), if the model knows any.
    """

    layout: Literal["prefix", "fim"]
    repo_name: int | None = None
    file_sep: int | None = None
    fim_prefix: int | None = None
    fim_suffix: int | None = None
    fim_middle: int | None = None
    newline: tuple[int, ...] = ()
    stop_ids: tuple[int, ...] = ()
    head: tuple[int, ...] = ()
    tail: tuple[int, ...] = ()
    chat: str | None = None

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], tokenizer: Encoder) -> PromptFormat:
        """Resolve a bundle's `prompt_format` entry: layout, `tokens` by role, `stop` spellings.

        Optional are `chat`, the template of conversations, and `wrap`: with `chat` the prompt is
        a message of one. Raises BundleError for an unknown layout, template or wrapping, a token
        that the tokenizer lacks, or a `fim` layout without its three tokens.
        """
        check_manifest(manifest)
        roles = {
            role: _id_of(name, tokenizer) for role, name in (manifest.get("tokens") or {}).items()
        }
        if manifest["layout"] == "fim":
            missing = [role for role in FIM_ROLES if role not in roles]
            if missing:
                raise BundleError(
                    f"prompt_format: layout fim needs tokens for {', '.join(missing)}"
                )
        head, tail = _wrapping(manifest, tokenizer)
        return cls(
            layout=manifest["layout"],
            newline=tuple(tokenizer.encode("\n")),
            stop_ids=tuple(_id_of(name, tokenizer) for name in manifest.get("stop") or ()),
            head=head,
            tail=tail,
            chat=manifest.get("chat"),
            **roles,
        )

    def render(
        self,
        repo: Sequence[int] | None,
        files: Iterable[tuple[Sequence[int], Sequence[int]]],
        current_path_ids: Sequence[int],
        prefix_ids: Sequence[int],
        suffix_ids: Sequence[int],
        line_ids: Sequence[int],
    ) -> list[int]:
        """Return the prompt's token ids.

        `repo` and the paths are names without a line break; `files` are (path, text) pairs.
        `prefix_ids` are the whole lines above the cursor, `line_ids` the unfinished line up to
        the cursor, `suffix_ids` everything after the cursor.
        """
        prompt = [*self.head]
        if repo is not None and self.repo_name is not None:
            prompt += [self.repo_name, *repo, *self.newline]
        for path, text in files:
            prompt += [*self.header(path), *text]
        prompt += self.header(current_path_ids)
        if self.layout == "prefix":
            return [*prompt, *prefix_ids, *self.tail, *line_ids]
        if self.fim_prefix is None or self.fim_suffix is None or self.fim_middle is None:
            raise ValueError("layout fim needs fim_prefix, fim_suffix and fim_middle")
        before, after = (self.fim_prefix, *prefix_ids), (self.fim_suffix, *suffix_ids)
        return [*prompt, *before, *after, self.fim_middle, *self.tail, *line_ids]

    def header(self, path: Sequence[int]) -> list[int]:
        """Return what stands before a file's text: nothing where the model knows no separator."""
        return [] if self.file_sep is None else [self.file_sep, *path, *self.newline]


FIM_ROLES = ("fim_prefix", "fim_suffix", "fim_middle")
ROLES = ("repo_name", "file_sep", *FIM_ROLES)


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """Raise BundleError unless a bundle's `prompt_format` entry has the right shape."""
    layout, tokens, stop = (manifest.get(key) for key in ("layout", "tokens", "stop"))
    if layout not in LAYOUTS:
        raise BundleError(f"prompt_format: layout must be {' or '.join(LAYOUTS)}, not {layout!r}")
    if tokens is not None and not (
        isinstance(tokens, dict) and all(isinstance(name, str) for name in tokens.values())
    ):
        raise BundleError("prompt_format: tokens must map roles to the spelling of tokens")
    unknown = sorted(set(tokens or ()) - set(ROLES))
    if unknown:
        raise BundleError(f"prompt_format: unknown role {unknown[0]!r}; known: {', '.join(ROLES)}")
    if stop is not None and not (
        isinstance(stop, list) and all(isinstance(name, str) for name in stop)
    ):
        raise BundleError("prompt_format: stop must be a list of the spellings of tokens")
    chat, wrap = manifest.get("chat"), manifest.get("wrap", "raw")
    if chat is not None and (not isinstance(chat, str) or chat not in TEMPLATES):
        known = ", ".join(TEMPLATES)
        raise BundleError(f"prompt_format: chat must be one of {known}, not {chat!r}")
    if wrap not in WRAPS:
        raise BundleError(f"prompt_format: wrap must be {' or '.join(WRAPS)}, not {wrap!r}")
    if wrap == "chat" and chat is None:
        raise BundleError("prompt_format: wrap chat needs chat, the template of conversations")


def _wrapping(
    manifest: Mapping[str, Any], tokenizer: Encoder
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What stands before and behind a prompt that is the message of a conversation."""
    if manifest.get("wrap") != "chat":
        return (), ()
    # A character that no template has marks the place.
    place = "\0"
    messages = [Message("system", FIM_SYSTEM), Message("user", place)]
    pieces = chat_template.render(manifest["chat"], messages)
    at = next(index for index, piece in enumerate(pieces) if place in piece.text)
    before, _, behind = pieces[at].text.partition(place)
    head = chat_template.encode([*pieces[:at], Piece(before)], tokenizer)
    tail = chat_template.encode([Piece(behind), *pieces[at + 1 :]], tokenizer)
    return tuple(head), tuple(tail)


def _id_of(name: str, tokenizer: Encoder) -> int:
    token = tokenizer.token_id(name)
    if token is None:
        raise BundleError(f"prompt_format: the tokenizer has no control token {name!r}")
    return token
