; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[(function_definition) (lambda_expression)] @scope.function
[
  (compound_statement)
  (for_statement)
  (for_range_loop)
  (catch_clause)
  (if_statement)
  (while_statement)
  (switch_statement)
] @scope.block

(assignment_expression left: (identifier) @write)
(update_expression argument: (identifier) @write)

(type_parameter_declaration (type_identifier) @bind.parameter)
(optional_parameter_declaration declarator: (identifier) @bind.parameter)
(optional_parameter_declaration declarator: (_ (identifier) @bind.parameter))
(parameter_declaration declarator: (identifier) @bind.parameter)
(parameter_declaration declarator: (pointer_declarator declarator: (identifier) @bind.parameter))
(parameter_declaration
  declarator: (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @bind.parameter)))
(parameter_declaration declarator: (array_declarator declarator: (identifier) @bind.parameter))
(parameter_declaration declarator: (reference_declarator (identifier) @bind.parameter))
(for_range_loop declarator: (identifier) @bind)
(for_range_loop declarator: (reference_declarator (identifier) @bind))
(declaration declarator: (identifier) @bind.after)
(init_declarator declarator: (identifier) @bind.after)
(pointer_declarator declarator: (identifier) @bind.after)
(array_declarator declarator: (identifier) @bind.after)
(reference_declarator (identifier) @bind.after)
(structured_binding_declarator (identifier) @bind.after)
(lambda_capture_initializer left: (identifier) @bind)
