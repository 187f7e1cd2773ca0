; Definitions. Of two patterns with the same @name the earlier one counts.
(namespace_definition
  name: (namespace_name) @name
  body: (compound_statement)? @body) @definition.module
(class_declaration
  name: (name) @name
  (base_clause [(name) @bases (qualified_name (name) @bases) ","]+)?
  (class_interface_clause [(name) @bases (qualified_name (name) @bases) ","]+)?
  body: (declaration_list) @body) @definition.class
(trait_declaration
  name: (name) @name
  body: (declaration_list) @body) @definition.class
(interface_declaration
  name: (name) @name
  (base_clause [(name) @bases (qualified_name (name) @bases) ","]+)?
  body: (declaration_list) @body) @definition.interface
(enum_declaration
  name: (name) @name
  (class_interface_clause [(name) @bases (qualified_name (name) @bases) ","]+)?
  body: (enum_declaration_list) @body) @definition.enum
(enum_case name: (name) @name) @definition.constant
(const_declaration
  type: (_)? @type
  (const_element . (name) @name)) @definition.constant
(function_call_expression
  function: [(name) @_define (qualified_name (name) @_define)]
  arguments: (arguments . (argument (string (string_content) @name)))
  (#eq? @_define "define")) @definition.constant
(function_definition
  name: (name) @name
  return_type: (_)? @type
  body: (compound_statement) @body) @definition.function
(method_declaration
  name: (name) @name
  return_type: (_)? @type
  body: (compound_statement)? @body) @definition.method
(property_declaration
  type: (_)? @type
  (property_element name: (variable_name (name) @name))
  (property_hook_list)? @body) @definition.field
(property_promotion_parameter
  type: (_)? @type
  name: [(variable_name (name) @name) (by_ref (variable_name (name) @name))]) @definition.member

; What a function without a name assigns is its own, wherever it stands.
(anonymous_function body: (compound_statement (expression_statement
  (assignment_expression left: (variable_name (name) @name @receiver))))) @definition.member
(assignment_expression
  left: (variable_name (name) @name)
  right: (object_creation_expression . [(name) (qualified_name)] @type)?) @definition.variable
(assignment_expression
  left: (member_access_expression
    object: (variable_name) @receiver
    name: (name) @name)
  right: [
    (object_creation_expression . [(name) (qualified_name)] @type)
    (variable_name (name) @value)
  ]?) @definition.member

; Types of parameters, for properties that are assigned from them.
(simple_parameter
  type: (_) @type
  name: (variable_name (name) @parameter))

; Headers of what is not finished or does not parse.
(ERROR "class" . (name) @name) @definition.class
(ERROR "trait" . (name) @name) @definition.class
(ERROR "interface" . (name) @name) @definition.interface
(ERROR "enum" . (name) @name) @definition.enum
(ERROR "function" . (name) @name @definition.function)

[(namespace_use_declaration) (use_declaration)] @import
(include_expression) @import
(include_once_expression) @import
(require_expression) @import
(require_once_expression) @import
(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
(name) @reference.name
(named_type (name) @reference.type)
(named_type (qualified_name (name) @reference.type))
(base_clause (name) @reference.type)
(base_clause (qualified_name (name) @reference.type))
(class_interface_clause (name) @reference.type)
(class_interface_clause (qualified_name (name) @reference.type))
(use_declaration (name) @reference.type)
(use_declaration (qualified_name (name) @reference.type))
(attribute (name) @reference.type)
(attribute (qualified_name (name) @reference.type))
(scoped_call_expression scope: (name) @reference.type)
(scoped_call_expression scope: (qualified_name (name) @reference.type))
(scoped_property_access_expression scope: (name) @reference.type)
(class_constant_access_expression . (name) @reference.type)
(class_constant_access_expression . (qualified_name (name) @reference.type))
(binary_expression operator: "instanceof" right: (name) @reference.type)
(member_access_expression name: (name) @reference.attribute)
(nullsafe_member_access_expression name: (name) @reference.attribute)
(scoped_property_access_expression name: (variable_name (name) @reference.attribute))
(class_constant_access_expression (_) . (name) @reference.attribute)
(function_call_expression function: (name) @reference.call)
(function_call_expression function: (qualified_name (name) @reference.call))
(member_call_expression name: (name) @reference.call)
(nullsafe_member_call_expression name: (name) @reference.call)
(scoped_call_expression name: (name) @reference.call)
(object_creation_expression . (name) @reference.call)
(object_creation_expression . (qualified_name (name) @reference.call))
