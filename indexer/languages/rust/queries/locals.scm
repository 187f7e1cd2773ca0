; Names whose type is evident inside one function.
(parameter pattern: (identifier) @name type: (_) @type)
(let_declaration pattern: (identifier) @name type: (_) @type)
(let_declaration
  pattern: (identifier) @name
  value: (call_expression function: (scoped_identifier path: (_) @type)))
(let_declaration
  pattern: (identifier) @name
  value: (try_expression (call_expression function: (scoped_identifier path: (_) @type))))
(let_declaration
  pattern: (identifier) @name
  value: (call_expression function: (identifier) @type))
(let_declaration pattern: (identifier) @name value: (struct_expression name: (_) @type))
