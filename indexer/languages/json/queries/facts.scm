; Definitions: the keys of the outermost object, of those in it and of those in these.
(document (object
  (pair key: (string (string_content) @name) value: [(object) (array)]? @body) @definition.key))
(document (object (pair value: (object
  (pair key: (string (string_content) @name) value: [(object) (array)]? @body) @definition.key))))
(document (object (pair value: (object (pair value: (object
  (pair key: (string (string_content) @name) value: [(object) (array)]? @body) @definition.key))))))

(comment) @comment
