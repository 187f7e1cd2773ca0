// Where tree-sitter's core gets its memory from while a text is read once.
//
// Parsing makes and drops millions of small pieces that all die with the tree. While an `Arena` is
// alive on a thread, they come from blocks that the thread keeps, and nothing of a tree has to be
// freed piece by piece. Without one the core uses the system's memory.
#pragma once

#include <tree_sitter/api.h>

namespace sopilka {

// Memory that the core takes on this thread while this lives is gone afterwards. Not nested. The
// core parses with one language meanwhile, and remembers what it looks up in its tables.
class Arena {
 public:
  explicit Arena(const TSLanguage* language);
  ~Arena();
  Arena(const Arena&) = delete;
};

// Makes the core use arenas; once, before anything else is done with it.
void use_arenas();

// Frees what the core gave away for its caller to free.
void free_of_core(void* piece);

}  // namespace sopilka
