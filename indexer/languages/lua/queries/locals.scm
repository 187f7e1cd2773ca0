; Names whose type is evident inside one function. What makes an object has to be called `new`: a
; predicate cannot say so, since nodes of an edited document cannot be asked for their text.
(assignment_statement
  (variable_list . name: (identifier) @name)
  (expression_list . value: (function_call
    name: [
      (dot_index_expression table: (identifier) @type field: (identifier) @new)
      (method_index_expression table: (identifier) @type method: (identifier) @new)
    ])))
