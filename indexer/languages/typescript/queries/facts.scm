; Definitions. Of two patterns with the same @name the earlier one counts.
(class_declaration
  name: (type_identifier) @name
  (class_heritage)? @bases
  body: (class_body) @body) @definition.class
(abstract_class_declaration
  name: (type_identifier) @name
  (class_heritage)? @bases
  body: (class_body) @body) @definition.class
(variable_declarator
  name: (identifier) @name
  value: (class (class_heritage)? @bases body: (class_body) @body)) @definition.class
(interface_declaration
  name: (type_identifier) @name
  (extends_type_clause)? @bases
  body: (interface_body) @body) @definition.interface
(enum_declaration name: (identifier) @name body: (enum_body) @body) @definition.enum
(enum_body name: (property_identifier) @name @definition.constant)
(enum_assignment name: (property_identifier) @name) @definition.constant
(type_alias_declaration
  name: (type_identifier) @name
  value: [(type_identifier) (generic_type) (nested_type_identifier)] @type) @definition.type
(type_alias_declaration name: (type_identifier) @name) @definition.type
(internal_module name: (_) @name body: (statement_block) @body) @definition.module
(function_declaration
  name: (identifier) @name
  return_type: (type_annotation)? @type
  body: (statement_block) @body) @definition.function
(generator_function_declaration
  name: (identifier) @name
  return_type: (type_annotation)? @type
  body: (statement_block) @body) @definition.function
(function_signature
  name: (identifier) @name
  return_type: (type_annotation)? @type) @definition.function
(variable_declarator
  name: (identifier) @owner
  value: [
    (object (method_definition
      name: (property_identifier) @name
      return_type: (type_annotation)? @type
      body: (statement_block) @body) @definition.method)
    (as_expression (object (method_definition
      name: (property_identifier) @name
      return_type: (type_annotation)? @type
      body: (statement_block) @body) @definition.method))
    (satisfies_expression (object (method_definition
      name: (property_identifier) @name
      return_type: (type_annotation)? @type
      body: (statement_block) @body) @definition.method))
  ])
(variable_declarator
  name: (identifier) @owner
  value: [
    (object (pair
      key: [(property_identifier) (string)] @name
      value: [
        (arrow_function return_type: (type_annotation)? @type body: (_) @body)
        (function_expression return_type: (type_annotation)? @type body: (_) @body)
      ]) @definition.method)
    (as_expression (object (pair
      key: [(property_identifier) (string)] @name
      value: [
        (arrow_function return_type: (type_annotation)? @type body: (_) @body)
        (function_expression return_type: (type_annotation)? @type body: (_) @body)
      ]) @definition.method))
    (satisfies_expression (object (pair
      key: [(property_identifier) (string)] @name
      value: [
        (arrow_function return_type: (type_annotation)? @type body: (_) @body)
        (function_expression return_type: (type_annotation)? @type body: (_) @body)
      ]) @definition.method))
  ])
(variable_declarator
  name: (identifier) @owner
  value: [
    (as_expression (object (pair
      key: [(property_identifier) (string)] @name
      value: (new_expression constructor: (_) @type)?) @definition.variable))
    (satisfies_expression (object (pair
      key: [(property_identifier) (string)] @name
      value: (new_expression constructor: (_) @type)?) @definition.variable))
  ])
(export_statement
  "default" @owner
  value: (object (method_definition
    name: (property_identifier) @name
    return_type: (type_annotation)? @type
    body: (statement_block) @body) @definition.method))
(method_definition
  name: [(property_identifier) (private_property_identifier)] @name
  return_type: (type_annotation)? @type
  body: (statement_block) @body) @definition.method
(method_signature
  name: (property_identifier) @name
  return_type: (type_annotation)? @type) @definition.method
(abstract_method_signature
  name: (property_identifier) @name
  return_type: (type_annotation)? @type) @definition.method
(variable_declarator
  name: (identifier) @name
  value: [
    (arrow_function return_type: (type_annotation)? @type body: (_) @body)
    (function_expression return_type: (type_annotation)? @type body: (_) @body)
  ]) @definition.function
(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  value: [
    (arrow_function return_type: (type_annotation)? @type body: (_) @body)
    (function_expression return_type: (type_annotation)? @type body: (_) @body)
  ]) @definition.method
(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  type: (type_annotation)? @type
  value: (new_expression constructor: (_) @type)?) @definition.field
(property_signature
  name: (property_identifier) @name
  type: (type_annotation)? @type) @definition.field
(required_parameter
  [(accessibility_modifier) "readonly"]
  pattern: (identifier) @name
  type: (type_annotation)? @type) @definition.member
(optional_parameter
  [(accessibility_modifier) "readonly"]
  pattern: (identifier) @name
  type: (type_annotation)? @type) @definition.member
(variable_declarator
  name: (identifier) @name
  type: (type_annotation)? @type
  value: (new_expression constructor: (_) @type)?) @definition.variable

; Imports. The matches of one statement are put together.
(import_statement
  (import_require_clause (identifier) @binds @default source: (string) @module)) @import
(export_statement "=" @exported.default (identifier) @imported @import)
(export_statement
  "default" @exported.default
  declaration: (_ name: [(identifier) (type_identifier)] @imported @import))

; References. Of two patterns for the same node the more telling role counts.
(type_identifier) @reference.type
