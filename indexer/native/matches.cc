#include "matches.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>

#include "text.h"

namespace sopilka {
namespace {

Range range_of(const TSNode& node) {
  return {static_cast<int32_t>(ts_node_start_byte(node)),
          static_cast<int32_t>(ts_node_end_byte(node))};
}

// The captures of one match.
class Captures {
 public:
  Captures(const TSQueryMatch& match, std::string_view text) : match_(match), text_(text) {}

  const TSNode* first(uint32_t id) const {
    for (uint16_t i = 0; i < match_.capture_count; ++i) {
      if (match_.captures[i].index == id) return &match_.captures[i].node;
    }
    return nullptr;
  }
  std::vector<std::string_view> texts(uint32_t id) const {
    std::vector<std::string_view> found;
    for (uint16_t i = 0; i < match_.capture_count; ++i) {
      if (match_.captures[i].index == id) found.push_back(text_of(match_.captures[i].node));
    }
    return found;
  }
  std::string_view text_of(const TSNode& node) const {
    const Range range = range_of(node);
    return text_.substr(range.start, range.end - range.start);
  }
  // How many different captures there are; `ignored` is none of them.
  uint8_t distinct(uint32_t ignored) const {
    uint64_t seen = 0;
    for (uint16_t i = 0; i < match_.capture_count; ++i) {
      const uint32_t id = match_.captures[i].index;
      if (id != ignored) seen |= 1ull << (id & 63);
    }
    return static_cast<uint8_t>(__builtin_popcountll(seen));
  }
  uint16_t count(uint32_t ignored) const {
    uint16_t found = 0;
    for (uint16_t i = 0; i < match_.capture_count; ++i) {
      found += match_.captures[i].index != ignored;
    }
    return found;
  }
  const TSQueryMatch& match() const { return match_; }

 private:
  const TSQueryMatch& match_;
  std::string_view text_;
};

bool is_type(const TSNode& node, const char* type) {
  return std::strcmp(ts_node_type(node), type) == 0;
}

// The string that is the first statement of a body; an empty range at `none` where it is not.
Range docstring_in(const TSNode& body, int32_t none) {
  TSNode statement = ts_node_named_child(body, 0);
  while (!ts_node_is_null(statement) && is_type(statement, "comment")) {
    statement = ts_node_next_named_sibling(statement);
  }
  if (ts_node_is_null(statement) || !is_type(statement, "expression_statement")) {
    return {none, none};
  }
  const TSNode string = ts_node_child(statement, 0);
  if (ts_node_is_null(string) || !is_type(string, "string")) return {none, none};
  return range_of(string);
}

class Reader {
 public:
  Reader(const Grammar& grammar, const Query& query, std::string_view text, Strings* strings,
         Tables* tables)
      : grammar_(grammar), ids_(query.ids()), text_(text), strings_(strings), tables_(tables) {}

  void read(const Pattern& pattern, const Captures& captures) {
    const TSNode head = *captures.first(pattern.head);
    switch (pattern.find) {
      case Find::kReference:
        read_reference(root_of(captures), shown(range_of(head)), pattern.number);
        break;
      case Find::kWords:
        read_words(root_of(captures), range_of(head), pattern.number);
        break;
      case Find::kDefinition:
        read_definitions(pattern, captures, head);
        break;
      case Find::kImport:
        tables_->clauses.push_back(clause(captures, range_of(head)));
        break;
      case Find::kComment:
        tables_->comments.push_back({{root_of(captures)}, range_of(head)});
        break;
      case Find::kParameter:
        tables_->parameters.push_back(
            {{root_of(captures)}, range_of(head).start, strings_->number(captures.text_of(head)),
             strings_->number(type_names(captures.texts(ids_.type), false))});
        break;
      case Find::kNothing:
        break;
    }
  }

  // As `read`, for a pattern with one captured node.
  void read_one(const Pattern& pattern, Range node) {
    const Range all{0, static_cast<int32_t>(text_.size())};
    if (pattern.find == Find::kComment) tables_->comments.push_back({{all}, node});
    else read_reference(all, shown(node), pattern.number);
  }

 private:
  Range root_of(const Captures& captures) const {
    const TSNode* root = ids_.root == CaptureIds::kNone ? nullptr : captures.first(ids_.root);
    return root ? range_of(*root) : Range{0, static_cast<int32_t>(text_.size())};
  }

  std::string_view text_in(Range range) const {
    return text_.substr(range.start, range.end - range.start);
  }

  Range shown(Range name) const {
    const Part part = name_in(text_in(name), grammar_.sigils);
    return {name.start + part.start, name.start + part.end};
  }

  void read_reference(Range root, Range node, uint8_t role) {
    if (node.start == node.end) return;  // the parser made up what is missing
    tables_->references.push_back({{root}, node, strings_->number(text_in(node)), role});
  }

  // Several names divided by blanks: the value of `class` in a page.
  void read_words(Range root, Range node, uint8_t role) {
    const auto divides = [](char c) { return is_blank(c) && c != '\v'; };
    for (int32_t i = node.start; i < node.end;) {
      const int32_t start = i;
      while (i < node.end && !divides(text_[i])) ++i;
      if (i > start) read_reference(root, {start, i}, role);
      else ++i;
    }
  }

  void read_definitions(const Pattern& pattern, const Captures& captures, const TSNode& head) {
    Definition found{};
    found.root = root_of(captures);
    found.node = range_of(head);
    found.pattern = captures.match().pattern_index;
    found.nodes = captures.count(ids_.root);
    found.captures = captures.distinct(ids_.root);
    found.kind = pattern.number;
    const TSNode* signature = captures.first(ids_.signature);
    found.signature = {signature ? range_of(*signature).start : found.node.start, found.node.end};
    found.docstring = {found.node.start, found.node.start};
    if (const TSNode* body = captures.first(ids_.body)) {
      const int32_t start = found.signature.start;
      int32_t end = std::max(start, range_of(*body).start);
      while (end > start && is_blank(text_[end - 1])) --end;
      found.signature.end = end;
      if (grammar_.has_docstring_inside) found.docstring = docstring_in(*body, found.node.start);
    }
    const TSNode* receiver = captures.first(ids_.receiver);
    found.is_own_receiver = !receiver || is_receiver(captures.text_of(*receiver));
    const TSNode* owner = captures.first(ids_.owner);
    found.owner = owner ? strings_->number(last_name(captures.text_of(*owner))) : -1;
    found.detail = detail(captures);
    for (uint16_t i = 0; i < captures.match().capture_count; ++i) {
      const TSQueryCapture& capture = captures.match().captures[i];
      if (capture.index != ids_.name) continue;
      found.name = range_of(capture.node);
      if (found.name.start == found.name.end) continue;  // the parser made up what is missing
      found.shown = shown(found.name);
      found.name_number = strings_->number(text_in(found.shown));
      tables_->definitions.push_back(found);
    }
  }

  bool is_receiver(std::string_view text) const {
    const auto& receivers = grammar_.receivers;
    return std::find(receivers.begin(), receivers.end(), text) != receivers.end();
  }

  // Bases of a class, or a declared or constructed type; `=name` for the type of a parameter.
  int32_t detail(const Captures& captures) {
    if (captures.first(ids_.bases)) {
      return strings_->number(type_names(captures.texts(ids_.bases), true));
    }
    if (captures.first(ids_.type)) {
      return strings_->number(type_names(captures.texts(ids_.type), false));
    }
    const TSNode* value = captures.first(ids_.value);
    if (!value) return strings_->number("");
    return strings_->number("=" + std::string(captures.text_of(*value)));
  }

  Clause clause(const Captures& captures, Range statement) {
    const auto get = [&](uint32_t id) {
      const TSNode* node = id == CaptureIds::kNone ? nullptr : captures.first(id);
      std::string_view found = node ? captures.text_of(*node) : std::string_view();
      constexpr std::string_view kQuotes = "\"'`<>";
      while (!found.empty() && kQuotes.find(found.front()) != kQuotes.npos) found.remove_prefix(1);
      while (!found.empty() && kQuotes.find(found.back()) != kQuotes.npos) found.remove_suffix(1);
      return found;
    };
    const auto has = [&](uint32_t id) { return id != CaptureIds::kNone && captures.first(id); };
    std::string_view module = get(ids_.module);
    int32_t level = 0;
    if (module.find('/') == module.npos) {
      while (static_cast<size_t>(level) < module.size() && module[level] == '.') ++level;
      module = trimmed(module.substr(level));
    } else {
      module = trimmed(module);
    }
    const std::string_view imported = get(ids_.imported), alias = get(ids_.alias);
    Clause found{{root_of(captures)}, statement, strings_->number(module), -1, -1,
                 strings_->number(get(ids_.binds)), level, has(ids_.star)};
    if (has(ids_.fallback)) {
      found.imported = strings_->number("default");
      found.here = strings_->number(get(ids_.fallback));
    } else if (!imported.empty()) {
      found.imported = strings_->number(imported);
      if (has(ids_.exported_default)) found.here = strings_->number("default");
      else found.here = strings_->number(alias.empty() ? imported : alias);
    }
    return found;
  }

  const Grammar& grammar_;
  const CaptureIds& ids_;
  std::string_view text_;
  Strings* strings_;
  Tables* tables_;
};

struct CursorDeleter {
  void operator()(TSQueryCursor* cursor) const { ts_query_cursor_delete(cursor); }
};

void read_all(TSQueryCursor* cursor, const Query& query, std::string_view text, Reader* reader) {
  for (TSQueryMatch match; ts_query_cursor_next_match(cursor, &match);) {
    const Pattern& pattern = query.pattern(match.pattern_index);
    if (pattern.find == Find::kNothing || !query.holds(match, text)) continue;
    reader->read(pattern, Captures(match, text));
  }
}

}  // namespace

uint64_t used_nanoseconds() {
#ifdef CLOCK_THREAD_CPUTIME_ID
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
#else
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
#endif
}

bool Deadline::has_passed() const { return at && used_nanoseconds() > at; }

void Tables::clear() {
  each([](auto& rows) { rows.clear(); });
}

void Tables::sort() {
  each([](auto& rows) {
    const auto before = [](const auto& a, const auto& b) { return a.anchor() < b.anchor(); };
    if (!std::is_sorted(rows.begin(), rows.end(), before)) {
      std::stable_sort(rows.begin(), rows.end(), before);
    }
  });
}

bool read_matches(const Grammar& grammar, const Query& query, TSNode root, std::string_view text,
                  const Range* range, Deadline deadline, Strings* strings, Tables* tables) {
  std::unique_ptr<TSQueryCursor, CursorDeleter> cursor(ts_query_cursor_new());
  if (range) {
    ts_query_cursor_set_byte_range(cursor.get(), std::max(0, range->start - 1), range->end + 1);
  }
  TSQueryCursorOptions options{&deadline, [](TSQueryCursorState* state) {
                                 return static_cast<Deadline*>(state->payload)->has_passed_by_now();
                               }};
  ts_query_cursor_exec_with_options(cursor.get(), query.get(), root, &options);
  Reader reader(grammar, query, text, strings, tables);
  read_all(cursor.get(), query, text, &reader);
  return !deadline.has_passed();
}

bool read_tree(const Grammar& grammar, const TSTree* tree, std::string_view text, Deadline deadline,
               Strings* strings, Tables* tables) {
  if (!grammar.plan()) {
    return read_matches(grammar, grammar.query(), ts_tree_root_node(tree), text, nullptr, deadline,
                        strings, tables);
  }
  struct Walk {
    const Query& others;
    std::string_view text;
    Deadline deadline;
    Reader reader;
    std::unique_ptr<TSQueryCursor, CursorDeleter> cursor;
    TSQueryCursorOptions options;
  };
  const Query& others = grammar.others();
  Walk walk{others, text, deadline, Reader(grammar, others, text, strings, tables),
            std::unique_ptr<TSQueryCursor, CursorDeleter>(ts_query_cursor_new()), {}};
  ts_query_cursor_set_max_start_depth(walk.cursor.get(), 0);
  walk.options = {&walk.deadline, [](TSQueryCursorState* state) {
                    return static_cast<Deadline*>(state->payload)->has_passed_by_now();
                  }};
  const WalkEvents events{
      &walk,
      [](void* payload, uint16_t pattern, uint32_t start, uint32_t end) {
        auto* self = static_cast<Walk*>(payload);
        self->reader.read_one(self->others.pattern(pattern),
                              {static_cast<int32_t>(start), static_cast<int32_t>(end)});
      },
      [](void* payload, TSNode node) {
        auto* self = static_cast<Walk*>(payload);
        ts_query_cursor_exec_with_options(self->cursor.get(), self->others.get(), node,
                                          &self->options);
        read_all(self->cursor.get(), self->others, self->text, &self->reader);
        return true;
      },
      [](void* payload) { return static_cast<Walk*>(payload)->deadline.has_passed(); },
  };
  return sopilka_walk(grammar.plan(), tree, &events) && !deadline.has_passed();
}

}  // namespace sopilka
