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
  (accessibility_modifier)
  pattern: (identifier) @name
  type: (type_annotation)? @type) @definition.member
(variable_declarator
  name: (identifier) @name
  type: (type_annotation)? @type
  value: (new_expression constructor: (_) @type)?) @definition.variable
(assignment_expression
  left: (member_expression
    object: (this) @receiver
    property: [(property_identifier) (private_property_identifier)] @name)
  right: (new_expression constructor: (_) @type)?) @definition.member

; Imports. The matches of one statement are put together.
(import_statement (import_clause (identifier) @default) source: (string) @module) @import
(import_statement
  (import_clause (named_imports
    (import_specifier name: (_) @imported alias: (identifier)? @alias)))
  source: (string) @module) @import
(import_statement
  (import_clause (namespace_import (identifier) @binds))
  source: (string) @module) @import
(import_statement . source: (string) @module) @import
(export_statement
  (export_clause (export_specifier name: (_) @imported alias: (_)? @alias))
  source: (string) @module) @import
(export_statement "*" @star source: (string) @module) @import
(export_statement (namespace_export (identifier) @binds) source: (string) @module) @import
(export_statement
  (export_clause (export_specifier name: (_) @imported alias: (_) @alias) @import)
  !source)
(export_statement "default" @exported.default value: (identifier) @imported @import)
(export_statement
  "default" @exported.default
  declaration: (_ name: [(identifier) (type_identifier)] @imported @import))
(variable_declarator
  name: (identifier) @binds
  value: (call_expression
    function: (identifier) @require
    arguments: (arguments . (string) @module))
  (#eq? @require "require")) @import
(variable_declarator
  name: (object_pattern (shorthand_property_identifier_pattern) @imported)
  value: (call_expression
    function: (identifier) @require
    arguments: (arguments . (string) @module))
  (#eq? @require "require")) @import

(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(shorthand_property_identifier) @reference.name
(shorthand_property_identifier_pattern) @reference.name
(type_identifier) @reference.type
(property_identifier) @reference.attribute
(private_property_identifier) @reference.attribute
(call_expression function: (identifier) @reference.call)
(call_expression function: (member_expression property: (_) @reference.call))
(new_expression constructor: (identifier) @reference.call)
