; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[(function_definition) (lambda_expression)] @scope.function
[
  (block)
  (indented_block)
  (case_clause)
  (case_block)
  (for_expression)
  (catch_clause)
] @scope.block

(assignment_expression left: (identifier) @write)

(type_parameters name: (identifier) @bind.parameter)
(parameter name: (identifier) @bind.parameter)
(binding name: (identifier) @bind.parameter)
(bindings (binding name: (identifier) @bind.parameter))
(lambda_expression parameters: (identifier) @bind.parameter)
(enumerator . (identifier) @bind.after)
(enumerator . (tuple_pattern (identifier) @bind.after))
(typed_pattern pattern: (identifier) @bind.after)
(case_clause pattern: (identifier) @bind)
(case_class_pattern pattern: (identifier) @bind)
(tuple_pattern (identifier) @bind)
(capture_pattern name: (identifier) @bind)
(val_definition pattern: (identifier) @bind)
(var_definition pattern: (identifier) @bind)
(block (function_definition name: (identifier) @bind))
(indented_block (function_definition name: (identifier) @bind))
