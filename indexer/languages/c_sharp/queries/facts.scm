; Definitions. Of two patterns with the same @name the earlier one counts.
(namespace_declaration name: (_) @name body: (declaration_list) @body) @definition.module
(file_scoped_namespace_declaration name: (_) @name) @definition.module
(class_declaration
  name: (identifier) @name
  (base_list [
    (identifier) @bases
    (generic_name) @bases
    (qualified_name) @bases
    (alias_qualified_name) @bases
    (primary_constructor_base_type type: (_) @bases)
    (predefined_type)
    (argument_list)
    ","
  ]+)?
  body: (declaration_list)? @body) @definition.class
(struct_declaration
  name: (identifier) @name
  (base_list [
    (identifier) @bases
    (generic_name) @bases
    (qualified_name) @bases
    (alias_qualified_name) @bases
    (primary_constructor_base_type type: (_) @bases)
    (predefined_type)
    (argument_list)
    ","
  ]+)?
  body: (declaration_list)? @body) @definition.class
(record_declaration
  name: (identifier) @name
  (base_list [
    (identifier) @bases
    (generic_name) @bases
    (qualified_name) @bases
    (alias_qualified_name) @bases
    (primary_constructor_base_type type: (_) @bases)
    (predefined_type)
    (argument_list)
    ","
  ]+)?
  body: (declaration_list)? @body) @definition.class
(interface_declaration
  name: (identifier) @name
  (base_list [
    (identifier) @bases
    (generic_name) @bases
    (qualified_name) @bases
    (alias_qualified_name) @bases
    (primary_constructor_base_type type: (_) @bases)
    (predefined_type)
    (argument_list)
    ","
  ]+)?
  body: (declaration_list)? @body) @definition.interface
(enum_declaration
  name: (identifier) @name
  body: (enum_member_declaration_list)? @body) @definition.enum
(enum_member_declaration name: (identifier) @name) @definition.constant
(delegate_declaration name: (identifier) @name) @definition.type
(method_declaration
  returns: (_) @type
  name: (identifier) @name
  body: (_)? @body) @definition.method
(constructor_declaration
  name: (identifier) @name
  body: (_)? @body) @definition.method
(destructor_declaration
  name: (identifier) @name
  body: (_)? @body) @definition.method
(operator_declaration
  type: (_) @type
  operator: _ @name
  body: (_)? @body) @definition.method
(conversion_operator_declaration
  type: (_) @name
  body: (_)? @body) @definition.method
(local_function_statement
  type: (_) @type
  name: (identifier) @name
  body: (_)? @body) @definition.function
(property_declaration
  type: (_) @type
  name: (identifier) @name
  accessors: (accessor_list)? @body
  value: (arrow_expression_clause)? @body) @definition.field
(indexer_declaration
  type: (_) @type
  "this" @name
  accessors: (accessor_list)? @body
  value: (arrow_expression_clause)? @body) @definition.field
(event_declaration
  type: (_) @type
  name: (identifier) @name
  accessors: (accessor_list)? @body) @definition.field
(event_field_declaration (variable_declaration
  type: (_) @type
  (variable_declarator name: (identifier) @name))) @definition.field
(field_declaration (variable_declaration
  type: (_) @type
  (variable_declarator name: (identifier) @name))) @definition.field

; Parameters of a primary constructor, which all members see.
(record_declaration (parameter_list
  (parameter type: (_) @type name: (identifier) @name) @definition.field))
(class_declaration (parameter_list
  (parameter type: (_) @type name: (identifier) @name) @definition.field))
(struct_declaration (parameter_list
  (parameter type: (_) @type name: (identifier) @name) @definition.field))

; Headers of what is not finished or does not parse.
(ERROR "namespace" . (qualified_name) @name) @definition.module
(ERROR "class" . (identifier) @name) @definition.class
(ERROR "struct" . (identifier) @name) @definition.class
(ERROR "record" . (identifier) @name) @definition.class
(ERROR "interface" . (identifier) @name) @definition.interface
(ERROR "enum" . (identifier) @name) @definition.enum

(using_directive) @import
(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(member_access_expression name: (identifier) @reference.attribute)
(member_binding_expression name: (identifier) @reference.attribute)
(qualified_name name: (identifier) @reference.type)
(generic_name (identifier) @reference.type)
(type_argument_list (identifier) @reference.type)
(base_list (identifier) @reference.type)
(attribute name: (identifier) @reference.type)
(explicit_interface_specifier (identifier) @reference.type)
(method_declaration returns: (identifier) @reference.type)
[
  (parameter type: (identifier) @reference.type)
  (parameter_list type: (identifier) @reference.type)
  (variable_declaration type: (identifier) @reference.type)
  (property_declaration type: (identifier) @reference.type)
  (indexer_declaration type: (identifier) @reference.type)
  (event_declaration type: (identifier) @reference.type)
  (operator_declaration type: (identifier) @reference.type)
  (conversion_operator_declaration type: (identifier) @reference.type)
  (delegate_declaration type: (identifier) @reference.type)
  (local_function_statement type: (identifier) @reference.type)
  (nullable_type type: (identifier) @reference.type)
  (array_type type: (identifier) @reference.type)
  (ref_type type: (identifier) @reference.type)
  (pointer_type type: (identifier) @reference.type)
  (tuple_element type: (identifier) @reference.type)
  (cast_expression type: (identifier) @reference.type)
  (typeof_expression type: (identifier) @reference.type)
  (default_expression type: (identifier) @reference.type)
  (catch_declaration type: (identifier) @reference.type)
  (foreach_statement type: (identifier) @reference.type)
  (declaration_pattern type: (identifier) @reference.type)
  (declaration_expression type: (identifier) @reference.type)
  (recursive_pattern type: (identifier) @reference.type)
  (type_pattern type: (identifier) @reference.type)
  (primary_constructor_base_type type: (identifier) @reference.type)
  (as_expression right: (identifier) @reference.type)
  (is_expression right: (identifier) @reference.type)
  (type_parameter_constraint type: (identifier) @reference.type)
]
(object_creation_expression type: (identifier) @reference.call)
(object_creation_expression type: (generic_name (identifier) @reference.call))
(invocation_expression function: (identifier) @reference.call)
(invocation_expression function: (generic_name (identifier) @reference.call))
(invocation_expression function: (member_access_expression name: (identifier) @reference.call))
(invocation_expression
  function: (member_access_expression name: (generic_name (identifier) @reference.call)))
(invocation_expression function: (conditional_access_expression
  (member_binding_expression name: (identifier) @reference.call)))
(conditional_access_expression (invocation_expression
  function: (member_binding_expression name: (identifier) @reference.call)))
