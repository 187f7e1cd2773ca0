; Names whose type is evident inside one function.
(variable_declarator name: (identifier) @name value: (new_expression constructor: (_) @type))
