; Names whose type is evident inside one function.
(assignment_expression
  left: (identifier) @name
  right: (new_expression constructor: (_) @type))
