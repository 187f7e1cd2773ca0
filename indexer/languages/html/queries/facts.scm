; Definitions: elements that have an id, named by it. Of two patterns with the same @name the
; earlier one counts.
(element
  (start_tag (attribute
    (attribute_name) @id
    [(attribute_value) @name (quoted_attribute_value (attribute_value) @name)])) @signature
  . (_)? @body
  (#eq? @id "id")) @definition.element
(element
  (self_closing_tag (attribute
    (attribute_name) @id
    [(attribute_value) @name (quoted_attribute_value (attribute_value) @name)]))
  (#eq? @id "id")) @definition.element
([
  (script_element (start_tag (attribute
    (attribute_name) @id
    [(attribute_value) @name (quoted_attribute_value (attribute_value) @name)])) (raw_text)? @body)
  (style_element (start_tag (attribute
    (attribute_name) @id
    [(attribute_value) @name (quoted_attribute_value (attribute_value) @name)])) (raw_text)? @body)
] @definition.element
  (#eq? @id "id"))
((attribute
  (attribute_name) @id
  [(attribute_value) @name (quoted_attribute_value (attribute_value) @name)]) @definition.element
  (#eq? @id "id"))

; Imports. What scripts and style sheets define is visible in the whole page.
((script_element (start_tag (attribute
    (attribute_name) @src
    [(attribute_value) @module @star (quoted_attribute_value (attribute_value) @module @star)]) @import))
  (#eq? @src "src")
  (#not-match? @module "^(#|//|[A-Za-z][A-Za-z0-9+.-]*:)"))
((element [
    (start_tag
      (tag_name) @link
      (attribute
        (attribute_name) @href
        [(attribute_value) @module @star (quoted_attribute_value (attribute_value) @module @star)]) @import)
    (self_closing_tag
      (tag_name) @link
      (attribute
        (attribute_name) @href
        [(attribute_value) @module @star (quoted_attribute_value (attribute_value) @module @star)]) @import)
  ])
  (#eq? @link "link") (#eq? @href "href")
  (#not-match? @module "^(#|//|[A-Za-z][A-Za-z0-9+.-]*:)"))
((attribute
  (attribute_name) @href
  [(attribute_value) @module (quoted_attribute_value (attribute_value) @module)]) @import
  (#eq? @href "href")
  (#not-match? @module "^(#|//|[A-Za-z][A-Za-z0-9+.-]*:)"))
((attribute
  (attribute_name) @src
  [(attribute_value) @module (quoted_attribute_value (attribute_value) @module)]) @import
  (#eq? @src "src")
  (#not-match? @module "^(#|//|[A-Za-z][A-Za-z0-9+.-]*:)"))

(comment) @comment

; References. Of two patterns for the same node the more telling role counts.
; Of tags only custom elements, which have a hyphen in their names, are worth keeping.
((start_tag (tag_name) @reference.type) (#match? @reference.type "-"))
((self_closing_tag (tag_name) @reference.type) (#match? @reference.type "-"))
((attribute
  (attribute_name) @class
  [(attribute_value) @reference.words (quoted_attribute_value (attribute_value) @reference.words)])
  (#eq? @class "class"))
((attribute
  (attribute_name) @for
  [(attribute_value) @reference.name (quoted_attribute_value (attribute_value) @reference.name)])
  (#eq? @for "for"))
