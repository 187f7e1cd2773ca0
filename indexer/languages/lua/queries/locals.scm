; Names whose type is evident inside one function.
(assignment_statement
  (variable_list . name: (identifier) @name)
  (expression_list . value: (function_call
    name: [
      (dot_index_expression table: (identifier) @type field: (identifier) @new)
      (method_index_expression table: (identifier) @type method: (identifier) @new)
    ]))
  (#eq? @new "new"))
