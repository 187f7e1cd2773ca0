#include "grammar.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace sopilka {
namespace {

constexpr std::string_view kRoot = "_root";

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

uint8_t number_of(const std::vector<std::string>& all, const std::string& word, const char* what) {
  const auto found = std::find(all.begin(), all.end(), word);
  if (found == all.end()) {
    throw std::invalid_argument("@" + std::string(what) + "." + word + " is no known " + what);
  }
  return static_cast<uint8_t>(found - all.begin());
}

const char* name_of(TSQueryError error) {
  switch (error) {
    case TSQueryErrorSyntax: return "syntax error";
    case TSQueryErrorNodeType: return "the grammar has no such node";
    case TSQueryErrorField: return "the grammar has no such field";
    case TSQueryErrorCapture: return "no such capture";
    case TSQueryErrorStructure: return "such a pattern can never match";
    default: return "the grammar was made for another tree-sitter";
  }
}

std::string_view text_of(const TSNode& node, std::string_view text) {
  const uint32_t start = ts_node_start_byte(node), end = ts_node_end_byte(node);
  return text.substr(start, end - start);
}

bool holds_for(const Predicate& predicate, std::string_view text) {
  if (predicate.is_literal) {
    const std::string_view wanted = predicate.values[0];
    const bool found = predicate.is_prefix ? text.starts_with(wanted)
                                           : text.find(wanted) != std::string_view::npos;
    return found == predicate.positive;
  }
  if (predicate.op == Predicate::Op::kMatch) {
    return std::regex_search(text.begin(), text.end(), predicate.pattern) == predicate.positive;
  }
  const auto& values = predicate.values;
  return (std::find(values.begin(), values.end(), text) != values.end()) == predicate.positive;
}

// Skips blanks and comments of a query.
size_t skip(std::string_view source, size_t at) {
  while (at < source.size()) {
    if (source[at] == ';') {
      while (at < source.size() && source[at] != '\n') ++at;
    } else if (std::isspace(static_cast<unsigned char>(source[at]))) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

size_t string_end(std::string_view source, size_t at) {
  for (++at; at < source.size() && source[at] != '"'; ++at) {
    if (source[at] == '\\') ++at;
  }
  return std::min(at + 1, source.size());
}

// End of the list or string that begins at `at`.
size_t form_end(std::string_view source, size_t at) {
  if (source[at] == '"') return string_end(source, at);
  int depth = 0;
  while (at < source.size()) {
    const char c = source[at];
    if (c == '"') {
      at = string_end(source, at);
      continue;
    }
    if (c == ';') {
      at = skip(source, at);
      continue;
    }
    ++at;
    depth += (c == '(' || c == '[') - (c == ')' || c == ']');
    if (!depth) break;
  }
  return at;
}

bool begins_form(char c) { return c == '(' || c == '[' || c == '"'; }

// Where the capture of the root of the pattern at `at` belongs: behind its node and quantifier.
size_t root_end(std::string_view source, size_t at) {
  const size_t inner = skip(source, at + 1);
  if (source[at] == '(' && inner < source.size() && begins_form(source[inner])) {
    return root_end(source, inner);  // a group, made for a predicate
  }
  size_t end = form_end(source, at);
  while (end < source.size() && std::string_view("?*+").find(source[end]) != std::string_view::npos)
    ++end;
  return end;
}

}  // namespace

std::string with_roots(std::string_view source) {
  std::string rooted;
  size_t done = 0;
  for (size_t at = skip(source, 0); at < source.size(); at = skip(source, at)) {
    if (!begins_form(source[at])) {
      ++at;  // captures and quantifiers behind a pattern
      continue;
    }
    const size_t end = root_end(source, at);
    rooted.append(source.substr(done, end - done)).append(" @").append(kRoot);
    done = end;
    at = std::max(end, form_end(source, at));
  }
  return rooted.append(source.substr(done));
}

Query::Query(const TSLanguage* language, std::string_view source, const Grammar& grammar) {
  uint32_t offset = 0;
  TSQueryError error = TSQueryErrorNone;
  query_ = ts_query_new(language, source.data(), static_cast<uint32_t>(source.size()), &offset,
                        &error);
  if (!query_) {
    const auto line = std::count(source.begin(), source.begin() + offset, '\n') + 1;
    const std::string_view rest = source.substr(offset);
    throw std::invalid_argument("line " + std::to_string(line) + ": " + name_of(error) +
                                ", at: " + std::string(rest.substr(0, rest.find('\n'))));
  }
  try {
    read_captures();
    read_patterns(source, grammar);
  } catch (...) {
    ts_query_delete(query_);
    throw;
  }
}

void Query::read_captures() {
  const std::pair<std::string_view, uint32_t*> known[] = {
      {"name", &ids_.name},         {"body", &ids_.body},
      {"signature", &ids_.signature}, {"bases", &ids_.bases},
      {"type", &ids_.type},         {"value", &ids_.value},
      {"owner", &ids_.owner},       {"receiver", &ids_.receiver},
      {"module", &ids_.module},     {"imported", &ids_.imported},
      {"alias", &ids_.alias},       {"binds", &ids_.binds},
      {"star", &ids_.star},         {"default", &ids_.fallback},
      {"exported.default", &ids_.exported_default}, {kRoot, &ids_.root},
  };
  for (uint32_t id = 0; id < ts_query_capture_count(query_); ++id) {
    uint32_t length = 0;
    const char* data = ts_query_capture_name_for_id(query_, id, &length);
    const std::string_view name(data, length);
    for (const auto& [word, place] : known) {
      if (word == name) *place = id;
    }
  }
}

void Query::read_patterns(std::string_view source, const Grammar& grammar) {
  patterns_.resize(ts_query_pattern_count(query_));
  local_ = ids_.root != CaptureIds::kNone;
  for (uint32_t number = 0; number < patterns_.size(); ++number) {
    Pattern& pattern = patterns_[number];
    const uint32_t start = ts_query_start_byte_for_pattern(query_, number);
    const uint32_t end = ts_query_end_byte_for_pattern(query_, number);
    const std::string_view written = source.substr(start, end - start);
    local_ = local_ && ts_query_is_pattern_rooted(query_, number) && written.substr(0, 2) != "(_";
    int heads = 0;
    for (uint32_t id = 0; id < ts_query_capture_count(query_); ++id) {
      if (ts_query_capture_quantifier_for_id(query_, number, id) == TSQuantifierZero) continue;
      uint32_t length = 0;
      const char* data = ts_query_capture_name_for_id(query_, id, &length);
      const std::string name(data, length);
      Find find = Find::kNothing;
      if (name == "reference.words") {
        find = Find::kWords;
        pattern.number = grammar.name_role;
      } else if (name.starts_with("reference.")) {
        find = Find::kReference;
        pattern.number = number_of(grammar.roles, name.substr(10), "reference");
      } else if (name == "definition.member") {
        find = Find::kDefinition;
        pattern.number = kMember;
      } else if (name == "definition.nameless") {
        find = Find::kDefinition;
        pattern.number = kNameless;
      } else if (name.starts_with("definition.")) {
        find = Find::kDefinition;
        pattern.number = number_of(grammar.kinds, name.substr(11), "definition");
      } else if (name == "import") {
        find = Find::kImport;
      } else if (name == "parameter") {
        find = Find::kParameter;
      } else if (name == "comment") {
        find = Find::kComment;
      } else if (name != "import.none") {
        continue;
      }
      pattern.find = find;
      pattern.head = id;
      ++heads;
    }
    if (heads != 1) {
      throw std::invalid_argument(
          "a pattern needs one capture of @definition.*, @reference.*, @import, @parameter or "
          "@comment: " + std::string(written));
    }
    read_predicates(number, &pattern);
  }
}

WalkPlan* Query::plan_walk() {
  const std::unique_ptr<bool[]> may_be_plain(new bool[patterns_.size()]);
  for (size_t number = 0; number < patterns_.size(); ++number) {
    const Pattern& pattern = patterns_[number];
    may_be_plain[number] = (pattern.find == Find::kReference || pattern.find == Find::kComment) &&
                           pattern.predicates.empty();
  }
  return sopilka_plan_new(query_, may_be_plain.get());
}

void Query::read_predicates(uint32_t number, Pattern* pattern) {
  uint32_t count = 0;
  const TSQueryPredicateStep* steps = ts_query_predicates_for_pattern(query_, number, &count);
  const auto string_of = [&](const TSQueryPredicateStep& step) {
    uint32_t length = 0;
    const char* data = ts_query_string_value_for_id(query_, step.value_id, &length);
    return std::string(data, length);
  };
  for (uint32_t first = 0, last = 0; first < count; first = last + 1) {
    for (last = first; steps[last].type != TSQueryPredicateStepTypeDone;) ++last;
    std::string op = string_of(steps[first]);
    if (op == "set!" || op == "is?" || op == "is-not?") continue;
    const std::string written = op;
    Predicate predicate{};
    predicate.any = op.starts_with("any-") && op != "any-of?";
    if (predicate.any) op = op.substr(4);
    predicate.positive = !op.starts_with("not-");
    if (!predicate.positive) op = op.substr(4);
    const uint32_t arguments = last - first - 1;
    const bool has_capture =
        arguments >= 2 && steps[first + 1].type == TSQueryPredicateStepTypeCapture;
    const bool other_is_capture =
        arguments == 2 && steps[first + 2].type == TSQueryPredicateStepTypeCapture;
    if (has_capture) predicate.capture = steps[first + 1].value_id;
    if (has_capture && op == "eq?" && other_is_capture) {
      predicate.op = Predicate::Op::kEqualCapture;
      predicate.other = steps[first + 2].value_id;
    } else if (has_capture && !other_is_capture && op == "eq?" && arguments == 2) {
      predicate.op = Predicate::Op::kEqualString;
      predicate.values = {string_of(steps[first + 2])};
    } else if (has_capture && !other_is_capture && op == "match?" && arguments == 2) {
      predicate.op = Predicate::Op::kMatch;
      std::string written_pattern = string_of(steps[first + 2]);
      predicate.pattern = std::regex(written_pattern, std::regex::optimize);
      predicate.is_prefix = written_pattern.starts_with("^");
      if (predicate.is_prefix) written_pattern.erase(0, 1);
      predicate.is_literal = written_pattern.find_first_of("^$.*+?()[]{}|\\") == std::string::npos;
      predicate.values = {written_pattern};
    } else if (has_capture && op == "any-of?") {
      predicate.op = Predicate::Op::kAnyOf;
      for (uint32_t i = first + 2; i < last; ++i) predicate.values.push_back(string_of(steps[i]));
    } else {
      throw std::invalid_argument(
          "the predicate #" + written + " is not known here, or has other arguments: use #eq?, "
          "#match? or #any-of?, with not- or any- before");
    }
    pattern->predicates.push_back(std::move(predicate));
  }
}

bool Query::all_hold(const std::vector<Predicate>& predicates, const TSQueryMatch& match,
                     std::string_view text) const {
  for (const Predicate& predicate : predicates) {
    bool result = true;
    std::vector<std::string_view> others;
    if (predicate.op == Predicate::Op::kEqualCapture) {
      for (uint16_t i = 0; i < match.capture_count; ++i) {
        const TSQueryCapture& capture = match.captures[i];
        if (capture.index == predicate.other) others.push_back(text_of(capture.node, text));
      }
    }
    size_t position = 0;
    for (uint16_t i = 0; i < match.capture_count; ++i) {
      const TSQueryCapture& capture = match.captures[i];
      if (capture.index != predicate.capture) continue;
      const std::string_view own = text_of(capture.node, text);
      if (predicate.op == Predicate::Op::kEqualCapture) {
        if (position >= others.size()) break;
        result = (own == others[position++]) == predicate.positive;
      } else {
        result = holds_for(predicate, own);
      }
      if (result == predicate.any) break;
    }
    if (!result) return false;
  }
  return true;
}

Grammar::Grammar(const TSLanguage* language, std::string_view source, std::string_view settings)
    : language_(language), source_(source) {
  read_settings(settings);
  query_ = std::make_unique<Query>(language_, source_, *this);
  others_ = std::make_unique<Query>(language_, source_, *this);
  plan_.reset(others_->plan_walk());
}

const Query* Grammar::rooted_query() const {
  std::call_once(rooted_once_, [this] {
    try {
      rooted_ = std::make_unique<Query>(language_, with_roots(source_), *this);
    } catch (const std::exception&) {
      rooted_.reset();  // the plain query serves, over whole trees
    }
    if (rooted_ && !rooted_->is_local()) rooted_.reset();
  });
  return rooted_.get();
}

uint64_t Grammar::kind_set(const std::vector<std::string>& words) const {
  uint64_t set = 0;
  for (size_t i = 1; i < words.size(); ++i) set |= 1ull << number_of(kinds, words[i], "definition");
  return set;
}

void Grammar::read_settings(std::string_view settings) {
  std::istringstream lines{std::string(settings)};
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    const std::string& key = words[0];
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    if (key == "kinds") kinds = rest;
    else if (key == "roles") roles = rest;
    else if (key == "receivers") receivers = rest;
    else if (key == "docstring") has_docstring_inside = rest.size() == 1 && rest[0] == "inside";
    else if (key == "imports") imports_are_split = rest.size() == 1 && rest[0] == "split";
    else if (key == "trigger") triggers.add(words.at(1), words.size() > 2 ? words[2] : "");
    else if (key == "containers") containers = kind_set(words);
    else if (key == "functions") functions = kind_set(words);
    else if (key == "values") values = kind_set(words);
    else if (key == "cutting") cutting = kind_set(words);
    else if (key == "sigils") sigils = rest.empty() ? "" : rest[0];
  }
  function = number_of(kinds, "function", "definition");
  method = number_of(kinds, "method", "definition");
  variable = number_of(kinds, "variable", "definition");
  constant = number_of(kinds, "constant", "definition");
  field = number_of(kinds, "field", "definition");
  module = number_of(kinds, "module", "definition");
  import_role = number_of(roles, "import", "reference");
  name_role = number_of(roles, "name", "reference");
}

}  // namespace sopilka
