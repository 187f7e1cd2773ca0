; Definitions: the keys of a document, of the mappings in it and of those in these; anchors.
(document (block_node (block_mapping
  (block_mapping_pair
    key: (flow_node [(plain_scalar) (double_quote_scalar) (single_quote_scalar)] @name)
    value: (block_node)? @body) @definition.key)))
(document (block_node (block_mapping (block_mapping_pair value: (block_node (block_mapping
  (block_mapping_pair
    key: (flow_node [(plain_scalar) (double_quote_scalar) (single_quote_scalar)] @name)
    value: (block_node)? @body) @definition.key))))))
(document (block_node (block_mapping (block_mapping_pair value: (block_node (block_mapping
  (block_mapping_pair value: (block_node (block_mapping
    (block_mapping_pair
      key: (flow_node [(plain_scalar) (double_quote_scalar) (single_quote_scalar)] @name)
      value: (block_node)? @body) @definition.key)))))))))
(block_node (anchor (anchor_name) @name)) @definition.variable
(flow_node (anchor (anchor_name) @name)) @definition.variable

(comment) @comment

; References.
(alias_name) @reference.name
