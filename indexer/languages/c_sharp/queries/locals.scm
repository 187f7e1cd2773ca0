; Names whose type is evident inside one function.
(parameter type: (_) @type name: (identifier) @name)
(variable_declaration
  type: [
    (identifier)
    (generic_name)
    (qualified_name)
    (nullable_type)
    (array_type)
    (predefined_type)
  ] @type
  (variable_declarator name: (identifier) @name))
(variable_declaration
  type: (implicit_type)
  (variable_declarator
    name: (identifier) @name
    [
      (object_creation_expression type: (_) @type)
      (invocation_expression function: [(identifier) (member_access_expression)] @type)
      (await_expression
        (invocation_expression function: [(identifier) (member_access_expression)] @type))
      (cast_expression type: (_) @type)
      (as_expression right: (_) @type)
    ]))
(foreach_statement type: (identifier) @type left: (identifier) @name)
(foreach_statement type: (generic_name) @type left: (identifier) @name)
(catch_declaration type: (_) @type name: (identifier) @name)
(declaration_pattern type: (_) @type name: (identifier) @name)
(declaration_expression type: (identifier) @type name: (identifier) @name)
