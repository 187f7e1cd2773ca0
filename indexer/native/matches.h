// What the facts query finds, as flat rows: everything else is derived from them in linear passes.
//
// A row holds offsets and numbers of strings only, so rows move with the text by adding a shift.
#pragma once

#include <tree_sitter/api.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar.h"
#include "strings.h"

namespace sopilka {

// Half-open byte range.
struct Range {
  int32_t start, end;
  bool touches(const Range& other) const { return start <= other.end && other.start <= end; }
};

// What all rows have: the node that the pattern began with. A match depends on that node alone.
struct Row {
  Range root;
};

struct Definition : Row {
  Range node, name, signature, docstring;
  Range shown;  // the name without sigils and quotes
  int32_t name_number, detail, owner;  // of strings; owner -1: none
  uint16_t pattern, nodes;
  uint8_t captures, kind;
  bool is_own_receiver;  // for kMember: whether it is a member of the object itself

  int32_t anchor() const { return name.start; }
};

struct Reference : Row {
  Range node;
  int32_t name;
  uint8_t role;

  int32_t anchor() const { return node.start; }
};

struct Clause : Row {  // of an import statement
  Range statement;
  int32_t module, imported, here, binds;  // strings; imported and here are -1 without a name
  int32_t level;
  bool star;

  int32_t anchor() const { return statement.start; }
};

struct Comment : Row {
  Range node;

  int32_t anchor() const { return node.start; }
};

struct Parameter : Row {
  int32_t start, name, type;

  int32_t anchor() const { return start; }
};

// All rows of a text, each table ordered by anchor; rows with the same anchor in query order.
struct Tables {
  std::vector<Definition> definitions;
  std::vector<Reference> references;
  std::vector<Clause> clauses;
  std::vector<Comment> comments;
  std::vector<Parameter> parameters;

  template <typename Visit>
  void each(Visit visit) {
    visit(definitions);
    visit(references);
    visit(clauses);
    visit(comments);
    visit(parameters);
  }
  template <typename Visit>
  void each_with(const Tables& other, Visit visit) {
    visit(definitions, other.definitions);
    visit(references, other.references);
    visit(clauses, other.clauses);
    visit(comments, other.comments);
    visit(parameters, other.parameters);
  }
  void clear();
  void sort();
};

// Nanoseconds of processor time that this thread has used.
uint64_t used_nanoseconds();

// When work on a text is given up, in this thread's processor time; 0: never.
struct Deadline {
  uint64_t at = 0;
  uint32_t looks = 0;

  // As `has_passed`, for those who ask all the time: looks at the clock now and then.
  bool has_passed_by_now() { return at && ++looks % 32 == 0 && has_passed(); }
  bool has_passed() const;
};

// Runs a query over a tree, or over the matches in it whose root touches a range; adds rows, not
// sorted. Returns false when the deadline passed.
bool read_matches(const Grammar& grammar, const Query& query, TSNode root, std::string_view text,
                  const Range* range, Deadline deadline, Strings* strings, Tables* tables);

// As above, over a whole tree.
bool read_tree(const Grammar& grammar, const TSTree* tree, std::string_view text, Deadline deadline,
               Strings* strings, Tables* tables);

}  // namespace sopilka
