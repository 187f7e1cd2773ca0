; What types and their parameters add.
[
  (abstract_method_signature)
  (method_signature)
  (function_signature)
  (function_type)
  (constructor_type)
  (call_signature)
  (construct_signature)
] @scope.function
[
  (type_alias_declaration)
  (interface_declaration type_parameters: (_))
  (class_declaration type_parameters: (_))
  (abstract_class_declaration type_parameters: (_))
] @scope.block

(function_signature name: (identifier) @bind.outer)
(class_declaration name: (_) @bind.outer type_parameters: (_))
(abstract_class_declaration name: (_) @bind.outer type_parameters: (_))
(interface_declaration name: (_) @bind.outer type_parameters: (_))
(type_alias_declaration name: (_) @bind.outer)
(abstract_class_declaration name: (_) @bind)
(interface_declaration name: (_) @bind)
(enum_declaration name: (_) @bind)
(type_parameter name: (type_identifier) @bind.parameter)
(infer_type (type_identifier) @bind)
(mapped_type_clause name: (type_identifier) @bind)
(required_parameter pattern: (identifier) @bind.parameter)
(optional_parameter pattern: (identifier) @bind.parameter)
(required_parameter pattern: (rest_pattern (identifier) @bind.parameter))
(required_parameter pattern: (object_pattern (shorthand_property_identifier_pattern) @bind.parameter))
