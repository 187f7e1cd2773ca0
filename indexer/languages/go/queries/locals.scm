; Names whose type is evident inside one function.
(parameter_declaration name: (identifier) @name type: (_) @type)
(var_spec name: (identifier) @name type: (_) @type)
(short_var_declaration
  left: (expression_list . (identifier) @name)
  right: (expression_list . [
    (composite_literal type: (_) @type)
    (unary_expression operand: (composite_literal type: (_) @type))
    (call_expression function: [(identifier) (selector_expression)] @type)
  ]))
