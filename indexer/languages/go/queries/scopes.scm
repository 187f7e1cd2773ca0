; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[(function_declaration) (method_declaration) (func_literal)] @scope.function
[
  (block)
  (if_statement)
  (for_statement)
  (expression_switch_statement)
  (type_switch_statement)
  (expression_case)
  (default_case)
  (type_case)
  (communication_case)
] @scope.block

(assignment_statement left: (expression_list (identifier) @write))
(inc_statement (identifier) @write)
(dec_statement (identifier) @write)

(type_parameter_declaration name: (identifier) @bind.parameter)
(parameter_declaration name: (identifier) @bind.parameter)
(variadic_parameter_declaration name: (identifier) @bind.parameter)
(short_var_declaration left: (expression_list (identifier) @bind.after))
(var_spec name: (identifier) @bind.after)
(const_spec name: (identifier) @bind.after)
(type_spec name: (type_identifier) @bind.after)
(type_alias name: (type_identifier) @bind.after)
(range_clause left: (expression_list (identifier) @bind))
(type_switch_statement alias: (expression_list (identifier) @bind))
(receive_statement left: (expression_list (identifier) @bind))
