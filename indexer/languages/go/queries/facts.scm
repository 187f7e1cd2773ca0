; Definitions. Of two patterns with the same @name the earlier one counts.
(function_declaration
  name: (identifier) @name
  result: (_)? @type
  body: (block)? @body) @definition.function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: (_) @owner))
  name: (field_identifier) @name
  result: (_)? @type
  body: (block)? @body) @definition.method
(type_spec
  name: (type_identifier) @name
  type: (struct_type (field_declaration_list) @body)) @definition.class
(type_spec name: (type_identifier) @name type: (interface_type)) @definition.interface
(type_spec
  name: (type_identifier) @name
  type: [(type_identifier) (qualified_type) (pointer_type)] @type) @definition.type
(type_spec name: (type_identifier) @name) @definition.type
(type_alias name: (type_identifier) @name type: (_) @type) @definition.type
(method_elem
  name: (field_identifier) @name
  result: (_)? @type) @definition.method
(field_declaration name: (field_identifier) @name type: (_) @type) @definition.field
(field_declaration
  !name
  type: [
    (type_identifier) @name @type
    (qualified_type name: (type_identifier) @name) @type
    (generic_type type: (type_identifier) @name) @type
    (generic_type type: (qualified_type name: (type_identifier) @name)) @type
  ]) @definition.field
(const_spec name: (identifier) @name type: (_)? @type) @definition.constant
(var_spec
  name: (identifier) @name
  type: (_)? @type
  value: (expression_list . [
    (composite_literal type: (_) @type)
    (unary_expression operand: (composite_literal type: (_) @type))
    (call_expression function: (_) @type)
  ])?) @definition.variable

(func_literal) @name @definition.nameless

(import_spec
  name: [(package_identifier) (blank_identifier)]? @binds
  path: (interpreted_string_literal) @module) @import
(import_spec name: (dot) @star path: (interpreted_string_literal) @module) @import
(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(package_identifier) @reference.name
(type_identifier) @reference.type
(field_identifier) @reference.attribute
(call_expression function: (identifier) @reference.call)
(call_expression function: (selector_expression field: (field_identifier) @reference.call))
