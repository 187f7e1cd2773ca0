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
(local_variable_declaration
  declarator: (variable_declarator
    name: (identifier) @name
    value: (method_invocation name: (identifier) @type)))
(resource type: (_) @type name: (identifier) @name)
(catch_formal_parameter (catch_type (_) @type) name: (identifier) @name)
(instanceof_expression right: (_) @type name: (identifier) @name)
(record_pattern_component (_) @type (identifier) @name)
(spread_parameter (_) @type (variable_declarator name: (identifier) @name))
