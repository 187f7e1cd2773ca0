; Definitions. Of two patterns with the same @name the earlier one counts.
(package_declaration [(identifier) (scoped_identifier)] @name) @definition.module
(class_declaration
  name: (identifier) @name
  superclass: (superclass)? @bases
  interfaces: (super_interfaces)? @bases
  body: (class_body) @body) @definition.class
(record_declaration
  name: (identifier) @name
  interfaces: (super_interfaces)? @bases
  body: (class_body) @body) @definition.class
(interface_declaration
  name: (identifier) @name
  (extends_interfaces)? @bases
  body: (interface_body) @body) @definition.interface
(annotation_type_declaration
  name: (identifier) @name
  body: (annotation_type_body) @body) @definition.interface
(enum_declaration
  name: (identifier) @name
  interfaces: (super_interfaces)? @bases
  body: (enum_body) @body) @definition.enum
(enum_constant name: (identifier) @name) @definition.constant
(method_declaration
  type: (_) @type
  name: (identifier) @name
  body: (block)? @body) @definition.method
(compact_constructor_declaration
  name: (identifier) @name
  body: (block) @body) @definition.method
(record_declaration parameters: (formal_parameters
  (formal_parameter type: (_) @type name: (identifier) @name) @definition.field))
(annotation_type_element_declaration
  type: (_) @type
  name: (identifier) @name) @definition.method
(constructor_declaration
  name: (identifier) @name
  body: (constructor_body) @body) @definition.method
(field_declaration
  type: (_) @type
  declarator: (variable_declarator name: (identifier) @name)) @definition.field
(constant_declaration
  type: (_) @type
  declarator: (variable_declarator name: (identifier) @name)) @definition.field

; Headers of what is not finished or does not parse.
(ERROR "class" . (identifier) @name) @definition.class
(ERROR "record" . (identifier) @name) @definition.class
(ERROR "interface" . (identifier) @name) @definition.interface
(ERROR "enum" . (identifier) @name) @definition.enum

(import_declaration) @import
[(line_comment) (block_comment)] @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(type_identifier) @reference.type
(field_access field: (identifier) @reference.attribute)
(method_invocation name: (identifier) @reference.call)
(method_reference (_) . (identifier) @reference.attribute)
(marker_annotation name: (identifier) @reference.type)
(annotation name: (identifier) @reference.type)
(object_creation_expression type: (type_identifier) @reference.call)
(object_creation_expression
  type: (generic_type (type_identifier) @reference.call))
