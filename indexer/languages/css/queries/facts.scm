; Definitions. The first rule that names a class or an id counts, the rule being its range.
(rule_set
  (selectors [
    (class_selector (class_name) @name)
    (id_selector (id_name) @name)
    (_ [(class_selector (class_name) @name) (id_selector (id_name) @name)])
    (_ (_ [(class_selector (class_name) @name) (id_selector (id_name) @name)]))
    (_ (_ (_ [(class_selector (class_name) @name) (id_selector (id_name) @name)])))
  ])
  (block) @body) @definition.style
(class_selector (class_name) @name) @definition.style
(id_selector (id_name) @name) @definition.style
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @definition.style
((declaration (property_name) @name) @definition.variable (#match? @name "^--"))

; Imports.
(import_statement [
  (string_value (string_content) @module @star)
  (call_expression (arguments [
    (string_value (string_content) @module @star)
    (plain_value) @module @star
  ]))
]) @import

(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
(class_selector (class_name) @reference.name)
(id_selector (id_name) @reference.name)
((declaration (property_name) @animation (plain_value) @reference.name)
  (#match? @animation "^animation(-name)?$"))
((call_expression (function_name) @var (arguments . (plain_value) @reference.name)) (#eq? @var "var"))
