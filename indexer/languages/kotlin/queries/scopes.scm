; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[
  (function_declaration)
  (secondary_constructor)
  (anonymous_function)
  (getter)
  (setter)
  (lambda_literal)
  (anonymous_initializer)
] @scope.function
[(block) (for_statement) (catch_block) (when_expression)] @scope.block

(assignment left: (identifier) @write)
(unary_expression (identifier) @write ["++" "--"])
(unary_expression ["++" "--"] (identifier) @write)

(type_parameter (identifier) @bind.parameter)
(parameter . (identifier) @bind.parameter)
(lambda_parameters (variable_declaration . (identifier) @bind.parameter))
(lambda_parameters (multi_variable_declaration (variable_declaration . (identifier) @bind.parameter)))
(catch_block (identifier) @bind.parameter . (_))
(for_statement (variable_declaration . (identifier) @bind))
(for_statement (multi_variable_declaration (variable_declaration . (identifier) @bind)))
(when_subject (variable_declaration . (identifier) @bind))
(property_declaration (variable_declaration . (identifier) @bind.after))
(property_declaration (multi_variable_declaration (variable_declaration . (identifier) @bind.after)))
(block (function_declaration name: (identifier) @bind))
(block (class_declaration name: (identifier) @bind))
