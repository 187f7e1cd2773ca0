// Looks at whole trees, so that tests can compare those of this core with those of tree-sitter's.

#include <tree_sitter/api.h>

#include "arena.h"
#include "parse.h"

#if defined(_WIN32)
#define SOPILKA_EXPORT extern "C" __declspec(dllexport)
#else
#define SOPILKA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

uint64_t mixed(uint64_t sum, uint64_t value) {
  sum = (sum ^ value) * 0x9e3779b97f4a7c15ull;
  return sum ^ sum >> 29;
}

uint64_t mixed(uint64_t sum, TSNode node) {
  const TSPoint start = ts_node_start_point(node), end = ts_node_end_point(node);
  const uint64_t is = ts_node_is_named(node) | ts_node_is_extra(node) << 1 |
                      ts_node_is_missing(node) << 2 | ts_node_is_error(node) << 3 |
                      ts_node_has_error(node) << 4;
  const uint64_t values[] = {
      ts_node_symbol(node), ts_node_grammar_symbol(node), ts_node_parse_state(node), is,
      ts_node_start_byte(node), ts_node_end_byte(node), start.row, start.column, end.row,
      end.column, ts_node_child_count(node), ts_node_named_child_count(node),
  };
  for (const uint64_t value : values) sum = mixed(sum, value);
  return sum;
}

}  // namespace

// A number for all nodes of a tree, their places, kinds, fields and errors.
SOPILKA_EXPORT uint64_t sopilka_tree_digest(const TSTree* tree) {
  TSTreeCursor cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
  uint64_t sum = 0;
  for (bool is_done = false; !is_done;) {
    sum = mixed(sum, ts_tree_cursor_current_node(&cursor));
    sum = mixed(sum, ts_tree_cursor_current_field_id(&cursor));
    if (ts_tree_cursor_goto_first_child(&cursor)) continue;
    while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
      if (!ts_tree_cursor_goto_parent(&cursor)) {
        is_done = true;
        break;
      }
    }
  }
  ts_tree_cursor_delete(&cursor);
  return sum;
}

// As above, of the tree that this core makes of a text; 0 if it makes none.
SOPILKA_EXPORT uint64_t sopilka_text_digest(const TSLanguage* language, const char* text,
                                            uint64_t size) {
  const sopilka::Arena arena(language);
  const TSTree* tree = sopilka::parse(language, {text, size}, {}).release();
  return tree ? sopilka_tree_digest(tree) : 0;
}
