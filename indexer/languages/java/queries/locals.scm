; Names whose type is evident inside one function.
(formal_parameter type: (_) @type name: (identifier) @name)
(local_variable_declaration
  type: (_) @type
  declarator: (variable_declarator name: (identifier) @name))
(local_variable_declaration
  declarator: (variable_declarator
    name: (identifier) @name
    value: (object_creation_expression type: (_) @type)))
(enhanced_for_statement type: (_) @type name: (identifier) @name)
