# Sets TREE_SITTER_CORE to the folder of tree-sitter's C core, with `src` and `include` in it.
set(archive "tree_sitter-${TREE_SITTER_VERSION}.tar.gz")
set(help "pip download --no-deps --no-binary tree-sitter tree-sitter==${TREE_SITTER_VERSION}, \
unpack ${archive} and set -DTREE_SITTER_SOURCE=<the folder> (with pip install: \
--config-settings=cmake.define.TREE_SITTER_SOURCE=<the folder>)")

set(source "${TREE_SITTER_SOURCE}")
if(NOT source)
  set(downloads "${CMAKE_CURRENT_BINARY_DIR}/tree_sitter")
  set(source "${downloads}/tree_sitter-${TREE_SITTER_VERSION}")
  if(NOT EXISTS "${source}/tree_sitter/core/lib/src/lib.c")
    # The interpreter that builds the wheel has pip, or any other will do.
    find_package(Python3 COMPONENTS Interpreter QUIET)
    execute_process(
      COMMAND "${Python3_EXECUTABLE}" -m pip download --quiet --disable-pip-version-check
        --no-deps --no-binary tree-sitter
        --dest "${downloads}" "tree-sitter==${TREE_SITTER_VERSION}"
      ERROR_VARIABLE reason OUTPUT_QUIET)
    if(NOT EXISTS "${downloads}/${archive}")
      string(REGEX MATCH "ERROR: [^\n]*" reason "${reason}")
      message(FATAL_ERROR "The source of tree-sitter cannot be fetched (${reason}). Do by hand: ${help}")
    endif()
    file(SHA256 "${downloads}/${archive}" sum)
    if(NOT sum STREQUAL TREE_SITTER_SHA256)
      file(REMOVE "${downloads}/${archive}")
      message(FATAL_ERROR "${archive} is not the one expected: SHA-256 ${sum}. Do by hand: ${help}")
    endif()
    file(ARCHIVE_EXTRACT INPUT "${downloads}/${archive}" DESTINATION "${downloads}" PATTERNS "*/core/*")
  endif()
endif()

if(NOT EXISTS "${source}/tree_sitter/core/lib/src/lib.c")
  message(FATAL_ERROR "TREE_SITTER_SOURCE=${source} holds no tree_sitter/core/lib. Instead: ${help}")
endif()

# The core is compiled with a few changes for speed; what it makes and finds stays the same.
set(TREE_SITTER_CORE "${CMAKE_CURRENT_BINARY_DIR}/core")
file(COPY "${source}/tree_sitter/core/lib/" DESTINATION "${TREE_SITTER_CORE}")
function(edit file before after)
  set(path "${TREE_SITTER_CORE}/src/${file}")
  file(READ "${path}" text)
  string(FIND "${text}" "${before}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "${file} of tree-sitter ${TREE_SITTER_VERSION} is not the one expected")
  endif()
  string(REPLACE "${before}" "${after}" text "${text}")
  file(WRITE "${path}" "${text}")
endfunction()
function(change before after)
  edit(query.c "${before}" "${after}")
endfunction()

# A query over a part of a tree loses matches: where the last child of a node is a hidden one outside
# of that part, the cursor goes up without leaving the node, and what waited for that never ends.
change("if (ts_tree_cursor_goto_parent(&self->cursor)) {
            self->depth--;
          }"
"if (ts_tree_cursor_goto_parent(&self->cursor)) {
            if (self->on_visible_node) self->depth--;
            self->on_visible_node = true;
          }")

# Most nodes begin no pattern and are waited for by none: looking closer at them is half the cost.
change("static inline bool ts_query_cursor__advance("
"static inline bool ts_query_cursor__is_interested(TSQueryCursor *self, TSSymbol symbol) {
  unsigned index;
  if (
    self->query->wildcard_root_pattern_count > 0 ||
    ts_query__pattern_map_search(self->query, symbol, &index)
  ) return true;
  for (unsigned i = 0; i < self->states.size; i++) {
    QueryState *state = array_get(&self->states, i);
    QueryStep *step = array_get(&self->query->steps, state->step_index);
    if (
      step->depth == PATTERN_DONE_MARKER ||
      (uint32_t)state->start_depth + (uint32_t)step->depth == self->depth
    ) return true;
  }
  return false;
}

static inline bool ts_query_cursor__advance(")
change("if (node_within_containing_range && self->on_visible_node) {"
"if (
        node_within_containing_range &&
        self->on_visible_node &&
        ts_query_cursor__is_interested(self, ts_node_symbol(node))
      ) {")

# Where the cursor is matters to a callback only when it is called.
change("if (self->query_options && self->query_options->progress_callback) {
      self->query_state" "if (!self->operation_count && self->query_options && self->query_options->progress_callback) {
      self->query_state")

# Whether a node is in the range that was asked for needs no look at it where that is everything.
change("TSNode parent_node = ts_tree_cursor_parent_node(&self->cursor);

      bool parent_intersects_range =
"
"bool is_whole =
        self->included_range.start_byte == 0 && self->included_range.end_byte == UINT32_MAX &&
        self->containing_range.start_byte == 0 && self->containing_range.end_byte == UINT32_MAX;
      TSNode parent_node =
        is_whole ? (TSNode) {{0}, NULL, NULL} : ts_tree_cursor_parent_node(&self->cursor);
      bool parent_intersects_range =
        is_whole ||
")
change("TSRange node_range = (TSRange) {
        .start_point" "TSRange node_range = is_whole ? (TSRange) {{0}} : (TSRange) {
        .start_point")
change("bool node_intersects_range =
        parent_intersects_range && range" "bool node_intersects_range =
        is_whole || parent_intersects_range && range")
change("bool node_intersects_containing_range =
        range" "bool node_intersects_containing_range =
        is_whole || range")
change("bool node_within_containing_range =
        range" "bool node_within_containing_range =
        is_whole || range")
change("        bool parent_is_error =
" "        if (is_whole) parent_node = ts_tree_cursor_parent_node(&self->cursor);
        bool parent_is_error =
")
# What a grammar can never match is looked for by following all of its states, a quarter of a second
# for some. The tests do so with the core as it is; here no step counts as sure to match.
change("  // For every parent symbol in the query, initialize an 'analysis subgraph'."
"  if (all_patterns_are_valid && non_rooted_pattern_start_steps.size == 0) {
    for (unsigned i = 0; i < self->steps.size; i++) {
      QueryStep *step = array_get(&self->steps, i);
      if (step->depth == PATTERN_DONE_MARKER) continue;
      step->parent_pattern_guaranteed = false;
      step->root_pattern_guaranteed = false;
    }
    goto supertype_cleanup;
  }

  // For every parent symbol in the query, initialize an 'analysis subgraph'.")

include(tree_sitter_parser.cmake)
