; Definitions. Of two patterns with the same @name the earlier one counts.
(package_clause name: (package_identifier) @name body: (_)? @body) @definition.module
(package_object
  name: (identifier) @name
  body: (template_body)? @body) @definition.module
(class_definition
  name: [(identifier) (operator_identifier)] @name
  extend: (extends_clause [
    (type_identifier) @bases
    (generic_type) @bases
    (stable_type_identifier) @bases
    (compound_type) @bases
    (annotated_type) @bases
    (arguments)
    "with"
    ","
  ]+)?
  body: (template_body)? @body) @definition.class
(object_definition
  name: [(identifier) (operator_identifier)] @name
  extend: (extends_clause [
    (type_identifier) @bases
    (generic_type) @bases
    (stable_type_identifier) @bases
    (compound_type) @bases
    (annotated_type) @bases
    (arguments)
    "with"
    ","
  ]+)?
  body: (template_body)? @body) @definition.class
(trait_definition
  name: [(identifier) (operator_identifier)] @name
  extend: (extends_clause [
    (type_identifier) @bases
    (generic_type) @bases
    (stable_type_identifier) @bases
    (compound_type) @bases
    (annotated_type) @bases
    (arguments)
    "with"
    ","
  ]+)?
  body: (template_body)? @body) @definition.interface
(enum_definition
  name: (identifier) @name
  extend: (extends_clause [
    (type_identifier) @bases
    (generic_type) @bases
    (stable_type_identifier) @bases
    (compound_type) @bases
    (annotated_type) @bases
    (arguments)
    "with"
    ","
  ]+)?
  body: (enum_body) @body) @definition.enum
(simple_enum_case name: (identifier) @name) @definition.constant
(full_enum_case name: (identifier) @name) @definition.constant
(given_definition
  name: (identifier) @name
  return_type: (_)? @bases
  body: (_)? @body) @definition.class
(extension_definition
  parameters: (parameters (parameter type: [
    (type_identifier) @name
    (generic_type type: (type_identifier) @name)
    (stable_type_identifier (type_identifier) @name)
    (generic_type type: (stable_type_identifier (type_identifier) @name))
  ]))) @definition.extension
(type_definition
  name: (type_identifier) @name
  type: [(type_identifier) (generic_type) (stable_type_identifier)]? @type) @definition.type
(function_definition
  name: [(identifier) (operator_identifier)] @name
  return_type: (_)? @type
  body: (_)? @body) @definition.function
(function_declaration
  name: [(identifier) (operator_identifier)] @name
  return_type: (_)? @type) @definition.function

; What a block defines is a variable of a function, wherever the block stands.
(block [
  (val_definition pattern: (identifier) @name @receiver)
  (val_definition pattern: (tuple_pattern (identifier) @name @receiver))
  (var_definition pattern: (identifier) @name @receiver)
  (var_definition pattern: (tuple_pattern (identifier) @name @receiver))
]) @definition.member
(indented_block [
  (val_definition pattern: (identifier) @name @receiver)
  (val_definition pattern: (tuple_pattern (identifier) @name @receiver))
  (var_definition pattern: (identifier) @name @receiver)
  (var_definition pattern: (tuple_pattern (identifier) @name @receiver))
]) @definition.member
(val_definition
  pattern: [
    (identifier) @name
    (operator_identifier) @name
    (identifiers [(identifier) (operator_identifier)] @name)
  ]
  type: (_)? @type
  value: [
    (instance_expression . [(type_identifier) (generic_type) (stable_type_identifier)] @type)
    (call_expression function: [
      (identifier) @type
      (field_expression) @type
      (generic_function function: [(identifier) (field_expression)] @type)
    ])
  ]?) @definition.variable
(var_definition
  pattern: [(identifier) @name (identifiers (identifier) @name)]
  type: (_)? @type
  value: [
    (instance_expression . [(type_identifier) (generic_type) (stable_type_identifier)] @type)
    (call_expression function: [
      (identifier) @type
      (field_expression) @type
      (generic_function function: [(identifier) (field_expression)] @type)
    ])
  ]?) @definition.variable
(val_definition pattern: (tuple_pattern [
  (identifier) @name
  (typed_pattern pattern: (identifier) @name)
  (tuple_pattern (identifier) @name)
])) @definition.variable
(val_definition pattern: (case_class_pattern pattern: (identifier) @name)) @definition.variable
(val_declaration name: (identifier) @name type: (_) @type) @definition.variable
(var_declaration name: (identifier) @name type: (_) @type) @definition.variable
(full_enum_case
  class_parameters: (class_parameters
    (class_parameter name: (identifier) @name @receiver) @definition.member))
(class_parameter name: (identifier) @name type: (_) @type) @definition.field

; Headers of what is not finished or does not parse.
(ERROR "class" . (identifier) @name) @definition.class
(ERROR "object" . (identifier) @name) @definition.class
(ERROR "trait" . (identifier) @name) @definition.interface
(ERROR "enum" . (identifier) @name) @definition.enum
(ERROR "def" . (identifier) @name @definition.function)

(import_declaration) @import
(export_declaration) @import
[(comment) (block_comment)] @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(type_identifier) @reference.type
(field_expression field: [(identifier) (operator_identifier)] @reference.attribute)
(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: [(identifier) (operator_identifier)] @reference.call))
(generic_function function: (identifier) @reference.call)
(generic_function function: (field_expression field: (identifier) @reference.call))
(instance_expression . (type_identifier) @reference.call)
(instance_expression . (generic_type type: (type_identifier) @reference.call))
(infix_expression operator: [(identifier) (operator_identifier)] @reference.call)
(case_class_pattern type: (type_identifier) @reference.call)
