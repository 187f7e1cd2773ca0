; Names whose type is evident inside one function.
(typed_parameter (identifier) @name type: (type) @type)
(typed_default_parameter name: (identifier) @name type: (type) @type)
(assignment left: (identifier) @name type: (type) @type)
(assignment left: (identifier) @name right: (call function: [(identifier) (attribute)] @type))
(with_item value: (as_pattern
  (call function: [(identifier) (attribute)] @type)
  alias: (as_pattern_target (identifier) @name)))
