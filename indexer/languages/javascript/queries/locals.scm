; Names whose type is evident inside one function.
(variable_declarator name: (identifier) @name value: (new_expression constructor: (_) @type))
(assignment_expression
  left: (identifier) @name
  right: (new_expression constructor: (_) @type))
