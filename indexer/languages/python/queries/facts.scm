; Definitions. Of two patterns with the same @name the earlier one counts.
(decorated_definition
  definition: (class_definition
    name: (identifier) @name
    superclasses: (argument_list)? @bases
    body: (block) @body) @signature) @definition.class
(class_definition
  name: (identifier) @name
  superclasses: (argument_list)? @bases
  body: (block) @body) @definition.class
; What a function returns where nothing declares it: the first thing that it calls and returns.
(decorated_definition
  definition: (function_definition
    name: (identifier) @name
    !return_type
    body: (block
      (return_statement (call function: [(identifier) (attribute)] @type))) @body) @signature)
  @definition.function
(function_definition
  name: (identifier) @name
  !return_type
  body: (block
    (return_statement (call function: [(identifier) (attribute)] @type))) @body)
  @definition.function
(decorated_definition
  definition: (function_definition
    name: (identifier) @name
    return_type: (type)? @type
    body: (block) @body) @signature) @definition.function
(function_definition
  name: (identifier) @name
  return_type: (type)? @type
  body: (block) @body) @definition.function
(type_alias_statement left: (type (identifier) @name)) @definition.type
(type_alias_statement left: (type (generic_type (identifier) @name))) @definition.type
(assignment
  left: (identifier) @name
  type: (type)? @type
  right: (call function: [(identifier) (attribute)] @type)?) @definition.variable
(assignment
  left: [
    (pattern_list [
      (identifier) @name
      (list_splat_pattern (identifier) @name)
      (tuple_pattern [(identifier) @name (tuple_pattern (identifier) @name)])
      (list_pattern (identifier) @name)
    ])
    (tuple_pattern [
      (identifier) @name
      (list_splat_pattern (identifier) @name)
      (tuple_pattern (identifier) @name)
    ])
    (list_pattern [(identifier) @name (list_splat_pattern (identifier) @name)])
  ]) @definition.variable
(for_statement
  left: [
    (identifier) @name @definition.variable
    (pattern_list [
      (identifier) @name @definition.variable
      (list_splat_pattern (identifier) @name @definition.variable)
      (tuple_pattern [
        (identifier) @name @definition.variable
        (tuple_pattern (identifier) @name @definition.variable)
      ])
    ])
    (tuple_pattern [
      (identifier) @name @definition.variable
      (tuple_pattern (identifier) @name @definition.variable)
    ])
  ])
(with_item value: (as_pattern alias: (as_pattern_target [
  (identifier) @name @definition.variable
  (tuple (identifier) @name @definition.variable)
])))
(named_expression name: (identifier) @name) @definition.variable
(assignment
  left: (attribute object: (identifier) @receiver attribute: (identifier) @name)
  type: (type)? @type
  right: [
    (call function: [(identifier) (attribute)] @type)
    (identifier) @value
  ]?) @definition.member
(assignment
  left: [
    (pattern_list [
      (attribute object: (identifier) @receiver attribute: (identifier) @name)
      (list_splat_pattern
        (attribute object: (identifier) @receiver attribute: (identifier) @name))
      (tuple_pattern
        (attribute object: (identifier) @receiver attribute: (identifier) @name))
    ])
    (tuple_pattern [
      (attribute object: (identifier) @receiver attribute: (identifier) @name)
      (list_splat_pattern
        (attribute object: (identifier) @receiver attribute: (identifier) @name))
    ])
    (list_pattern
      (attribute object: (identifier) @receiver attribute: (identifier) @name))
  ]) @definition.member
(for_statement
  left: [
    (attribute object: (identifier) @receiver attribute: (identifier) @name) @definition.member
    (pattern_list
      (attribute object: (identifier) @receiver attribute: (identifier) @name) @definition.member)
  ])
(with_item value: (as_pattern alias: (as_pattern_target [
  (attribute object: (identifier) @receiver attribute: (identifier) @name) @definition.member
  (tuple
    (attribute object: (identifier) @receiver attribute: (identifier) @name) @definition.member)
])))

; Types of parameters, for fields that are assigned from them.
(typed_parameter (identifier) @parameter type: (type) @type)
(typed_default_parameter name: (identifier) @parameter type: (type) @type)

; Imports. The matches of one statement are put together.
(import_statement name: (dotted_name) @module) @import
(import_statement
  name: (aliased_import name: (dotted_name) @module alias: (identifier) @binds)) @import
(import_from_statement
  module_name: [(dotted_name) (relative_import)] @module
  name: (dotted_name) @imported) @import
(import_from_statement
  module_name: [(dotted_name) (relative_import)] @module
  name: (aliased_import name: (dotted_name) @imported alias: (identifier) @alias)) @import
(import_from_statement
  module_name: [(dotted_name) (relative_import)] @module
  (wildcard_import) @star) @import
(future_import_statement) @import.none

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(call function: (identifier) @reference.call)
(call function: (attribute attribute: (identifier) @reference.call))
(attribute attribute: (identifier) @reference.attribute)
(type (identifier) @reference.type)
(type (generic_type (identifier) @reference.type))
