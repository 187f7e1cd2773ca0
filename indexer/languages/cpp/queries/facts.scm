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
    (function_declarator declarator: [(field_identifier) (destructor_name)] @name)
    (pointer_declarator declarator: (function_declarator declarator: (field_identifier) @name))
    (reference_declarator (function_declarator declarator: (field_identifier) @name))
  ]
  body: (compound_statement)? @body) @definition.method
(function_definition
  type: (_)? @type
  declarator: [
    (function_declarator declarator: (qualified_identifier scope: (_) @owner name: [(identifier) (destructor_name)] @name))
    (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier scope: (_) @owner name: [(identifier) (destructor_name)] @name)))
    (reference_declarator (function_declarator declarator: (qualified_identifier scope: (_) @owner name: [(identifier) (destructor_name)] @name)))
  ]
  body: (compound_statement)? @body) @definition.method
(field_declaration
  type: (_) @type
  declarator: [
    (function_declarator declarator: [(field_identifier) (destructor_name)] @name)
    (pointer_declarator declarator: (function_declarator declarator: (field_identifier) @name))
    (reference_declarator (function_declarator declarator: (field_identifier) @name))
  ]) @definition.method
(declaration
  type: (_)? @type
  declarator: [
    (function_declarator declarator: [(identifier) (destructor_name)] @name)
    (reference_declarator (function_declarator declarator: (identifier) @name))
  ]) @definition.function
(field_declaration
  type: (_) @type
  declarator: (reference_declarator (field_identifier) @name)) @definition.field

; References. Of two patterns for the same node the more telling role counts.
(namespace_identifier) @reference.name
(call_expression function: (qualified_identifier name: (identifier) @reference.call))
