; Definitions. Of two patterns with the same @name the earlier one counts.
(class
  name: [(constant) @name (scope_resolution name: (constant) @name)]
  superclass: (superclass (_) @bases)?
  body: (body_statement)? @body) @definition.class
(module
  name: [(constant) @name (scope_resolution name: (constant) @name)]
  body: (body_statement)? @body) @definition.module
(assignment
  left: (constant) @name
  right: (call
    receiver: (constant) @_class
    method: (identifier) @_new
    arguments: (argument_list . [(constant) (scope_resolution)] @bases)?)
  (#eq? @_class "Class")
  (#eq? @_new "new")) @definition.class
(assignment
  left: (constant) @name
  right: (call receiver: (constant) @bases method: (identifier) @_new)
  (#eq? @bases "Struct")
  (#eq? @_new "new")) @definition.class
(assignment
  left: (constant) @name
  right: (call receiver: (constant) @bases method: (identifier) @_new)
  (#eq? @bases "Data")
  (#eq? @_new "define")) @definition.class
(assignment
  left: (constant) @name
  right: (call receiver: (constant) @_module method: (identifier) @_new)
  (#eq? @_module "Module")
  (#eq? @_new "new")) @definition.module
(assignment left: (constant) @name right: (call receiver: (constant) @type)?) @definition.constant
(assignment left: (scope_resolution name: (constant) @name)) @definition.constant
(operator_assignment left: (constant) @name) @definition.constant
(assignment left: (global_variable) @name) @definition.variable
(assignment left: (left_assignment_list [(constant) (global_variable)] @name)) @definition.constant
(method
  name: (_) @name
  body: (_)? @body) @definition.function
(singleton_method
  object: [(constant) (scope_resolution)] @owner
  name: (_) @name
  body: (_)? @body) @definition.method
(singleton_method
  name: (_) @name
  body: (_)? @body) @definition.function
(alias name: [(identifier) (constant) (setter) (operator) (simple_symbol)] @name) @definition.function
(call
  method: (identifier) @_alias
  arguments: (argument_list . [(simple_symbol) @name (string (string_content) @name)])
  (#eq? @_alias "alias_method")) @definition.function
(call
  method: (identifier) @_define
  arguments: (argument_list . (simple_symbol) @name)
  (#eq? @_define "define_method")) @definition.function
(assignment
  left: (constant)
  right: (call
    receiver: (constant) @_struct
    method: (identifier) @_new
    arguments: (argument_list (simple_symbol) @name))
  (#eq? @_struct "Struct")
  (#eq? @_new "new")) @definition.field
(assignment
  left: (constant)
  right: (call
    receiver: (constant) @_struct
    method: (identifier) @_new
    arguments: (argument_list (simple_symbol) @name))
  (#eq? @_struct "Data")
  (#eq? @_new "define")) @definition.field
(call
  method: (identifier) @_attribute
  arguments: (argument_list [(simple_symbol) @name (string (string_content) @name)])
  (#eq? @_attribute "attr_accessor")) @definition.field
(call
  method: (identifier) @_attribute
  arguments: (argument_list [(simple_symbol) @name (string (string_content) @name)])
  (#eq? @_attribute "attr_reader")) @definition.field
(call
  method: (identifier) @_attribute
  arguments: (argument_list [(simple_symbol) @name (string (string_content) @name)])
  (#eq? @_attribute "attr_writer")) @definition.field
(assignment
  left: [(instance_variable) (class_variable)] @name
  right: (call receiver: [(constant) (scope_resolution)] @type)?) @definition.member
(operator_assignment
  left: [(instance_variable) (class_variable)] @name
  right: (call receiver: [(constant) (scope_resolution)] @type)?) @definition.member

; Headers of what is not finished or does not parse.
(ERROR "module" . (constant) @name) @definition.module
(ERROR "module" . (constant) . "module" . (constant) @name) @definition.module
(ERROR
  "module" . (constant) . "module" . (constant) . "module" . (constant) @name) @definition.module
(ERROR "module" . (constant) . "class" . (constant) @name) @definition.class
(ERROR
  "module" . (constant) . "module" . (constant) . "class" . (constant) @name) @definition.class
(ERROR "class" . (constant) @name) @definition.class
(ERROR "def" . (identifier) @name @definition.function)

(call
  method: (identifier) @_require
  arguments: (argument_list . (string (string_content)))
  (#eq? @_require "require")) @import
(call
  method: (identifier) @_require
  arguments: (argument_list . (string (string_content)))
  (#eq? @_require "require_relative")) @import
(call
  method: (identifier) @_require
  arguments: (argument_list . (simple_symbol) (string (string_content)))
  (#eq? @_require "autoload")) @import
(call
  !receiver
  method: (identifier) @_mix
  arguments: (argument_list [(constant) (scope_resolution)])
  (#eq? @_mix "include")) @import
(call
  !receiver
  method: (identifier) @_mix
  arguments: (argument_list [(constant) (scope_resolution)])
  (#eq? @_mix "extend")) @import
(call
  !receiver
  method: (identifier) @_mix
  arguments: (argument_list [(constant) (scope_resolution)])
  (#eq? @_mix "prepend")) @import
(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(constant) @reference.name
(global_variable) @reference.name
[(instance_variable) (class_variable)] @reference.attribute
(superclass (constant) @reference.type)
(superclass (scope_resolution name: (constant) @reference.type))
(scope_resolution name: (constant) @reference.attribute)
(exceptions (constant) @reference.type)
(call method: [(identifier) (constant)] @reference.call)
(simple_symbol) @reference.name
