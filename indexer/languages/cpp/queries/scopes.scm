; What C++ adds to C.
(lambda_expression) @scope.function
[
  (for_range_loop)
  (catch_clause)
  (if_statement)
  (while_statement)
  (switch_statement)
] @scope.block

(type_parameter_declaration (type_identifier) @bind.parameter)
(optional_parameter_declaration declarator: (identifier) @bind.parameter)
(optional_parameter_declaration declarator: (_ (identifier) @bind.parameter))
(parameter_declaration declarator: (reference_declarator (identifier) @bind.parameter))
(for_range_loop declarator: (identifier) @bind)
(for_range_loop declarator: (reference_declarator (identifier) @bind))
(reference_declarator (identifier) @bind.after)
(structured_binding_declarator (identifier) @bind.after)
(lambda_capture_initializer left: (identifier) @bind)
