; Names whose type is evident inside one function.
(simple_parameter type: (_) @type name: (variable_name) @name)
(property_promotion_parameter type: (_) @type name: (variable_name) @name)
(variadic_parameter type: (_) @type name: (variable_name) @name)
(assignment_expression
  left: (variable_name) @name
  right: (object_creation_expression . [(name) (qualified_name)] @type))
(assignment_expression
  left: (variable_name) @name
  right: (function_call_expression function: (name) @type))
(assignment_expression
  left: (variable_name) @name
  right: (scoped_call_expression scope: [(name) (qualified_name)] @type))
(catch_clause type: (_) @type name: (variable_name) @name)
