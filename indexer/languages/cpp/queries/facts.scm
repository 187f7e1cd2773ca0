; What C++ adds to the patterns of C. Of two patterns with the same @name the earlier one counts.
(struct_specifier
  name: (type_identifier) @name
  (base_class_clause)? @bases
  body: (field_declaration_list) @body) @definition.class
(class_specifier
  name: (type_identifier) @name
  (base_class_clause)? @bases
  body: (field_declaration_list) @body) @definition.class
(namespace_definition
  name: (_) @name
  body: (declaration_list) @body) @definition.module
(alias_declaration name: (type_identifier) @name type: (_) @type) @definition.type
(concept_definition name: (identifier) @name) @definition.type
(function_definition
  type: (_)? @type
  declarator: [
    (function_declarator declarator: (identifier) @name)
    (reference_declarator (function_declarator declarator: (identifier) @name))
  ]
  body: (compound_statement) @body) @definition.function
(function_definition
  type: (_)? @type
  declarator: [
    (function_declarator declarator: [(field_identifier) (destructor_name) (operator_name)] @name)
    (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) (operator_name)] @name))
    (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (field_identifier) @name)))
    (reference_declarator (function_declarator declarator: [(field_identifier) (operator_name)] @name))
  ]
  body: (compound_statement)? @body) @definition.method
(function_definition
  type: (_)? @type
  declarator: (function_declarator declarator: (identifier) @name)
  [(delete_method_clause) (default_method_clause)]) @definition.method
(function_definition
  type: (_)? @type
  declarator: [
    (function_declarator declarator: (qualified_identifier scope: (_) @owner name: [(identifier) (destructor_name) (operator_name)] @name))
    (function_declarator declarator: (qualified_identifier name: (qualified_identifier scope: (_) @owner name: [(identifier) (destructor_name) (operator_name)] @name)))
    (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier scope: (_) @owner name: [(identifier) (operator_name)] @name)))
    (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier name: (qualified_identifier scope: (_) @owner name: (identifier) @name))))
    (reference_declarator (function_declarator declarator: (qualified_identifier scope: (_) @owner name: [(identifier) (operator_name)] @name)))
  ]
  body: (compound_statement)? @body) @definition.method
; A macro between the keyword and the name of a class: the grammar takes it for a function.
(function_definition
  type: [(class_specifier !body) (struct_specifier !body)]
  declarator: (identifier) @name
  body: (compound_statement) @body) @definition.class
(struct_specifier
  name: (qualified_identifier scope: (_) @owner name: (type_identifier) @name)
  (base_class_clause)? @bases
  body: (field_declaration_list) @body) @definition.class
(class_specifier
  name: (qualified_identifier scope: (_) @owner name: (type_identifier) @name)
  (base_class_clause)? @bases
  body: (field_declaration_list) @body) @definition.class
(field_declaration
  type: (_) @type
  .
  declarator: [
    (function_declarator declarator: [(field_identifier) (destructor_name) (operator_name)] @name)
    (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) (operator_name)] @name))
    (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (field_identifier) @name)))
    (reference_declarator (function_declarator declarator: [(field_identifier) (operator_name)] @name))
  ]) @definition.method
; A macro behind the name of a member: the grammar takes the macro for the name.
(field_declaration
  type: (_) @type
  .
  (ERROR (function_declarator declarator: (field_identifier) @name))) @definition.method
(field_declaration type: (_) @type . (ERROR (identifier) @name)) @definition.field
(function_definition
  type: (_) @type
  (ERROR (function_declarator declarator: (field_identifier) @name))
  body: (compound_statement) @body) @definition.method
; A macro before a type with a star: the grammar takes the star for one of a member pointer.
(declaration
  declarator: (qualified_identifier
    scope: (_) @type
    name: (pointer_type_declarator declarator: (function_declarator
      declarator: (type_identifier) @name)))) @definition.function
(field_declaration
  type: (_) @type
  declarator: (pointer_declarator (ERROR (identifier) @name))) @definition.field
(declaration
  type: (_)? @type
  declarator: [
    (function_declarator declarator: [(identifier) (destructor_name) (operator_name)] @name)
    (pointer_declarator declarator: (function_declarator declarator: (operator_name) @name))
    (reference_declarator (function_declarator declarator: [(identifier) (operator_name)] @name))
    (init_declarator declarator: (function_declarator declarator: [(identifier) (destructor_name) (operator_name)] @name))
    (init_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))
    (init_declarator declarator: (reference_declarator (function_declarator declarator: (operator_name) @name)))
  ]) @definition.function
(ERROR (function_declarator declarator: (destructor_name) @name) @definition.method)
(field_declaration
  type: (_) @type
  declarator: [
    (reference_declarator (field_identifier) @name)
    (array_declarator declarator: (field_identifier) @name)
  ]) @definition.field

; References. Of two patterns for the same node the more telling role counts.
(namespace_identifier) @reference.name
(call_expression function: (qualified_identifier name: (identifier) @reference.call))
