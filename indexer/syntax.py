"""Small questions to syntax trees that hold for all grammars: names, receivers, calls, values.

Grammars differ in the names of their nodes but little in their shape: a member access is a
receiver, an operator and a name; a declaration has fields called `type` and `value` or `right`.
"""

from __future__ import annotations

import re

import tree_sitter

WORD_BYTES = re.compile(rb"[\w$\x80-\xff]+")
SIGIL_NODE = re.compile(
    r"^instance_variable$|^class_variable$|^simple_symbol$|^private_property_identifier$"
)
"""Names that begin with a sign: `@name`, `@@name` and `:name` of Ruby, `#name` of JavaScript."""
NAME_NODE = re.compile(
    r"identifier|^constant$|^name$|^variable_name$|^word$|^type$|" + SIGIL_NODE.pattern
)
MEMBER_NODE = re.compile(r"field_identifier|property_identifier|statement_identifier|^label")
SHORTHAND = re.compile(r"shorthand")
TEXT_NODE = re.compile(r"string|comment|char_literal|regex|heredoc")
CALL_NODE = re.compile(
    r"^call$|call_expression|invocation|new_expression|object_creation|^generic_function"
    r"|^instance_expression"
)
OPERATORS = frozenset((".", "?.", "::", "?->", "&.", "!!."))
AMBIGUOUS = {
    "->": re.compile("field_expression|member|scoped_call"),
    ":": re.compile("method_index"),
}
KEYWORD_NODE = re.compile("^keyword_argument$|^value_argument$|^named_argument")
ASSIGNING = re.compile("assignment|^update_expression$|^inc_statement$|^dec_statement$")
BLOCK_NODE = re.compile(r"block|^module$|^program$|source_file|compilation_unit|translation_unit")
LOOP_NODE = re.compile(r"^for|enhanced_for|range_clause")
PATTERN_NODE = re.compile(r"pattern|expression_list")
INFERRED = frozenset(("var", "auto", "let", "val", "const auto"))
TYPE_NODE = re.compile(r"^user_type$|^nullable_type$|^function_type$")
WRAPPER = re.compile(
    r"^parenthesized|^await|non_null|^try_expression|^unary|^pointer_expression|^reference_expression"
    r"|^expression_list$|^as_expression|^satisfies|^cast"
)


def text_of(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def word_at(text: bytes, offset: int) -> tuple[int, int] | None:
    """The word that an offset is in or at the edge of; between two, the one that follows."""
    low = offset
    while low > 0 and WORD_BYTES.match(text, low - 1, low):
        low -= 1
    match = WORD_BYTES.match(text, low + (text[low : low + 1] in (b"#", b"@")))
    return match.span() if match is not None else None


def name_node(root: tree_sitter.Node, start: int, end: int) -> tree_sitter.Node | None:
    """The identifier that fills a byte range; None for keywords, strings and comments."""
    node = root.descendant_for_byte_range(start, end)
    if node is None or node.end_byte != end:
        return None
    if node.start_byte != start:
        return node if SIGIL_NODE.search(node.type) else None
    while node.child_count == 1 and not NAME_NODE.search(node.type):
        child = node.child(0)
        if child is None:
            return None
        node = child
    is_name = node.is_named and NAME_NODE.search(node.type) and not TEXT_NODE.search(node.type)
    return node if is_name else None


def receiver_of(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """What stands before the dot (or `->`, `::`) of a name; None if there is no dot."""
    current = node
    for _ in range(3):
        before = current.prev_sibling
        parent = current.parent
        if before is not None:
            if not _is_access(before.type, parent):
                return None
            if before.prev_sibling is not None:
                return before.prev_sibling
        elif parent is None or parent.start_byte != current.start_byte:
            return None
        if parent is None:
            return None
        current = parent
    return None


def _is_access(operator: str, parent: tree_sitter.Node | None) -> bool:
    """Arrows and colons also stand before types, bodies of lambdas and values of pairs."""
    if operator in OPERATORS:
        return True
    kinds = AMBIGUOUS.get(operator)
    return kinds is not None and parent is not None and kinds.search(parent.type) is not None


def is_member_name(node: tree_sitter.Node) -> bool:
    """Whether a name without receiver means a member or a key, never a variable."""
    if SHORTHAND.search(node.type):
        return False
    if MEMBER_NODE.search(node.type):
        return True
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "literal_element":  # Go's `Type{Field: value}`
        key = parent.parent.child_by_field_name("key") if parent.parent is not None else None
        return key is not None and key == parent
    return is_keyword(node)


def is_keyword(node: tree_sitter.Node) -> bool:
    """Whether a name is that of an argument in a call: `f(name=1)`."""
    parent = node.parent
    if parent is None or not KEYWORD_NODE.search(parent.type):
        return False
    name = parent.child_by_field_name("name")
    if name is not None:
        return name == node
    return parent.child(0) == node and parent.child_count > 1  # Kotlin: `f(name)` has no name


def callee_of(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """What a call calls or an object creation creates: the node of the name, or an expression."""
    for field in ("function", "constructor", "name", "method", "type"):
        found = node.child_by_field_name(field)
        if found is not None:
            return found
    return next(iter(node.named_children), None)


def last_name(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The `c` of `a.b.c`, `a::b::c<T>` and the like; a lone name is its own last name."""
    current: tree_sitter.Node | None = node
    while current is not None and not NAME_NODE.search(current.type):
        current = _last_part(current)
    while current is not None and current.child_count:
        current = _last_part(current)
    return current


def _last_part(node: tree_sitter.Node) -> tree_sitter.Node | None:
    for field in ("attribute", "property", "field", "name", "function", "type"):
        found = node.child_by_field_name(field)
        if found is not None:
            return found
    for child in reversed(node.named_children):
        if NAME_NODE.search(child.type) or "suffix" in child.type:
            return child
    return None


def is_call_of(node: tree_sitter.Node) -> bool:
    """Whether a name is what a call around it calls."""
    current, parent = node, node.parent
    for _ in range(3):
        if parent is None:
            return False
        if CALL_NODE.search(parent.type):
            callee = callee_of(parent)
            return callee is not None and callee == current
        if parent.end_byte != current.end_byte:
            return False
        current, parent = parent, parent.parent
    return False


def is_assigned(node: tree_sitter.Node) -> bool:
    """Whether `a.name` or `name` is the target of an assignment."""
    current, parent = node, node.parent
    for _ in range(4):
        if parent is None:
            return False
        if ASSIGNING.search(parent.type):
            left = parent.child_by_field_name("left") or parent.child_by_field_name("argument")
            return left is not None and left.end_byte == node.end_byte
        if parent.end_byte != current.end_byte:
            return False
        current, parent = parent, parent.parent
    return False


def declaration_of(
    node: tree_sitter.Node,
) -> tuple[tree_sitter.Node | None, tree_sitter.Node | None]:
    """The type and the value that the declaration or assignment of a name gives it."""
    current, parent = node, node.parent
    for _ in range(5):
        if parent is None or "body" in parent.type or BLOCK_NODE.search(parent.type):
            break
        declared = parent.child_by_field_name("type") or _type_after(node)
        value = parent.child_by_field_name("value") or parent.child_by_field_name("right")
        value = value or _value_after(current)
        if parent.type == "as_pattern":
            value = parent.child(0)
        if declared is not None and declared.start_byte <= node.start_byte < declared.end_byte:
            declared = None
        if value is not None and value.start_byte <= node.start_byte < value.end_byte:
            break
        if declared is not None and text_of(declared) not in INFERRED:
            return declared, value
        if value is not None:
            return None, _part_of_value(current, parent, value)
        current, parent = parent, parent.parent
    return None, None


def _type_after(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The type behind a name and a colon, in grammars that give it no name."""
    colon, after = node.next_sibling, node.next_named_sibling
    is_type = after is not None and TYPE_NODE.search(after.type) is not None
    return after if is_type and colon is not None and colon.type == ":" else None


def _value_after(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """What stands behind a name and `=`, in grammars that give it no name."""
    sign = node.next_sibling
    return sign.next_sibling if sign is not None and sign.type == "=" else None


def _part_of_value(
    current: tree_sitter.Node, parent: tree_sitter.Node, value: tree_sitter.Node
) -> tree_sitter.Node | None:
    """The value itself; nothing for a loop's variable or one of several that are unpacked."""
    if LOOP_NODE.search(parent.type):
        return None
    if PATTERN_NODE.search(current.type) and current.named_child_count > 1:
        return None
    return value
