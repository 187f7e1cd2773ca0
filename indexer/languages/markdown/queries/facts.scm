; Definitions: sections, named by their headings.
(section . (atx_heading (inline) @name) @signature . (_)? @body) @definition.section
(setext_heading (paragraph (inline) @name)) @definition.section
(atx_heading (inline) @name) @definition.section

; Imports: links to files. Blocks are divided by `split`, as the insides of lines are not parsed.
(inline) @import
(pipe_table_cell) @import
(link_reference_definition (link_destination)) @import
