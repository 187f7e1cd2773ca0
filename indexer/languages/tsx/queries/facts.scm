; References that only the dialects with elements have: classes of a style sheet.
((jsx_attribute (property_identifier) @class (string (string_fragment) @reference.words))
  (#match? @class "^class(Name)?$"))
