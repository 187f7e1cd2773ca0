; Definitions. Of two patterns with the same @name the earlier one counts.
(function_definition name: (word) @name body: (_) @body) @definition.function
(declaration_command (variable_assignment name: (variable_name) @name)) @definition.variable
(declaration_command (variable_name) @name) @definition.variable
(variable_assignment name: (variable_name) @name) @definition.variable

; Imports. What the other file defines is defined here from then on.
(command
  name: (command_name (word) @source)
  . argument: (_) @module @star
  (#eq? @source "source")) @import
(command
  name: (command_name (word) @source)
  . argument: (_) @module @star
  (#eq? @source ".")) @import

((comment) @comment (#not-match? @comment "^#!"))

; References. Of two patterns for the same node the more telling role counts.
((variable_name) @reference.name (#match? @reference.name "^[A-Za-z_]"))
(command name: (command_name (word) @reference.call))
