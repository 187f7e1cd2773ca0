; Names whose type is evident inside one statement: aliases of tables.
(relation (object_reference) @type alias: (identifier) @name)
