; What C++ adds to the patterns of C.
(parameter_declaration type: (_) @type declarator: (reference_declarator (identifier) @name))
(declaration type: (_) @type declarator: (reference_declarator (identifier) @name))
