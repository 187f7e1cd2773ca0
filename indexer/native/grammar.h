// A grammar with its facts query: what every pattern finds, and which predicates it has.
#pragma once

#include <tree_sitter/api.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "chunks.h"
#include "walk.h"

namespace sopilka {

enum class Find : uint8_t { kNothing, kReference, kWords, kDefinition, kImport, kParameter, kComment };

constexpr uint8_t kNameless = 254;  // a function without a name: no symbol, but names in it are local
constexpr uint8_t kMember = 255;  // the kind of `self.x = ...`, a field once its class is known

struct Predicate {
  enum class Op : uint8_t { kEqualString, kEqualCapture, kMatch, kAnyOf } op;
  bool positive;  // false for #not-eq? and the like
  bool any;       // one of several captured nodes is enough
  uint32_t capture;
  uint32_t other = 0;
  std::vector<std::string> values;
  std::regex pattern;
  bool is_prefix = false, is_literal = false;  // a #match? of values[0], which need no regex
};

struct Pattern {
  Find find = Find::kNothing;
  uint8_t number = 0;  // of the kind or role
  uint32_t head = 0;   // the capture that says what the pattern finds
  std::vector<Predicate> predicates;
};

// What a capture of a query is for, besides the heads.
struct CaptureIds {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t name = kNone, body = kNone, signature = kNone, bases = kNone, type = kNone;
  uint32_t value = kNone, owner = kNone, receiver = kNone, module = kNone, imported = kNone;
  uint32_t alias = kNone, binds = kNone, star = kNone, fallback = kNone;  // @default
  uint32_t exported_default = kNone, root = kNone;
};

// A compiled query. One is used by many threads at once.
class Query {
 public:
  Query(const TSLanguage* language, std::string_view source, const class Grammar& grammar);
  ~Query() { ts_query_delete(query_); }
  Query(const Query&) = delete;

  const TSQuery* get() const { return query_; }
  const Pattern& pattern(uint16_t number) const { return patterns_[number]; }
  const CaptureIds& ids() const { return ids_; }
  // Leaves to a walk what it can find; null where it can find nothing for this query.
  WalkPlan* plan_walk();
  // Whether what a part of the tree gives can be asked for alone: every match tells its root.
  bool is_local() const { return local_; }
  bool holds(const TSQueryMatch& match, std::string_view text) const {
    const auto& predicates = patterns_[match.pattern_index].predicates;
    return predicates.empty() || all_hold(predicates, match, text);
  }

 private:
  bool all_hold(const std::vector<Predicate>&, const TSQueryMatch&, std::string_view text) const;
  void read_captures();
  void read_patterns(std::string_view source, const class Grammar& grammar);
  void read_predicates(uint32_t pattern, Pattern* found);

  TSQuery* query_ = nullptr;
  std::vector<Pattern> patterns_;
  std::vector<uint32_t> head_ids_;  // captures that are heads
  CaptureIds ids_;
  bool local_ = false;
};

// One language as the index reads it. Errors in its query are thrown as std::invalid_argument.
class Grammar {
 public:
  // `settings` are lines "key value...": see native.py.
  Grammar(const TSLanguage* language, std::string_view source, std::string_view settings);

  const TSLanguage* language() const { return language_; }
  const Query& query() const { return *query_; }
  // How whole trees are walked, with `others` for the nodes that the walk tells of; null: not at
  // all, and the query is asked about the tree.
  const WalkPlan* plan() const { return plan_.get(); }
  const Query& others() const { return *others_; }
  // The query that also captures the root of each match; null if that cannot be had.
  const Query* rooted_query() const;

  bool has_docstring_inside = false;
  bool imports_are_split = false;  // import statements are put together by the caller
  std::vector<std::string> receivers, kinds, roles;
  std::string sigils;  // characters before a name that are not part of it
  uint64_t containers = 0, functions = 0, values = 0, cutting = 0;  // sets of kinds
  uint8_t function = 0, method = 0, variable = 0, constant = 0, field = 0, module = 0;
  uint8_t import_role = 0, name_role = 0;
  Triggers triggers;

 private:
  void read_settings(std::string_view settings);
  uint64_t kind_set(const std::vector<std::string>& words) const;

  const TSLanguage* language_;
  std::string source_;
  struct PlanDeleter {
    void operator()(WalkPlan* plan) const { sopilka_plan_free(plan); }
  };
  std::unique_ptr<Query> query_, others_;
  std::unique_ptr<WalkPlan, PlanDeleter> plan_;
  mutable std::once_flag rooted_once_;
  mutable std::unique_ptr<Query> rooted_;
};

// The query source with ` @_root` behind the root of each pattern.
std::string with_roots(std::string_view source);

}  // namespace sopilka
