; Names whose type is evident inside one function.
(required_parameter pattern: (identifier) @name type: (type_annotation) @type)
(optional_parameter pattern: (identifier) @name type: (type_annotation) @type)
(variable_declarator name: (identifier) @name type: (type_annotation) @type)
(variable_declarator
  name: (identifier) @name
  value: (call_expression function: [(identifier) (member_expression)] @type))
(variable_declarator
  name: (identifier) @name
  value: (await_expression
    (call_expression function: [(identifier) (member_expression)] @type)))
