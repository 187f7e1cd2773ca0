// Parses a text.
#pragma once

#include <tree_sitter/api.h>

#include <memory>
#include <string_view>

#include "matches.h"

namespace sopilka {

struct TreeDeleter {
  void operator()(TSTree* tree) const { ts_tree_delete(tree); }
};
using Tree = std::unique_ptr<TSTree, TreeDeleter>;

// The tree of a text; null when the deadline passed.
Tree parse(const TSLanguage* language, std::string_view text, Deadline deadline);

}  // namespace sopilka
