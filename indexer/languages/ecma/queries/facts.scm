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
    object: (member_expression
      object: (identifier) @holder
      property: (property_identifier) @exports)
    property: (property_identifier) @name)
  right: [(function_expression body: (_) @body) (arrow_function body: (_) @body)]
  (#eq? @holder "module") (#eq? @exports "exports")) @definition.function
(assignment_expression
  left: (member_expression
    object: (identifier) @exports
    property: (property_identifier) @name)
  right: [
    (number) (string) (template_string) (object) (array) (call_expression)
    (new_expression constructor: (_) @type)
  ]
  (#eq? @exports "exports")) @definition.variable
(assignment_expression
  left: (member_expression
    object: (identifier) @holder
    property: (property_identifier) @exports)
  right: (function_expression name: (identifier) @name body: (_) @body)
  (#eq? @holder "module") (#eq? @exports "exports")) @definition.function
(assignment_expression
  left: (member_expression
    object: (identifier) @holder
    property: (property_identifier) @exports)
  right: (object (pair
    key: (property_identifier) @name
    value: [(function_expression body: (_) @body) (arrow_function body: (_) @body)]) @definition.function)
  (#eq? @holder "module") (#eq? @exports "exports"))
(assignment_expression
  left: (member_expression
    object: (identifier) @holder
    property: (property_identifier) @exports)
  right: (object (pair
    key: (property_identifier) @name
    value: [
      (number) (string) (template_string) (object) (array) (true) (false)
      (new_expression constructor: (_) @type)
    ]) @definition.variable)
  (#eq? @holder "module") (#eq? @exports "exports"))

(variable_declarator name: [
  (object_pattern [
    (shorthand_property_identifier_pattern) @name
    (pair_pattern value: [
      (identifier) @name
      (assignment_pattern left: (identifier) @name)
      (object_pattern [
        (shorthand_property_identifier_pattern) @name
        (pair_pattern value: (identifier) @name)
      ])
      (array_pattern (identifier) @name)
    ])
    (object_assignment_pattern left: (shorthand_property_identifier_pattern) @name)
    (rest_pattern (identifier) @name)
  ])
  (array_pattern [
    (identifier) @name
    (assignment_pattern left: (identifier) @name)
    (rest_pattern (identifier) @name)
    (object_pattern (shorthand_property_identifier_pattern) @name)
  ])
]) @definition.variable

; Names in functions without a name are their own.
[(arrow_function) (function_expression) (generator_function)] @name @definition.nameless

; Members of an object that has a name. What has none is called `default` if it is exported so.
(variable_declarator
  name: (identifier) @owner
  value: (object (pair
    key: [(property_identifier) (string)] @name
    value: [(function_expression body: (_) @body) (arrow_function body: (_) @body)]) @definition.method))
(variable_declarator
  name: (identifier) @owner
  value: (object (pair
    key: [(property_identifier) (string)] @name
    value: (new_expression constructor: (_) @type)?) @definition.variable))
(export_statement
  "default" @owner
  value: (object (pair
    key: [(property_identifier) (string)] @name
    value: [(function_expression body: (_) @body) (arrow_function body: (_) @body)]) @definition.method))
(export_statement
  "default" @owner
  value: (object (pair
    key: [(property_identifier) (string)] @name
    value: (new_expression constructor: (_) @type)?) @definition.variable))
(export_statement
  "default" @name
  value: [
    (function_expression !name body: (_) @body)
    (generator_function !name body: (_) @body)
    (arrow_function body: (_) @body)
  ]) @definition.function
(export_statement
  "default" @name
  value: (class !name (class_heritage)? @bases body: (class_body) @body)) @definition.class
(export_statement
  "default" @name
  value: [(object) (array) (call_expression) (new_expression constructor: (_) @type)]) @definition.variable
(call_expression
  function: (member_expression
    object: (identifier) @registry
    property: (property_identifier) @define)
  arguments: (arguments . (string) @name . (identifier)? @type)
  (#eq? @registry "customElements") (#eq? @define "define")) @definition.element

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
  name: (identifier) @binds @default
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
(variable_declarator
  name: (object_pattern (pair_pattern
    key: (property_identifier) @imported
    value: (identifier) @alias))
  value: (call_expression
    function: (identifier) @require
    arguments: (arguments . (string) @module))
  (#eq? @require "require")) @import
(expression_statement
  (call_expression
    function: (identifier) @require
    arguments: (arguments . (string) @module))
  (#eq? @require "require")) @import
(variable_declarator
  name: (identifier) @binds
  value: (await_expression
    (call_expression function: (import) arguments: (arguments . (string) @module)))) @import
(variable_declarator
  name: (object_pattern (shorthand_property_identifier_pattern) @imported)
  value: (await_expression
    (call_expression function: (import) arguments: (arguments . (string) @module)))) @import
(call_expression function: (import) arguments: (arguments . (string) @module)) @import
(assignment_expression
  left: (member_expression
    object: (identifier) @holder
    property: (property_identifier) @exports @exported.default)
  right: [(identifier) @imported @import (function_expression name: (identifier) @imported @import)]
  (#eq? @holder "module") (#eq? @exports "exports"))
(assignment_expression
  left: (member_expression
    object: (identifier) @holder
    property: (property_identifier) @exports)
  right: (object (pair
    key: (property_identifier) @alias
    value: (identifier) @imported @import))
  (#eq? @holder "module") (#eq? @exports "exports"))
(assignment_expression
  left: (member_expression
    object: (identifier) @holder
    property: (property_identifier) @exports)
  right: (object (pair
    key: (property_identifier) @binds
    value: (call_expression
      function: (identifier) @require
      arguments: (arguments . (string) @module))) @import)
  (#eq? @holder "module") (#eq? @exports "exports") (#eq? @require "require"))
(assignment_expression
  left: (member_expression
    object: (identifier) @exports
    property: (property_identifier) @alias)
  right: (identifier) @imported @import
  (#eq? @exports "exports"))

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
