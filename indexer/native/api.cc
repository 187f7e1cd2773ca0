// The functions that Python calls. Nothing here throws; whoever gets a pointer frees it.

#include <tree_sitter/api.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

#include "arena.h"
#include "document.h"
#include "parse.h"

#if defined(_WIN32)
#define SOPILKA_EXPORT extern "C" __declspec(dllexport)
#else
#define SOPILKA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

using namespace sopilka;

// The facts of a text that was read once.
struct Reading {
  Strings strings;
  Tables tables;
  Facts facts;
  std::string packed;  // all columns, one behind the other

  explicit Reading(const Grammar& grammar) : facts(grammar, grammar.triggers, &strings) {}
};

struct Bytes {
  const void* data;
  uint64_t size;
};

constexpr int kColumns = 10;

enum Status : int32_t { kDone = 0, kSlow = 1, kFailed = 2 };

const bool arenas_are_used = (use_arenas(), true);

Deadline deadline_in(double seconds) {
  if (seconds <= 0) return {};
  return {used_nanoseconds() + static_cast<uint64_t>(seconds * 1e9)};
}

// Packs the columns at once where nobody has to look for secrets first.
bool finish_if_clean(Facts* facts) {
  const bool is_clean = !facts->may_have_key_blocks() && facts->suspicious().empty();
  if (is_clean) facts->finish({});
  return is_clean;
}

std::vector<Range> ranges_of(const int32_t* pairs, uint64_t count) {
  std::vector<Range> ranges(count);
  for (uint64_t i = 0; i < count; ++i) ranges[i] = {pairs[2 * i], pairs[2 * i + 1]};
  return ranges;
}

template <typename T>
Bytes bytes_of(const T& column) {
  return {column.data(), column.size() * sizeof(column[0])};
}

}  // namespace

// Makes a grammar; null with the reason in `error` where that fails.
SOPILKA_EXPORT Grammar* sopilka_grammar_new(const TSLanguage* language, const char* source,
                                            uint64_t source_size, const char* settings,
                                            uint64_t settings_size, char* error,
                                            uint64_t error_size) {
  try {
    return new Grammar(language, {source, source_size}, {settings, settings_size});
  } catch (const std::exception& failure) {
    std::strncpy(error, failure.what(), error_size - 1);
    return nullptr;
  }
}

// Whether parts of a tree can be asked for alone.
SOPILKA_EXPORT int32_t sopilka_grammar_is_local(const Grammar* grammar) {
  return grammar->rooted_query() != nullptr;
}

// Whether whole trees are walked, so that the query is asked about few of their nodes.
SOPILKA_EXPORT int32_t sopilka_grammar_is_walked(const Grammar* grammar) {
  return grammar->plan() != nullptr;
}

SOPILKA_EXPORT void sopilka_grammar_free(Grammar* grammar) { delete grammar; }

SOPILKA_EXPORT const char* sopilka_core_version() { return SOPILKA_TREE_SITTER_VERSION; }

// Sets the range of the root of a foreign tree and its count of children, to see that it is one.
SOPILKA_EXPORT void sopilka_look(const TSTree* tree, uint32_t* values) {
  const TSNode root = ts_tree_root_node(tree);
  values[0] = ts_node_start_byte(root);
  values[1] = ts_node_end_byte(root);
  values[2] = ts_node_child_count(root);
  values[3] = ts_node_symbol(root);
}

// Parses a text and takes its facts, `seconds` at most. Gives null where that fails.
SOPILKA_EXPORT Reading* sopilka_read(const Grammar* grammar, const char* text, uint64_t size,
                                     double seconds, int32_t* status, int32_t* has_errors,
                                     int32_t* is_finished) {
  try {
    const Deadline deadline = deadline_in(seconds);
    const std::string_view all(text, size);
    const Arena arena(grammar->language());
    const TSTree* tree = parse(grammar->language(), all, deadline).release();  // dies with the arena
    *status = deadline.has_passed() ? kSlow : kFailed;
    if (!tree) return nullptr;
    const TSNode root = ts_tree_root_node(tree);
    auto reading = std::make_unique<Reading>(*grammar);
    if (!read_tree(*grammar, tree, all, deadline, &reading->strings, &reading->tables)) {
      *status = kSlow;
      return nullptr;
    }
    *has_errors = ts_node_has_error(root);
    reading->tables.sort();
    reading->facts.derive(all, reading->tables, nullptr);
    *is_finished = finish_if_clean(&reading->facts);
    *status = kDone;
    return reading.release();
  } catch (const std::exception&) {
    *status = kFailed;
    return nullptr;
  }
}

SOPILKA_EXPORT Facts* sopilka_reading_facts(Reading* reading) { return &reading->facts; }

SOPILKA_EXPORT void sopilka_reading_free(Reading* reading) { delete reading; }

// A number that tells one text from another.
SOPILKA_EXPORT uint64_t sopilka_digest(const char* text, uint64_t size) {
  return hash_of({text, size});
}

// Only parses: what all else is measured against.
SOPILKA_EXPORT int32_t sopilka_parse(const Grammar* grammar, const char* text, uint64_t size) {
  const Arena arena(grammar->language());
  const TSTree* tree = parse(grammar->language(), {text, size}, {}).release();
  return tree ? ts_node_has_error(ts_tree_root_node(tree)) : -1;
}

SOPILKA_EXPORT Document* sopilka_document_new(const Grammar* grammar) {
  return new (std::nothrow) Document(*grammar);
}

SOPILKA_EXPORT void sopilka_document_free(Document* document) { delete document; }

SOPILKA_EXPORT void sopilka_document_edit(Document* document, int32_t start, int32_t old_end,
                                          int32_t new_end) {
  document->edit(start, old_end, new_end);
}

// See Document::update; `tree` is null while the text is not parsed to its end. 1: the tree is good, 0: it is not, -1: no memory.
SOPILKA_EXPORT int32_t sopilka_document_update(Document* document, const TSTree* good,
                                               const TSTree* tree, const char* text, uint64_t size,
                                               int32_t keep) {
  try {
    const bool is_good = document->update(good, tree, {text, size}, keep);
    finish_if_clean(&document->facts());
    return is_good;
  } catch (const std::exception&) {
    return -1;
  }
}

SOPILKA_EXPORT Facts* sopilka_document_facts(Document* document) { return &document->facts(); }

// The columns in the order of FileFacts, then the numbers of chunks that may hold secrets. Returns
// 1 if the text may hold key blocks. The columns are empty where there is something to look at.
SOPILKA_EXPORT int32_t sopilka_columns(const Facts* facts, Bytes* columns) {
  const Bytes all[] = {
      bytes_of(facts->packed_names), bytes_of(facts->symbols), bytes_of(facts->packed_details),
      bytes_of(facts->owners), bytes_of(facts->packed_owners), bytes_of(facts->references),
      bytes_of(facts->imports), bytes_of(facts->packed_imports), bytes_of(facts->chunks),
      bytes_of(facts->chunk_terms), bytes_of(facts->suspicious()),
  };
  std::copy(std::begin(all), std::end(all), columns);
  return facts->may_have_key_blocks();
}

// The finished columns in the order of FileFacts, one behind the other, and the size of each.
SOPILKA_EXPORT const char* sopilka_reading_columns(Reading* reading, uint64_t* sizes) {
  Bytes columns[kColumns + 1];
  sopilka_columns(&reading->facts, columns);
  uint64_t all = 0;
  for (int i = 0; i < kColumns; ++i) all += sizes[i] = columns[i].size;
  reading->packed.clear();
  reading->packed.reserve(all);
  for (int i = 0; i < kColumns; ++i) {
    if (sizes[i]) reading->packed.append(static_cast<const char*>(columns[i].data), sizes[i]);
  }
  return reading->packed.data();
}

// Byte ranges of the chunks as pairs, where the columns are not packed yet.
SOPILKA_EXPORT uint64_t sopilka_chunk_ranges(const Facts* facts, int32_t* pairs, uint64_t room) {
  const std::vector<Chunk>& chunks = facts->cut_pieces();
  for (uint64_t i = 0; i < chunks.size() && i < room; ++i) {
    pairs[2 * i] = chunks[i].start;
    pairs[2 * i + 1] = chunks[i].end;
  }
  return chunks.size();
}

SOPILKA_EXPORT void sopilka_mask_blocks(Facts* facts, const int32_t* pairs, uint64_t count) {
  facts->mask_blocks(ranges_of(pairs, count));
}

SOPILKA_EXPORT void sopilka_finish(Facts* facts, const int32_t* pairs, uint64_t count) {
  facts->finish(ranges_of(pairs, count));
}
