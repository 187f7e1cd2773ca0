; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[
  (function_definition)
  (method_declaration)
  (anonymous_function)
  (arrow_function)
] @scope.function

(simple_parameter name: (variable_name (name) @bind.parameter))
(property_promotion_parameter name: (variable_name (name) @bind.parameter))
(variadic_parameter name: (variable_name (name) @bind.parameter))
(anonymous_function_use_clause (variable_name (name) @bind))
(anonymous_function_use_clause (by_ref (variable_name (name) @bind)))
(global_declaration (variable_name (name) @global))
(assignment_expression left: (variable_name (name) @bind))
(augmented_assignment_expression left: (variable_name (name) @bind))
(reference_assignment_expression left: (variable_name (name) @bind))
(list_literal (variable_name (name) @bind))
(static_variable_declaration name: (variable_name (name) @bind))
(foreach_statement (_) . (variable_name (name) @bind))
(foreach_statement (by_ref (variable_name (name) @bind)))
(foreach_statement (pair (variable_name (name) @bind)))
(foreach_statement (pair (by_ref (variable_name (name) @bind))))
(catch_clause name: (variable_name (name) @bind))
