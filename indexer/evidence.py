"""What tells types besides declarations and constructors: loops, tests, choices, elements.

Pure questions to syntax trees, in the words of the grammars that have such nodes.
"""

from __future__ import annotations

import re

import tree_sitter

from indexer.syntax import text_of

LOOP = re.compile(r"^for_statement$|^for_in_statement$|^for_in_clause$|^for_expression$")
CHOICE = re.compile(r"^conditional_expression$|^ternary_expression$|^boolean_operator$")
DEFAULTS = frozenset(("||", "??"))
ELEMENT = re.compile(r"^subscript|^index_expression$|^array_access$")
SAME_ELEMENTS = frozenset(
    ("sorted", "reversed", "list", "tuple", "set", "frozenset", "iter", "next", "cast", "filter")
)
"""Functions that hand on elements of their argument."""
HANDS_ON = frozenset(
    ("values", "items", "copy", "filter", "slice", "iter", "iter_mut", "into_iter")
)
"""Methods of collections that hand on what the collection holds."""
TESTS = re.compile(r"^if_statement$|^elif_clause$|^while_statement$|^assert_statement$")


def looped_over(node: tree_sitter.Node) -> tuple[tree_sitter.Node, int] | None:
    """What a loop's variable runs through, and which of the loop's names it is, from 0."""
    current, parent, position = node, node.parent, 0
    for _ in range(3):
        if parent is None:
            return None
        if LOOP.search(parent.type):
            left = parent.child_by_field_name("left") or parent.child_by_field_name("pattern")
            source = parent.child_by_field_name("right") or parent.child_by_field_name("value")
            inside = left is not None and left.start_byte <= node.start_byte < left.end_byte
            return (source, position) if inside and source is not None else None
        siblings = parent.named_children
        position = siblings.index(current) if current in siblings else 0
        current, parent = parent, parent.parent
    return None


def operands(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """What an expression chooses from: `a or b`, `a if c else b`, `c ? a : b`, `a ?? b`."""
    if node.type == "conditional_expression" and not node.child_by_field_name("consequence"):
        return [child for at, child in enumerate(node.named_children) if at != 1]
    if CHOICE.search(node.type):
        fields = ("left", "right") if "boolean" in node.type else ("consequence", "alternative")
        found = [node.child_by_field_name(field) for field in fields]
        return [one for one in found if one is not None]
    if node.type == "binary_expression":
        operator = node.child_by_field_name("operator")
        if operator is not None and text_of(operator) in DEFAULTS:
            return node.named_children
    return []


def container_of(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The `a` of `a[i]`; None for a slice, which is a collection itself."""
    if not ELEMENT.search(node.type):
        return None
    index = node.child_by_field_name("subscript") or node.child_by_field_name("index")
    if index is not None and index.type == "slice":
        return None
    return next(iter(node.named_children), None)


def tested_type(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The class that an `isinstance` or `instanceof` around an expression says it is of."""
    wanted = text_of(node)
    current, parent = node, node.parent
    while parent is not None and "function" not in parent.type and "method" not in parent.type:
        if TESTS.search(parent.type):
            condition = parent.child_by_field_name("condition")
            found = _type_in(condition, wanted) if condition is not None else None
            body = parent.child_by_field_name("consequence") or parent.child_by_field_name("body")
            if found is not None and body == current:
                return found
        current, parent = parent, parent.parent
    return None


def _type_in(condition: tree_sitter.Node, wanted: str) -> tree_sitter.Node | None:
    """The class in a condition that holds only if `wanted` is of it."""
    if condition.type in ("parenthesized_expression", "boolean_operator"):
        operator = condition.child_by_field_name("operator")
        if operator is not None and text_of(operator) != "and":
            return None
        found = (_type_in(child, wanted) for child in condition.named_children)
        return next((one for one in found if one is not None), None)
    if condition.type == "call":
        callee = condition.child_by_field_name("function")
        arguments = condition.child_by_field_name("arguments")
        if callee is not None and text_of(callee) == "isinstance" and arguments is not None:
            parts = arguments.named_children
            if len(parts) == 2 and text_of(parts[0]) == wanted:
                return parts[1]
    if condition.type == "binary_expression":
        left = condition.child_by_field_name("left")
        operator = condition.child_by_field_name("operator")
        if operator is not None and text_of(operator) in ("instanceof", "&&"):
            if text_of(operator) == "&&":
                found = (_type_in(child, wanted) for child in condition.named_children)
                return next((one for one in found if one is not None), None)
            if left is not None and text_of(left) == wanted:
                return condition.child_by_field_name("right")
    return None


def first_argument(call: tree_sitter.Node) -> tree_sitter.Node | None:
    arguments = call.child_by_field_name("arguments")
    return next(iter(arguments.named_children), None) if arguments is not None else None
