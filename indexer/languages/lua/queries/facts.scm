; Definitions. Of two patterns with the same @name the earlier one counts.
(function_declaration name: (identifier) @name body: (block)? @body) @definition.function
(function_declaration
  name: (dot_index_expression table: (_) @owner field: (identifier) @name)
  body: (block)? @body) @definition.method
(function_declaration
  name: (method_index_expression table: (_) @owner method: (identifier) @name)
  body: (block)? @body) @definition.method
(variable_declaration
  (assignment_statement
    (variable_list . name: (identifier) @name)
    (expression_list . value: (function_definition body: (block)? @body)))) @definition.function
(assignment_statement
  (variable_list . name: (identifier) @name)
  (expression_list . value: (function_definition body: (block)? @body))) @definition.function
(assignment_statement
  (variable_list . name: (dot_index_expression table: (_) @owner field: (identifier) @name))
  (expression_list . value: (function_definition body: (block)? @body))) @definition.method

; Fields of a table that has a name; those of the table that a file returns are its own.
(assignment_statement
  (variable_list . name: [
    (identifier) @owner
    (dot_index_expression field: (identifier) @owner)
  ])
  (expression_list . value: (table_constructor
    (field name: (identifier) @name value: (function_definition body: (block)? @body)) @definition.method)))
(assignment_statement
  (variable_list . name: [
    (identifier) @owner
    (dot_index_expression field: (identifier) @owner)
  ])
  (expression_list . value: (table_constructor
    (field name: (identifier) @name) @definition.variable)))
(chunk (return_statement (expression_list . (table_constructor
  (field
    name: (identifier) @name
    value: (function_definition body: (block)? @body)) @definition.function))))
(chunk (return_statement (expression_list . (table_constructor
  (field name: (identifier) @name) @definition.variable))))
(assignment_statement
  (variable_list . name: (bracket_index_expression
    table: (_) @owner
    field: (string content: (string_content) @name)))
  (expression_list . value: (function_definition body: (block)? @body))) @definition.method
; Functions in tables without a name, as they are given to other functions.
(field name: (identifier) @name value: (function_definition body: (block)? @body)) @definition.function
(field
  name: (string content: (string_content) @name)
  value: (function_definition body: (block)? @body)) @definition.function
(function_declaration
  name: [
    (method_index_expression table: (_) @owner)
    (dot_index_expression table: (_) @owner)
  ]
  body: (block (assignment_statement
    (variable_list . name: (dot_index_expression
      table: (identifier) @self
      field: (identifier) @name))) @definition.field)
  (#eq? @self "self"))

(variable_declaration
  (assignment_statement
    (variable_list name: (identifier) @name)
    (expression_list . value: (function_call
      name: [
        (dot_index_expression table: (identifier) @type field: (identifier) @new)
        (method_index_expression table: (identifier) @type method: (identifier) @new)
      ])))
  (#eq? @new "new")) @definition.variable
(variable_declaration
  (assignment_statement (variable_list name: (identifier) @name))) @definition.variable
(variable_declaration (variable_list name: (identifier) @name)) @definition.variable
(assignment_statement (variable_list name: (identifier) @name)) @definition.variable
(assignment_statement
  (variable_list name: (dot_index_expression
    table: [(identifier) @owner (dot_index_expression field: (identifier) @owner)]
    field: (identifier) @name))) @definition.variable

; Imports. A module is the value that its file returns.
(variable_declaration
  (assignment_statement
    (variable_list . name: (identifier) @binds @default)
    (expression_list . value: (function_call
      name: (identifier) @require
      arguments: (arguments . (string content: (string_content) @module)))))
  (#eq? @require "require")) @import
(variable_declaration
  (assignment_statement
    (variable_list . name: (identifier) @alias)
    (expression_list . value: (dot_index_expression
      table: (function_call
        name: (identifier) @require
        arguments: (arguments . (string content: (string_content) @module)))
      field: (identifier) @imported)))
  (#eq? @require "require")) @import
(chunk
  (function_call
    name: (identifier) @require
    arguments: (arguments . (string content: (string_content) @module))) @import
  (#eq? @require "require"))
(block
  (function_call
    name: (identifier) @require
    arguments: (arguments . (string content: (string_content) @module))) @import
  (#eq? @require "require"))
(function_call
  name: (identifier) @dofile
  arguments: (arguments . (string content: (string_content) @module @star))
  (#eq? @dofile "dofile")) @import
(chunk (return_statement (expression_list . (identifier) @imported @import)) @exported.default)

(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
(identifier) @reference.name
(dot_index_expression field: (identifier) @reference.attribute)
(method_index_expression method: (identifier) @reference.attribute)
(function_call name: (identifier) @reference.call)
(function_call name: (dot_index_expression field: (identifier) @reference.call))
(function_call name: (method_index_expression method: (identifier) @reference.call))
