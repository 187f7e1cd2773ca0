; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[
  (method_declaration)
  (constructor_declaration)
  (compact_constructor_declaration)
  (lambda_expression)
  (static_initializer)
] @scope.function
[
  (block)
  (constructor_body)
  (for_statement)
  (enhanced_for_statement)
  (catch_clause)
  (try_with_resources_statement)
  (switch_block)
  (switch_rule)
] @scope.block

(assignment_expression left: (identifier) @write)
(update_expression (identifier) @write)

(type_parameter (type_identifier) @bind.parameter)
(formal_parameter name: (identifier) @bind.parameter)
(spread_parameter (variable_declarator name: (identifier) @bind.parameter))
(catch_formal_parameter name: (identifier) @bind.parameter)
(lambda_expression parameters: (identifier) @bind.parameter)
(inferred_parameters (identifier) @bind.parameter)
(local_variable_declaration declarator: (variable_declarator name: (identifier) @bind.after))
(enhanced_for_statement name: (identifier) @bind)
(resource name: (identifier) @bind.after)
(instanceof_expression name: (identifier) @bind.after)
(type_pattern (identifier) @bind.after)
(record_pattern_component (identifier) @bind.after)
(block (class_declaration name: (identifier) @bind))
