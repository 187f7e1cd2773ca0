; Definitions. Of two patterns with the same @name the earlier one counts.
(function_item
  name: (identifier) @name
  return_type: (_)? @type
  body: (block) @body) @definition.function
(function_signature_item
  name: (identifier) @name
  return_type: (_)? @type) @definition.function
(struct_item
  name: (type_identifier) @name
  body: (field_declaration_list)? @body) @definition.class
(union_item
  name: (type_identifier) @name
  body: (field_declaration_list) @body) @definition.class
(enum_item
  name: (type_identifier) @name
  body: (enum_variant_list) @body) @definition.enum
(enum_variant name: (identifier) @name) @definition.constant
(trait_item
  name: (type_identifier) @name
  bounds: (trait_bounds)? @bases
  body: (declaration_list) @body) @definition.interface
(impl_item
  trait: (_)? @bases
  type: [
    (type_identifier) @name
    (generic_type type: (type_identifier) @name)
    (generic_type type: (scoped_type_identifier name: (type_identifier) @name))
    (scoped_type_identifier name: (type_identifier) @name)
    (primitive_type) @name
    (reference_type type: [
      (type_identifier) @name
      (primitive_type) @name
      (generic_type type: (type_identifier) @name)
      (generic_type type: (scoped_type_identifier name: (type_identifier) @name))
      (scoped_type_identifier name: (type_identifier) @name)
      (dynamic_type trait: (type_identifier) @name)
      (array_type element: [(type_identifier) (primitive_type)] @name)
    ])
    (pointer_type type: [(type_identifier) (primitive_type)] @name)
    (array_type element: [(type_identifier) (primitive_type)] @name)
    (dynamic_type trait: [
      (type_identifier) @name
      (scoped_type_identifier name: (type_identifier) @name)
      (generic_type type: (type_identifier) @name)
    ])
  ]
  body: (declaration_list) @body) @definition.extension
(type_item name: (type_identifier) @name type: (_) @type) @definition.type
(associated_type
  name: (type_identifier) @name
  bounds: (trait_bounds)? @bases) @definition.type
(const_item name: (identifier) @name type: (_) @type) @definition.constant
(static_item name: (identifier) @name type: (_) @type) @definition.variable
(field_declaration name: (field_identifier) @name type: (_) @type) @definition.field
(macro_definition name: (identifier) @name) @definition.macro
(mod_item name: (identifier) @name body: (declaration_list) @body) @definition.module

(use_declaration) @import
(mod_item name: (identifier) !body) @import
[(line_comment) (block_comment) (attribute_item)] @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(shorthand_field_identifier) @reference.name
(type_identifier) @reference.type
(field_identifier) @reference.attribute
(call_expression function: (identifier) @reference.call)
(call_expression function: (scoped_identifier name: (identifier) @reference.call))
(call_expression function: (field_expression field: (field_identifier) @reference.call))
(macro_invocation macro: (identifier) @reference.call)
