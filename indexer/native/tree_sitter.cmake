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

# A query over a part of a tree loses matches: where the last child of a node is a hidden one outside
# of that part, the cursor goes up without leaving the node, and what waited for that never ends.
set(TREE_SITTER_CORE "${CMAKE_CURRENT_BINARY_DIR}/core")
file(COPY "${source}/tree_sitter/core/lib/" DESTINATION "${TREE_SITTER_CORE}")
file(READ "${source}/tree_sitter/core/lib/src/query.c" query)
set(before "if (ts_tree_cursor_goto_parent(&self->cursor)) {
            self->depth--;
          }")
set(after "if (ts_tree_cursor_goto_parent(&self->cursor)) {
            if (self->on_visible_node) self->depth--;
            self->on_visible_node = true;
          }")
string(FIND "${query}" "${before}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "query.c of tree-sitter ${TREE_SITTER_VERSION} is not the one expected")
endif()
string(REPLACE "${before}" "${after}" query "${query}")
file(WRITE "${TREE_SITTER_CORE}/src/query.c" "${query}")
