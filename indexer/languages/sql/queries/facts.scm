; Definitions. Of two patterns with the same @name the earlier one counts.
(create_table
  [(keyword_table) (keyword_exists)]
  . (object_reference name: (identifier) @name)
  (column_definitions)? @body) @definition.class
(create_view
  [(keyword_view) (keyword_exists)]
  . (object_reference name: (identifier) @name)
  (create_query)? @body) @definition.class
(create_materialized_view
  [(keyword_view) (keyword_exists)]
  . (object_reference name: (identifier) @name)
  (create_query)? @body) @definition.class
(create_type
  (keyword_type) . (object_reference name: (identifier) @name)
  (column_definitions) @body) @definition.class
(create_type
  (keyword_type) . (object_reference name: (identifier) @name)
  (enum_elements) @body) @definition.enum
(create_type (keyword_type) . (object_reference name: (identifier) @name)) @definition.type
(create_function
  [(keyword_function) (keyword_exists)]
  . (object_reference name: (identifier) @name)
  (function_body)? @body) @definition.function
(create_procedure
  [(keyword_procedure) (keyword_exists)]
  . (object_reference name: (identifier) @name)
  (procedure_body)? @body) @definition.function
(create_trigger
  (keyword_trigger) . (object_reference name: (identifier) @name)) @definition.function
(create_index column: (identifier) @name) @definition.key
(create_sequence
  [(keyword_sequence) (keyword_exists)]
  . (object_reference name: (identifier) @name)) @definition.constant
(create_schema (identifier) @name) @definition.module
(create_database (identifier) @name) @definition.module
(alter_table
  (object_reference name: (identifier) @owner)
  (add_column (column_definition
    name: [(identifier) (literal)] @name
    type: (_)? @type) @definition.field))
; Heads of statements that the grammar does not know the rest of.
(ERROR
  (keyword_create) . [(keyword_function) (keyword_procedure)]
  . (object_reference name: (identifier) @name) @definition.function)
(ERROR
  (keyword_create) . [(keyword_table) (keyword_view)]
  . (object_reference name: (identifier) @name) @definition.class)
(column_definition
  name: [(identifier) (literal)] @name
  type: (_)? @type
  custom_type: (_)? @type) @definition.field

[(comment) (marginalia)] @comment

; References. Of two patterns for the same node the more telling role counts.
(object_reference name: (identifier) @reference.name)
(object_reference schema: (identifier) @reference.name)
(column_definition custom_type: (object_reference name: (identifier) @reference.type))
(relation (object_reference name: (identifier) @reference.type))
(field name: (identifier) @reference.attribute)
(field column: (identifier) @reference.attribute)
(column (identifier) @reference.attribute)
(constraint (identifier) @reference.attribute)
(invocation (object_reference name: (identifier) @reference.call))
