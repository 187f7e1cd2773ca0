#include "document.h"

#include <algorithm>

#include "arena.h"
#include "text.h"

namespace sopilka {
namespace {

constexpr int kMaxErrors = 1'000;
constexpr uint64_t kMaxNanoseconds = 500'000'000;  // processor time of a query over a document
constexpr uint64_t kMaxSlowNanoseconds = 20'000'000;  // the same once that was not enough
constexpr int kMaxSlowReads = 4;  // after so many no tree of the document is asked
constexpr int32_t kMaxGarbage = 50'000;  // strings that nothing uses any more, at most

// How an edit moves offsets. Starts behind it and ends behind it move; an insertion just before a
// node pushes it, one just behind a node leaves it alone.
struct Shift {
  int32_t start, old_end, new_end;

  int32_t of_start(int32_t at) const {
    if (at >= old_end) return at + new_end - old_end;
    return std::min(at, start);
  }
  int32_t of_end(int32_t at) const {
    if (at <= start) return at;
    return at >= old_end ? at + new_end - old_end : new_end;
  }
  void move(Range* range) const {
    range->start = of_start(range->start);
    range->end = std::max(range->start, of_end(range->end));
  }
  bool touches(const Range& range) const { return range.touches({start, old_end}); }
};

void move(const Shift& shift, Definition* row) {
  shift.move(&row->node);
  shift.move(&row->name);
  shift.move(&row->shown);
  shift.move(&row->signature);
  shift.move(&row->docstring);
}
void move(const Shift& shift, Reference* row) { shift.move(&row->node); }
void move(const Shift& shift, Clause* row) { shift.move(&row->statement); }
void move(const Shift& shift, Comment* row) { shift.move(&row->node); }
void move(const Shift& shift, Parameter* row) { row->start = shift.of_start(row->start); }

// The part of a row that an edit must leave alone for the row to stay true.
Range core(const Definition& row) { return row.name; }
Range core(const Reference& row) { return row.node; }
Range core(const Clause& row) { return row.statement; }
Range core(const Comment& row) { return row.node; }
Range core(const Parameter& row) { return row.root; }

// Where a row counts as standing.
Range place(const Definition& row) { return row.name; }
Range place(const Reference& row) { return row.node; }
Range place(const Clause& row) { return row.statement; }
Range place(const Comment& row) { return row.node; }
Range place(const Parameter& row) { return {row.start, row.start}; }

bool touch(const std::vector<Range>& ranges, const Range& range) {
  const auto found = std::lower_bound(ranges.begin(), ranges.end(), range.start,
                                      [](const Range& one, int32_t at) { return one.end < at; });
  return found != ranges.end() && found->touches(range);
}

// Ascending ranges of which no two touch.
std::vector<Range> united(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
  std::vector<Range> apart;
  for (const Range& range : ranges) {
    if (!apart.empty() && range.start <= apart.back().end) {
      apart.back().end = std::max(apart.back().end, range.end);
    } else {
      apart.push_back(range);
    }
  }
  return apart;
}

template <typename RowType>
void merge(std::vector<RowType>* rows, const std::vector<RowType>& fresh) {
  const auto middle = static_cast<std::ptrdiff_t>(rows->size());
  rows->insert(rows->end(), fresh.begin(), fresh.end());
  if (!fresh.empty()) {
    std::inplace_merge(rows->begin(), rows->begin() + middle, rows->end(),
                       [](const auto& a, const auto& b) { return a.anchor() < b.anchor(); });
  }
}

Errors errors_of(TSNode root) {
  Errors found{0, 0, ts_node_child_count(root), ts_node_end_byte(root)};
  if (!ts_node_has_error(root)) return found;
  uint32_t covered = 0;
  TSTreeCursor cursor = ts_tree_cursor_new(root);
  for (bool is_done = false; !is_done && found.count < kMaxErrors;) {
    const TSNode node = ts_tree_cursor_current_node(&cursor);
    const bool has_error = ts_node_has_error(node);
    if (has_error && ts_node_is_error(node)) {
      ++found.count;
      const uint32_t start = ts_node_start_byte(node), end = ts_node_end_byte(node);
      if (start >= covered) {  // not inside of another one
        found.bytes += end - start;
        covered = end;
      }
    } else if (has_error && ts_node_is_missing(node)) {
      ++found.count;
    }
    if (has_error && ts_tree_cursor_goto_first_child(&cursor)) continue;
    while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
      if (!ts_tree_cursor_goto_parent(&cursor)) {
        is_done = true;
        break;
      }
    }
  }
  ts_tree_cursor_delete(&cursor);
  return found;
}

}  // namespace

void Document::reset() {
  strings_ = std::make_unique<Strings>();
  facts_ = std::make_unique<Facts>(grammar_, grammar_.triggers, strings_.get());
  chunks_ = {};
  tables_.clear();
  edits_.clear();
  good_errors_.count = -1;
}

void Document::edit(int32_t start, int32_t old_end, int32_t new_end) {
  if (good_errors_.count < 0) return;
  const Shift shift{start, old_end, new_end};
  tables_.each([&](auto& rows) {
    size_t kept = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      auto& row = rows[i];
      if (row.root.end >= start) {
        if (shift.touches(core(row))) continue;
        shift.move(&row.root);
        move(shift, &row);
      }
      if (kept != i) rows[kept] = row;
      ++kept;
    }
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(kept), rows.end());
  });
  for (Range& range : edits_) shift.move(&range);
  edits_.push_back({start, new_end});
  edits_ = united(std::move(edits_));
}

// One error that swallows half of a text is worse than three small ones were, and so is a string
// without end. What was typed into an error may make it longer.
bool Document::is_worse(const Errors& errors) const {
  int64_t typed = 0;
  for (const Range& range : edits_) typed += range.end - range.start;
  if (errors.count > good_errors_.count || errors.bytes > good_errors_.bytes + typed) return true;
  const int64_t before = good_errors_.children * errors.size;
  return errors.count > 0 && 2 * errors.children * good_errors_.size < before;
}

bool Document::update(const TSTree* good, const TSTree* tree, std::string_view text, bool keep) {
  if (!tree) {
    facts_->derive(text, broken_tables(nullptr, text), &chunks_);
    return false;
  }
  if (slow_reads_ && text.size() < slow_size_ / 2) {  // what made it slow may be gone
    slow_reads_ = 0;
    reset();
  }
  if (strings_->size() - first_strings_ > kMaxGarbage && !slow_reads_) reset();
  const TSNode root = ts_tree_root_node(tree);
  const Errors errors = keep ? errors_of(root) : Errors{};
  if (good_errors_.count >= 0 && is_worse(errors)) {
    facts_->derive(text, broken_tables(&root, text), &chunks_);
    return false;
  }
  if (!good || good_errors_.count < 0 || !grammar_.rooted_query()) {
    read_all(root, text);
  } else {
    std::vector<Range> ranges = edits_;
    uint32_t count = 0;
    TSRange* changed = ts_tree_get_changed_ranges(good, tree, &count);
    for (uint32_t i = 0; i < count; ++i) {
      ranges.push_back({static_cast<int32_t>(changed[i].start_byte),
                        static_cast<int32_t>(std::min<size_t>(changed[i].end_byte, text.size()))});
    }
    free_of_core(changed);
    read_changed(united(std::move(ranges)), root, text);
  }
  good_errors_ = errors;
  edits_.clear();
  facts_->derive(text, tables_, &chunks_);
  return true;
}

// Runs the query for a while: what it has found by then is known, the rest is not.
void Document::read(const Range* range, TSNode root, std::string_view text, Tables* tables) {
  if (slow_reads_ >= kMaxSlowReads) return;
  const Query* rooted = grammar_.rooted_query();
  const uint64_t allowed = slow_reads_ ? kMaxSlowNanoseconds : kMaxNanoseconds;
  if (!read_matches(grammar_, rooted ? *rooted : grammar_.query(), root, text, range,
                    {used_nanoseconds() + allowed}, strings_.get(), tables)) {
    ++slow_reads_;
    slow_size_ = text.size();
  }
}

void Document::read_all(TSNode root, std::string_view text) {
  if (slow_reads_ >= kMaxSlowReads) return;  // the rows that are known have moved with the edits
  tables_.clear();
  read(nullptr, root, text, &tables_);
  tables_.sort();
  first_strings_ = strings_->size();
}

void Document::read_changed(std::vector<Range> ranges, TSNode root, std::string_view text) {
  tables_.each([&](auto& rows) {
    std::erase_if(rows, [&](const auto& row) { return touch(ranges, row.root); });
  });
  Tables all;
  std::vector<Range> done;
  for (const Range& range : ranges) {
    Tables found;
    read(&range, root, text, &found);
    all.each_with(found, [&](auto& rows, const auto& fresh) {
      for (const auto& row : fresh) {
        // What is around several ranges is found with the first of them.
        if (row.root.touches(range) && !touch(done, row.root)) rows.push_back(row);
      }
    });
    done.push_back(range);
  }
  all.sort();
  tables_.each_with(all, [](auto& rows, const auto& fresh) { merge(&rows, fresh); });
}

// The edited bytes, widened to whole lines.
std::vector<Range> Document::edited_lines(std::string_view text) const {
  std::vector<Range> lines;
  for (Range range : edits_) {
    while (range.start > 0 && text[range.start - 1] != '\n') --range.start;
    while (static_cast<size_t>(range.end) < text.size() && text[range.end] != '\n') ++range.end;
    lines.push_back(range);
  }
  return united(std::move(lines));
}

Tables Document::broken_tables(const TSNode* root, std::string_view text) {
  const std::vector<Range> lines = edited_lines(text);
  Tables found, fresh;
  std::vector<Range> done;
  for (const Range& range : lines) {
    if (!root) break;
    Tables some;
    read(&range, *root, text, &some);
    fresh.each_with(some, [&](auto& rows, const auto& matched) {
      for (const auto& row : matched) {
        if (place(row).touches(range) && !touch(done, place(row))) rows.push_back(row);
      }
    });
    done.push_back(range);
  }
  fresh.sort();
  const auto redefined = [&](const Definition& row) {
    const auto known = std::lower_bound(
        fresh.definitions.begin(), fresh.definitions.end(), row.name.start,
        [](const Definition& one, int32_t at) { return one.name.start < at; });
    return known != fresh.definitions.end() && known->name.start == row.name.start;
  };
  found = tables_;
  std::erase_if(found.definitions,
                [&](const Definition& row) { return touch(lines, row.name) && redefined(row); });
  found.each([&](auto& rows) {
    if constexpr (!std::is_same_v<decltype(rows), std::vector<Definition>&>) {
      std::erase_if(rows, [&](const auto& row) { return touch(lines, place(row)); });
    }
  });
  found.each_with(fresh, [](auto& rows, const auto& matched) { merge(&rows, matched); });
  return found;
}

}  // namespace sopilka
