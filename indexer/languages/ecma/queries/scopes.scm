; Where names bound inside of a node end, and which names are bound. Earlier patterns count.
[
  (function_declaration)
  (generator_function_declaration)
  (function_expression)
  (generator_function)
  (arrow_function)
  (method_definition)
] @scope.function
[
  (statement_block)
  (for_statement)
  (for_in_statement)
  (switch_body)
  (catch_clause)
] @scope.block

(assignment_expression left: (identifier) @write)
(assignment_expression left: (array_pattern (identifier) @write))
(assignment_expression left: (object_pattern (shorthand_property_identifier_pattern) @write))
(augmented_assignment_expression left: (identifier) @write)
(update_expression argument: (identifier) @write)

(function_declaration name: (identifier) @bind.outer)
(generator_function_declaration name: (identifier) @bind.outer)
(function_expression name: (identifier) @bind)
(class_declaration name: (_) @bind)
(class name: (_) @bind)
(arrow_function parameter: (identifier) @bind.parameter)

(import_clause (identifier) @bind.import)
(namespace_import (identifier) @bind.import)
(import_specifier name: (identifier) @bind.import !alias)
(import_specifier alias: (identifier) @bind.import)

(variable_declaration (variable_declarator name: (identifier) @bind.function))
(variable_declaration
  (variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @bind.function)))
(variable_declaration
  (variable_declarator name: (array_pattern (identifier) @bind.function)))
(lexical_declaration (variable_declarator name: (identifier) @bind))
(for_in_statement kind: "var" left: (identifier) @bind.function)
(for_in_statement kind: _ left: (identifier) @bind)
(for_in_statement left: (identifier) @write)
(catch_clause parameter: (identifier) @bind)
(shorthand_property_identifier_pattern) @bind
(pair_pattern value: (identifier) @bind)
(pair_pattern value: (assignment_pattern left: (identifier) @bind))
(array_pattern (identifier) @bind)
(array_pattern (assignment_pattern left: (identifier) @bind))
(rest_pattern (identifier) @bind)
