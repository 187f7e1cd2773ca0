; Definitions. Of two patterns with the same @name the earlier one counts.
(class_declaration
  name: (identifier) @name
  (class_heritage)? @bases
  body: (class_body) @body) @definition.class
(variable_declarator
  name: (identifier) @name
  value: (class (class_heritage)? @bases body: (class_body) @body)) @definition.class
(function_declaration
  name: (identifier) @name
  body: (statement_block) @body) @definition.function
(generator_function_declaration
  name: (identifier) @name
  body: (statement_block) @body) @definition.function
(variable_declarator
  name: (identifier) @owner
  value: (object (method_definition
    name: (property_identifier) @name
    body: (statement_block) @body) @definition.method))
(export_statement
  "default" @owner
  value: (object (method_definition
    name: (property_identifier) @name
    body: (statement_block) @body) @definition.method))
(method_definition
  name: [(property_identifier) (private_property_identifier)] @name
  body: (statement_block) @body) @definition.method
(variable_declarator
  name: (identifier) @name
  value: [
    (arrow_function body: (_) @body)
    (function_expression body: (_) @body)
  ]) @definition.function
(assignment_expression
  left: (member_expression
    object: (identifier) @owner
    property: (property_identifier) @name)
  right: [(function_expression body: (_) @body) (arrow_function body: (_) @body)]
  (#not-match? @owner "^(exports|module)$")) @definition.method
(field_definition
  property: [(property_identifier) (private_property_identifier)] @name
  value: [
    (arrow_function body: (_) @body)
    (function_expression body: (_) @body)
  ]) @definition.method
(field_definition
  property: [(property_identifier) (private_property_identifier)] @name
  value: (new_expression constructor: (_) @type)?) @definition.field
(variable_declarator
  name: (identifier) @name
  value: (new_expression constructor: (_) @type)?) @definition.variable

; Imports. The matches of one statement are put together.
(export_statement
  "default" @exported.default
  declaration: (_ name: (identifier) @imported @import))
