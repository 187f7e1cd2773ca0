; Names whose type is evident inside one function.
(assignment
  left: (identifier) @name
  right: (call receiver: [(constant) (scope_resolution)] @type))
(assignment
  left: (identifier) @name
  right: (call !receiver method: (identifier) @type))
(exception_variable (identifier) @name)
(rescue
  exceptions: (exceptions . [(constant) (scope_resolution)] @type)
  variable: (exception_variable (identifier) @name))
