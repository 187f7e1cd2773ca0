; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[
  (method_declaration)
  (constructor_declaration)
  (destructor_declaration)
  (operator_declaration)
  (conversion_operator_declaration)
  (local_function_statement)
  (lambda_expression)
  (anonymous_method_expression)
  (indexer_declaration)
  (accessor_declaration)
] @scope.function
[
  (block)
  (for_statement)
  (foreach_statement)
  (using_statement)
  (fixed_statement)
  (catch_clause)
  (switch_section)
  (switch_expression_arm)
  (query_expression)
] @scope.block

(assignment_expression left: (identifier) @write)
(prefix_unary_expression ["++" "--"] (identifier) @write)
(postfix_unary_expression (identifier) @write ["++" "--"])

(type_parameter name: (identifier) @bind.parameter)
(parameter name: (identifier) @bind.parameter)
(implicit_parameter) @bind.parameter
(parameter_list name: (identifier) @bind.parameter)
(catch_declaration name: (identifier) @bind.parameter)
(foreach_statement left: (identifier) @bind)
(variable_declarator name: (identifier) @bind.after)
(declaration_pattern name: (identifier) @bind.after)
(recursive_pattern name: (identifier) @bind.after)
(declaration_expression name: (identifier) @bind.after)
(from_clause name: (identifier) @bind.after)
(block (local_function_statement name: (identifier) @bind))
