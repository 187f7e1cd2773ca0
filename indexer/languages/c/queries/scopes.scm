; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
(function_definition) @scope.function
[
  (compound_statement)
  (for_statement)
] @scope.block

(assignment_expression left: (identifier) @write)
(update_expression argument: (identifier) @write)

(parameter_declaration declarator: (identifier) @bind.parameter)
(parameter_declaration declarator: (pointer_declarator declarator: (identifier) @bind.parameter))
(parameter_declaration
  declarator: (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @bind.parameter)))
(parameter_declaration declarator: (array_declarator declarator: (identifier) @bind.parameter))
(declaration declarator: (identifier) @bind.after)
(init_declarator declarator: (identifier) @bind.after)
(pointer_declarator declarator: (identifier) @bind.after)
(array_declarator declarator: (identifier) @bind.after)
