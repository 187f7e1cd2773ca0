; Names whose type is evident inside one function.
(parameter (identifier) @name . [(user_type) (nullable_type)] @type)
(class_parameter (identifier) @name . [(user_type) (nullable_type)] @type)
(variable_declaration . (identifier) @name [(user_type) (nullable_type)] @type)
(property_declaration
  (variable_declaration . (identifier) @name .)
  .
  (call_expression . [(identifier) (navigation_expression)] @type))
(catch_block (identifier) @name . (user_type) @type)
