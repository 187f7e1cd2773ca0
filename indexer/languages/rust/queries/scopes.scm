; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[(function_item) (function_signature_item) (closure_expression)] @scope.function
[
  (block)
  (match_arm)
  (for_expression)
  (if_expression)
  (while_expression)
] @scope.block

(assignment_expression left: (identifier) @write)
(compound_assignment_expr left: (identifier) @write)

(function_item name: (identifier) @bind.outer)
(type_parameter name: (type_identifier) @bind.parameter)
(const_parameter name: (identifier) @bind.parameter)
(parameter pattern: (identifier) @bind.parameter)
(closure_parameters (identifier) @bind.parameter)
(let_declaration pattern: (identifier) @bind.new)
(let_condition pattern: (identifier) @bind.new)
(for_expression pattern: (identifier) @bind)
(tuple_pattern (identifier) @bind.new)
(slice_pattern (identifier) @bind.new)
(tuple_struct_pattern type: (_) (identifier) @bind.new)
(captured_pattern . (identifier) @bind.new)
(reference_pattern (identifier) @bind.new)
(ref_pattern (identifier) @bind.new)
(mut_pattern (identifier) @bind.new)
(field_pattern name: (shorthand_field_identifier) @bind.new)
(field_pattern pattern: (identifier) @bind.new)
(match_pattern . (identifier) @bind (#match? @bind "^[a-z_]"))
(block [
  (struct_item name: (type_identifier) @bind)
  (enum_item name: (type_identifier) @bind)
  (const_item name: (identifier) @bind)
  (static_item name: (identifier) @bind)
])
