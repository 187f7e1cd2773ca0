; What all dialects of JavaScript share. Of two patterns with the same @name the earlier one counts.
; The patterns of each dialect, where types and classes differ, stand before these.
(assignment_expression
  left: (member_expression
    object: (member_expression
      object: (identifier) @owner
      property: (property_identifier) @prototype)
    property: (property_identifier) @name)
  right: (function_expression body: (_) @body)
  (#eq? @prototype "prototype")) @definition.method
(assignment_expression
  left: (member_expression
    object: (identifier) @exports
    property: (property_identifier) @name)
  right: [(function_expression body: (_) @body) (arrow_function body: (_) @body)]
  (#eq? @exports "exports")) @definition.function
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
(property_identifier) @reference.attribute
(private_property_identifier) @reference.attribute
(call_expression function: (identifier) @reference.call)
(call_expression function: (member_expression property: (_) @reference.call))
(new_expression constructor: (identifier) @reference.call)
