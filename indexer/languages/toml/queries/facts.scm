; Definitions: tables, their keys, and the keys of inline tables in them.
(table . [(bare_key) (quoted_key) (dotted_key)] @name . (pair)? @body) @definition.key
(table_array_element
  . [(bare_key) (quoted_key) (dotted_key)] @name . (pair)? @body) @definition.key
(document
  (pair . [(bare_key) (quoted_key) (dotted_key)] @name (inline_table)? @body) @definition.key)
(table
  (pair . [(bare_key) (quoted_key) (dotted_key)] @name (inline_table)? @body) @definition.key)
(table_array_element
  (pair . [(bare_key) (quoted_key) (dotted_key)] @name (inline_table)? @body) @definition.key)
(document (pair (inline_table
  (pair . [(bare_key) (quoted_key) (dotted_key)] @name) @definition.key)))
(table (pair (inline_table
  (pair . [(bare_key) (quoted_key) (dotted_key)] @name) @definition.key)))

(comment) @comment
