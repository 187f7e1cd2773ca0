// The rows of an open document, kept up to date under edits.
//
// `good` is the last tree that was not more broken than the one before; its rows are kept. After an
// edit only matches whose root touches what changed are asked for again, the others move. While the
// tree is more broken than the good one, rows outside of the edited lines stay those of the good
// tree, moved: a lone quote does not take away the symbols of the rest of the file.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "facts.h"

namespace sopilka {

// How broken a tree is: its errors and missing nodes, counted up to a limit, the bytes of those
// errors that are not inside of another one, and what stands at its top on how many bytes.
struct Errors {
  int count = 0;
  int64_t bytes = 0;
  int64_t children = 0;
  int64_t size = 0;
};

class Document {
 public:
  explicit Document(const Grammar& grammar) : grammar_(grammar) { reset(); }

  // The bytes [start, old_end) of the text were replaced by others that end at new_end.
  void edit(int32_t start, int32_t old_end, int32_t new_end);

  // Takes the tree of the current text. `good` is the tree that the last call which returned true
  // was given, with all edits since made on it; null for none. Returns whether the new one is good.
  // With `keep` false each tree counts as good. `tree` is null while the text is not parsed to its
  // end: then what was edited since the good tree is not known yet.
  bool update(const TSTree* good, const TSTree* tree, std::string_view text, bool keep);

  Facts& facts() { return *facts_; }

 private:
  void reset();
  bool is_worse(const Errors& errors) const;
  void read_all(TSNode root, std::string_view text);
  void read_changed(std::vector<Range> ranges, TSNode root, std::string_view text);
  Tables broken_tables(const TSNode* root, std::string_view text);
  void read(const Range* range, TSNode root, std::string_view text, Tables* tables);
  std::vector<Range> edited_lines(std::string_view text) const;

  const Grammar& grammar_;
  std::unique_ptr<Strings> strings_;
  std::unique_ptr<Facts> facts_;
  ChunkMemory chunks_;
  Tables tables_;
  std::vector<Range> edits_;  // since the good tree, apart from each other, ascending
  Errors good_errors_{-1};  // of the good tree; a count of -1 when there is none
  int32_t first_strings_ = 0;
  int slow_reads_ = 0;    // how often the query took too long: some rows are missing then
  size_t slow_size_ = 0;  // of the text when it last did
};

}  // namespace sopilka
