"""What the syntax tree says of a place: code, comment or string, and whether a block begins there.

A text that is being written rarely parses at the cursor, so signs decide where the tree is broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import tree_sitter

from indexer.syntax import TEXT_NODE

_COMMENT = re.compile(r"comment")
_INTERPOLATION = re.compile(r"interpolation|substitution|template_expression|command_expansion")
_TEXT_END = re.compile(rb"\"{3}|'{3}|[\"'`/]|\*/|-->|\]\]")
_QUOTED = re.compile(rb"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`")
# Not an apostrophe, and not Rust's sign of a lifetime.
_QUOTE = re.compile(rb"[\"`]|(?<![\w<&])'")
# What `{` and `:` also begin, beside blocks.
_LITERAL = re.compile(
    r"object|dict|hash|literal|initializer|table_constructor|\bset\b|subscript|template|import|export_clause"
    r"|jsx|pair|slice|lambda|keyword_argument|typed|annotation|parameter|conditional|type_constraint"
)
_HEADER = re.compile(
    r"^(?:singleton_)?method$|^do_block|^(?:local_)?function|^class|^module|^if|^while|^for"
)
_WORDS = frozenset(
    ("do", "then", "else", "begin", "ensure", "repeat", "try", "finally", "loop", "unsafe")
)
# Before a brace these make it a value, not a block.
_BEFORE_VALUE = re.compile(rb"(?:[=(:,\[?&|+]|=\s*[\w:.<>]+|\breturn|\byield|=>)\s*$")
_STATEMENT = re.compile(r"_statement$|_definition$|_clause$|case|block")
_COLON_STATEMENT = re.compile(
    rb"^\s*(?:async\s+)?(?:def|class|if|elif|else|for|while|with|try|except|finally|match|case"
    rb"|default|public|private|protected)\b"
)


@dataclass(frozen=True, slots=True)
class SyntaxAt:
    """Where an offset is, and whether what stands before it begins a block."""

    inside: Literal["code", "comment", "string"]
    opens_block: bool


def syntax_at(root: tree_sitter.Node, text: bytes, offset: int) -> SyntaxAt:
    """What the tree of a text says of a byte offset."""
    inside = _inside(root, text, offset)
    return SyntaxAt(inside, inside == "code" and _opens_block(root, text, offset))


def _inside(
    root: tree_sitter.Node, text: bytes, offset: int
) -> Literal["code", "comment", "string"]:
    node = root.descendant_for_byte_range(max(0, offset - 1), offset)
    outermost = None
    while node is not None and not _INTERPOLATION.search(node.type):
        if TEXT_NODE.search(node.type):
            outermost = node
        node = node.parent
    if outermost is not None:
        if not _holds(outermost, text, offset):
            return "code"
        return "comment" if _COMMENT.search(outermost.type) else "string"
    line = text[text.rfind(b"\n", 0, offset) + 1 : offset]
    return "string" if node is None and root.has_error and _is_in_quotes(line) else "code"


def _holds(node: tree_sitter.Node, text: bytes, offset: int) -> bool:
    """Whether an offset is between the delimiters of a text; a line comment has none behind it."""
    if not node.start_byte < offset:
        return False
    if offset < node.end_byte:
        return True
    return offset == node.end_byte and not _is_closed(node, text)


def _is_closed(node: tree_sitter.Node, text: bytes) -> bool:
    if node.child_count and node.children[-1].is_missing:
        return False
    body = text[node.start_byte : node.end_byte]
    first = _TEXT_END.match(body)
    if _COMMENT.search(node.type):
        return len(body) >= 4 and body.endswith((b"*/", b"-->", b"]]"))
    last = first[0] if first else body[-1:]
    return len(body) > len(last) and body.endswith(last)


def _is_in_quotes(line: bytes) -> bool:
    return _QUOTE.search(_QUOTED.sub(b"", line)) is not None


def _opens_block(root: tree_sitter.Node, text: bytes, offset: int) -> bool:
    leaf = _last_code(root, text, offset)
    if leaf is None or leaf.parent is None:
        return False
    parent, before = leaf.parent, text[: leaf.start_byte]
    line = text[before.rfind(b"\n") + 1 : leaf.end_byte]
    match leaf.type:
        case "{":
            if parent.is_error or before.rstrip().endswith(b")"):
                return not _BEFORE_VALUE.search(before[-40:])
            return not _LITERAL.search(parent.type)
        case ":" if parent.is_error:
            return _COLON_STATEMENT.match(line) is not None
        case ":":
            return _STATEMENT.search(parent.type) is not None
        case "=>" | "->":
            return not _LITERAL.search(parent.type)
        case kind if kind in _WORDS:
            return True
    return _ends_header(leaf)


def _last_code(root: tree_sitter.Node, text: bytes, offset: int) -> tree_sitter.Node | None:
    """The last sign or word before an offset that is neither space nor comment."""
    end = len(text[:offset].rstrip())
    while end > 0:
        leaf = root.descendant_for_byte_range(end - 1, end)
        node = leaf
        while node is not None and not _COMMENT.search(node.type):
            node = node.parent
        if node is None or node.start_byte >= end:
            return leaf
        end = len(text[: node.start_byte].rstrip())
    return None


def _ends_header(leaf: tree_sitter.Node) -> bool:
    """Whether a word or bracket ends the head of a definition whose block `end` closes."""
    node: tree_sitter.Node | None = leaf
    while node is not None and node.parent is not None:
        node = node.parent
        if _HEADER.search(node.type) and node.child_count and node.children[-1].type == "end":
            body = [child for child in node.children[:-1] if child.start_byte >= leaf.end_byte]
            return not body and node.start_point.row == leaf.start_point.row
    return False
