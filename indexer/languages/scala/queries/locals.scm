; Names whose type is evident inside one function.
(parameter name: (identifier) @name type: (_) @type)
(class_parameter name: (identifier) @name type: (_) @type)
(val_definition pattern: (identifier) @name type: (_) @type)
(var_definition pattern: (identifier) @name type: (_) @type)
(val_definition
  pattern: (identifier) @name
  value: [
    (instance_expression . [(type_identifier) (generic_type) (stable_type_identifier)] @type)
    (call_expression function: [
      (identifier) @type
      (field_expression) @type
      (generic_function function: [(identifier) (field_expression)] @type)
    ])
  ])
(var_definition
  pattern: (identifier) @name
  value: [
    (instance_expression . [(type_identifier) (generic_type) (stable_type_identifier)] @type)
    (call_expression function: [(identifier) (field_expression)] @type)
  ])
(typed_pattern pattern: (identifier) @name type: (_) @type)
(binding name: (identifier) @name type: (_) @type)
