"""The block around a cursor, found so that it also works while the code does not parse.

Python: by indentation. Languages with braces: by the syntax tree, else by counting braces.
Languages whose blocks close with `end` (Ruby, Lua): by the syntax tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import tree_sitter

FUNCTION_NODE = re.compile(r"function|method|lambda|closure|constructor|^func_literal$")
CLASS_NODE = re.compile(
    r"class|struct|interface|impl_item|enum|trait|record|object_type|union|^module$"
)
CLASS_HEADER = re.compile(rb"\b(class|struct|interface|enum|impl|trait|record|union|namespace)\b")
CONTROL_HEADER = re.compile(
    rb"\b(if|else|for|while|do|switch|try|catch|finally|match|loop|unsafe|select|case|with|defer)\b"
)
FUNCTION_HEADER = re.compile(rb"\b(function|fn|func)\b|=>\s*$|\)[^;{}]*$")
LOOK_BACK = 20_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The innermost block around an offset."""

    kind: str  # "module", "function", "class" or "block"
    start: int  # of the definition or statement that the block belongs to
    end: int
    is_empty_block: bool  # whether the block holds no statement yet, a docstring aside


def scope_at(text: bytes, offset: int, tree: tree_sitter.Tree | None, indented: bool) -> Scope:
    """The block around an offset; `indented` says whether blocks are made by indentation."""
    if indented:
        return _by_indentation(text, offset)
    found = _by_tree(text, offset, tree) if tree is not None else None
    return found if found is not None else _by_braces(text, offset)


def _module(text: bytes) -> Scope:
    return Scope("module", 0, len(text), not text.strip())


def _by_indentation(text: bytes, offset: int) -> Scope:
    line_start = text.rfind(b"\n", 0, offset) + 1
    line_end = _line_end(text, offset)
    line = text[line_start:line_end]
    indent = _indent(line) if line.strip() else offset - line_start
    header = _header_above(text, line_start, indent)
    if header is None:
        return _module(text)
    start, header_indent, header_end = header
    end = _end_of_indented(text, header_end, header_indent)
    words = text[start:header_end].split(None, 2)
    first = b" ".join(words[:2]) if words[:1] == [b"async"] else words[0]
    kind = {b"def": "function", b"async def": "function", b"class": "class"}.get(first, "block")
    body = text[header_end:end].strip() if end > header_end else b""
    return Scope(kind, start, max(end, offset), _only_docstring(body))


def _header_above(text: bytes, line_start: int, indent: int) -> tuple[int, int, int] | None:
    """Start, indentation and end of the statement with a colon that a line is inside of."""
    limit = indent
    position = line_start
    while position > 0:
        end = position - 1
        position = text.rfind(b"\n", 0, end) + 1
        line = text[position:end]
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        found = _indent(line)
        if found < limit:
            limit = found
            if line.split(b"#")[0].rstrip().endswith(b":"):
                start = _statement_start(text, position, found)
                return start + _indent(text[start:end]), found, end
            if found == 0:
                return None
    return None


def _statement_start(text: bytes, position: int, indent: int) -> int:
    """The first line of a header over several lines: `) -> int:` belongs to a def above."""
    line = text[position : _line_end(text, position)].lstrip()
    while line.startswith((b")", b"]", b"}")) and position > 0:
        position = text.rfind(b"\n", 0, position - 1) + 1
        above = text[position : _line_end(text, position)]
        if above.strip() and _indent(above) <= indent:
            return position
    return position


def _end_of_indented(text: bytes, position: int, indent: int) -> int:
    """End of the last line below `position` that is indented more than `indent`."""
    end = position
    while position < len(text):
        start = position + 1
        position = _line_end(text, start)
        line = text[start:position]
        if line.strip():
            if _indent(line) <= indent:
                break
            end = position
    return end


def _only_docstring(body: bytes) -> bool:
    for quote in (b'"""', b"'''"):
        if body.startswith(quote) and len(body) >= 6:
            return body.find(quote, 3) == len(body) - 3
    return not body


def _by_tree(text: bytes, offset: int, tree: tree_sitter.Tree) -> Scope | None:
    node = tree.root_node.descendant_for_byte_range(offset, offset)
    below: tree_sitter.Node | None = None
    while node is not None:
        if node.is_error:
            return None
        ended = _ended(text, offset, node)
        if ended is not None:
            return ended
        body = node.child_by_field_name("body")
        if body is None and below is not None and below.type in ("statement_block", "block"):
            body = below
        if body is not None and body.start_byte < offset < body.end_byte:
            if text[body.start_byte : body.start_byte + 1] != b"{":
                below, node = node, node.parent
                continue
            empty = not any(not child.type.endswith("comment") for child in body.named_children)
            return Scope(_kind_of_node(node), node.start_byte, node.end_byte, empty)
        below, node = node, node.parent
    return None


def _ended(text: bytes, offset: int, node: tree_sitter.Node) -> Scope | None:
    """The block of a node that closes with `end`, if the offset is below its first line."""
    last = node.child(node.child_count - 1) if node.child_count > 1 else None
    if last is None or last.type != "end" or offset > last.start_byte:
        return None
    body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
    before = (body if body is not None else last).prev_sibling
    header_end = before.end_byte if before is not None else node.start_byte
    if b"\n" not in text[header_end:offset]:
        return None
    statements = body.named_children if body is not None else []
    empty = not any(not child.type.endswith("comment") for child in statements)
    return Scope(_kind_of_node(node), node.start_byte, node.end_byte, empty)


def _kind_of_node(node: tree_sitter.Node) -> str:
    if FUNCTION_NODE.search(node.type):
        return "function"
    return "class" if CLASS_NODE.search(node.type) else "block"


def _by_braces(text: bytes, offset: int) -> Scope:
    depth, low = 0, max(0, offset - LOOK_BACK)
    for position in range(offset - 1, low - 1, -1):
        byte = text[position]
        if byte == 0x7D:
            depth += 1
        elif byte == 0x7B:
            if depth == 0:
                return _braced(text, position, offset)
            depth -= 1
    return _module(text)


def _braced(text: bytes, brace: int, offset: int) -> Scope:
    start = max(text.rfind(mark, 0, brace) for mark in (b";", b"{", b"}")) + 1
    header = text[start:brace].strip()
    start += len(text[start:brace]) - len(text[start:brace].lstrip())
    if CLASS_HEADER.search(header) and b"(" not in header:
        kind = "class"
    elif CONTROL_HEADER.search(header) or not FUNCTION_HEADER.search(header):
        kind = "block"
    else:
        kind = "function"
    close = _matching_brace(text, brace)
    inside = text[brace + 1 : close]
    return Scope(kind, start, max(close, offset), not inside.strip())


def _matching_brace(text: bytes, brace: int) -> int:
    """Where the block ends: after its closing brace, or at the end of what is there."""
    depth = 0
    for position in range(brace, min(len(text), brace + LOOK_BACK)):
        if text[position] == 0x7B:
            depth += 1
        elif text[position] == 0x7D:
            depth -= 1
            if depth == 0:
                return position
    return len(text)


def _line_end(text: bytes, position: int) -> int:
    end = text.find(b"\n", position)
    return len(text) if end < 0 else end


def _indent(line: bytes) -> int:
    """Columns of leading blanks, a tab as four."""
    return sum(4 if byte == 9 else 1 for byte in line[: len(line) - len(line.lstrip(b" \t"))])
