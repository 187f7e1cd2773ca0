; Definitions. Of two patterns with the same @name the earlier one counts.
(package_header (qualified_identifier) @name) @definition.module
(class_declaration
  "interface"
  name: (identifier) @name
  (delegation_specifiers [
    (delegation_specifier [
      (user_type) @bases
      (constructor_invocation (user_type) @bases)
      (explicit_delegation (user_type) @bases)
    ])
    ","
  ]+)?
  (class_body)? @body) @definition.interface
(class_declaration
  (modifiers (class_modifier "enum"))
  name: (identifier) @name
  (delegation_specifiers [
    (delegation_specifier [
      (user_type) @bases
      (constructor_invocation (user_type) @bases)
      (explicit_delegation (user_type) @bases)
    ])
    ","
  ]+)?
  [(enum_class_body) (class_body)]? @body) @definition.enum
(class_declaration
  (modifiers (class_modifier "annotation"))
  name: (identifier) @name) @definition.interface
(class_declaration
  name: (identifier) @name
  (delegation_specifiers [
    (delegation_specifier [
      (user_type) @bases
      (constructor_invocation (user_type) @bases)
      (explicit_delegation (user_type) @bases)
    ])
    ","
  ]+)?
  (class_body)? @body) @definition.class
(object_declaration
  name: (identifier) @name
  (delegation_specifiers [
    (delegation_specifier [
      (user_type) @bases
      (constructor_invocation (user_type) @bases)
      (explicit_delegation (user_type) @bases)
    ])
    ","
  ]+)?
  (class_body)? @body) @definition.class
(companion_object
  name: (identifier) @name
  (class_body)? @body) @definition.class
(enum_entry (identifier) @name) @definition.constant
(type_alias
  type: (identifier) @name
  [(user_type) (nullable_type) (function_type)] @type) @definition.type

; An extension belongs to the type it extends.
(function_declaration
  [(user_type) @owner (nullable_type (user_type) @owner)]
  .
  name: (identifier) @name
  (function_value_parameters)
  .
  [(user_type) (nullable_type) (function_type) (parenthesized_type)]? @type
  (function_body)? @body) @definition.method
(function_declaration
  name: (identifier) @name
  (function_value_parameters)
  .
  [(user_type) (nullable_type) (function_type) (parenthesized_type)]? @type
  (function_body)? @body) @definition.function
(secondary_constructor "constructor" @name (block)? @body) @definition.method

; A property of a block is a variable of a function; what stands in a class or a file is not.
(block (property_declaration (variable_declaration . (identifier) @name @receiver))) @definition.member
(block
  (property_declaration (multi_variable_declaration
    (variable_declaration . (identifier) @name @receiver)))) @definition.member
(lambda_literal
  (property_declaration (variable_declaration . (identifier) @name @receiver))) @definition.member
(lambda_literal
  (property_declaration (multi_variable_declaration
    (variable_declaration . (identifier) @name @receiver)))) @definition.member
(property_declaration
  [(user_type) @owner (nullable_type (user_type) @owner)]
  .
  (variable_declaration
    .
    (identifier) @name
    [(user_type) (nullable_type) (function_type) (parenthesized_type)]? @type)
  [(getter) (setter)]? @body) @definition.variable
(property_declaration
  (modifiers (property_modifier "const"))
  (variable_declaration
    .
    (identifier) @name
    [(user_type) (nullable_type) (function_type) (parenthesized_type)]? @type)) @definition.constant
(property_declaration
  (variable_declaration
    .
    (identifier) @name
    [(user_type) (nullable_type) (function_type) (parenthesized_type)] @type)
  [(getter) (setter)]? @body) @definition.variable
(property_declaration
  (variable_declaration . (identifier) @name)
  (call_expression . [(identifier) (navigation_expression)] @type)?
  [(getter) (setter)]? @body) @definition.variable
(property_declaration (multi_variable_declaration
  (variable_declaration . (identifier) @name))) @definition.variable
(class_parameter
  ["val" "var"]
  (identifier) @name
  .
  [(user_type) (nullable_type) (function_type) (parenthesized_type)] @type) @definition.field

; The grammar takes some headers without a body for calls of words.
(infix_expression
  .
  (identifier) @_annotation
  .
  (identifier) @_class
  .
  (identifier) @name
  (#eq? @_annotation "annotation")
  (#eq? @_class "class")) @definition.interface
(infix_expression (identifier) @_class . (identifier) @name (#eq? @_class "class")) @definition.class

; Headers of what is not finished or does not parse.
(ERROR "interface" . (identifier) @name) @definition.interface
(ERROR "class" . (identifier) @name) @definition.class
(ERROR "object" . (identifier) @name) @definition.class
(ERROR "fun" . (identifier) @name @definition.function)

(import) @import
[(line_comment) (block_comment)] @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(user_type (identifier) @reference.type)
(navigation_expression (_) (identifier) @reference.attribute)
(callable_reference (_) (identifier) @reference.attribute)
(call_expression . (identifier) @reference.call)
(call_expression . (navigation_expression (_) (identifier) @reference.call))
(infix_expression (_) . (identifier) @reference.call . (_))
