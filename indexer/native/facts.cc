#include "facts.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "text.h"

namespace sopilka {
namespace {

constexpr std::string_view kKeyBlock = "PRIVATE KEY";
constexpr uint64_t kRoundsKept = 4;

bool is_in(uint64_t kinds, int32_t kind) { return kinds >> kind & 1; }

// Whether a match says more about the same name than the one known.
bool is_better(const Definition& found, const Definition& known) {
  if (found.pattern != known.pattern) return found.pattern < known.pattern;
  if (found.captures != known.captures) return found.captures > known.captures;
  return found.nodes > known.nodes;
}

void append(std::string* packed, std::string_view string) {
  packed->append(string);
  packed->push_back('\0');
}

void blot(std::string* text, const std::vector<Range>& ranges) {
  for (const Range& range : ranges) {
    for (int32_t i = range.start; i < range.end; ++i) {
      char& c = (*text)[i];
      if (c != '\r' && c != '\n') c = '*';
    }
  }
}

}  // namespace

void ChunkMemory::forget_old() {
  ++round;
  if (known.size() < 4'000) return;
  std::erase_if(known, [&](const auto& entry) { return entry.second.used + kRoundsKept < round; });
}

void Facts::derive(std::string_view text, const Tables& tables, ChunkMemory* memory) {
  memory_ = memory ? memory : &own_memory_;
  text_ = text;
  line_starts_ = line_starts(text);
  choose_definitions(tables.definitions);
  nest();
  drop_repeated_values();
  resolve_parameter_types(tables.parameters);
  choose_references(tables.references, tables.clauses);
  if (!grammar_.has_docstring_inside) attach_comments(tables.comments);
  pack_imports(tables.clauses);
  may_have_key_blocks_ = text.find(kKeyBlock) != text.npos;
  masked_.clear();
  cut();
}

// Of several matches for one name keeps that of the earliest pattern, then the fullest.
void Facts::choose_definitions(const std::vector<Definition>& all) {
  chosen_.clear();
  for (const Definition& found : all) {
    if (chosen_.empty() || chosen_.back()->name.start != found.name.start) {
      chosen_.push_back(&found);
    } else if (is_better(found, *chosen_.back())) {
      chosen_.back() = &found;
    }
  }
  const auto before = [](const Definition* a, const Definition* b) {
    if (a->node.start != b->node.start) return a->node.start < b->node.start;
    if (a->node.end != b->node.end) return a->node.end > b->node.end;
    return a->name.start < b->name.start;
  };
  if (!std::is_sorted(chosen_.begin(), chosen_.end(), before)) {
    std::sort(chosen_.begin(), chosen_.end(), before);
  }
}

void Facts::nest() {
  symbols_.clear();
  std::vector<Around> around;  // outermost first
  int32_t first_line = 0;
  for (const Definition* found : chosen_) {
    while (!around.empty() && around.back().end <= found->name.start) around.pop_back();
    if (found->kind == kNameless) {
      const int32_t row = around.empty() ? -1 : around.back().row;
      around.push_back({found->node.end, grammar_.function, row});
      continue;
    }
    int32_t kind, parent;
    if (!place(*found, around, &kind, &parent)) continue;
    if (!is_in(grammar_.values, kind)) {
      around.push_back({found->node.end, kind, static_cast<int32_t>(symbols_.size())});
    }
    first_line = line_of(line_starts_, found->node.start, first_line);
    const int32_t last = std::max(found->node.start, found->node.end - 1);
    symbols_.push_back({{found->name_number, kind, parent, found->node.start, found->node.end,
                         found->shown.start, found->shown.end, found->signature.start,
                         found->signature.end, found->docstring.start, found->docstring.end,
                         first_line, line_of(line_starts_, last, first_line)},
                        found->detail,
                        found->owner});
  }
}

// The final kind of a definition and the row of its container; false for local names.
bool Facts::place(const Definition& found, const std::vector<Around>& around, int32_t* kind,
                  int32_t* parent) const {
  const int32_t inner = around.empty() ? -1 : around.back().kind;
  *parent = around.empty() ? -1 : around.back().row;
  *kind = found.kind;
  if (found.kind == kMember) {
    if (!found.is_own_receiver) return false;
    for (auto outer = around.rbegin(); outer != around.rend(); ++outer) {
      if (!is_in(grammar_.containers, outer->kind)) continue;
      *kind = grammar_.field;
      *parent = outer->row;
      return true;
    }
    return false;
  }
  const bool in_type = inner >= 0 && is_in(grammar_.containers, inner) && inner != grammar_.module;
  const bool belongs = in_type || found.owner >= 0;
  if (is_in(grammar_.functions, found.kind)) {
    *kind = belongs ? grammar_.method : grammar_.function;
  } else if (found.kind == grammar_.variable || found.kind == grammar_.constant) {
    if (inner >= 0 && is_in(grammar_.functions, inner)) return false;
    if (belongs) *kind = grammar_.field;
  } else if (found.kind == grammar_.field && !belongs) {
    return false;
  }
  return true;
}

// Keeps the first assignment of each variable and field, with the first type that is known.
void Facts::drop_repeated_values() {
  struct Place {
    int32_t parent, name, owner;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    size_t operator()(const Place& place) const {
      const uint64_t high = static_cast<uint32_t>(place.parent), low = static_cast<uint32_t>(place.name);
      return (high << 32 ^ low) * 0x9E3779B97F4A7C15ull ^ static_cast<uint32_t>(place.owner);
    }
  };
  const int32_t nothing = strings_->number(""), none = strings_->number("=None");
  std::unordered_map<Place, int32_t, Hash> first;
  std::vector<int32_t> position(symbols_.size());
  int32_t kept = 0;
  for (size_t row = 0; row < symbols_.size(); ++row) {
    Symbol& symbol = symbols_[row];
    int32_t& parent = symbol.columns[kParent];
    if (parent >= 0) parent = position[parent];
    if (is_in(grammar_.values, symbol.columns[kKind])) {
      const int32_t owner = symbol.owner >= 0 ? symbol.owner : nothing;
      const auto [known, is_fresh] =
          first.try_emplace({parent, symbol.columns[kName], owner}, kept);
      if (!is_fresh) {
        int32_t& detail = symbols_[known->second].detail;
        if (detail == nothing || detail == none) detail = symbol.detail;
        continue;
      }
    }
    position[row] = kept;
    if (static_cast<size_t>(kept) != row) symbols_[kept] = symbol;
    ++kept;
  }
  symbols_.resize(kept);
}

// Gives `self.x = x` the type of the parameter x, declared before it in the same class.
void Facts::resolve_parameter_types(const std::vector<Parameter>& parameters) {
  auto next = parameters.begin();
  latest_parameters_.clear();
  for (Symbol& symbol : symbols_) {  // by their starts, as parameters are
    const std::string_view detail = (*strings_)[symbol.detail];
    if (detail.empty() || detail[0] != '=') continue;
    for (; next != parameters.end() && next->start < symbol.columns[kStart]; ++next) {
      const auto name = static_cast<size_t>(next->name);
      if (name >= latest_parameters_.size()) latest_parameters_.resize(strings_->size());
      latest_parameters_[name] = &*next;
    }
    const int32_t parent = symbol.columns[kParent];
    const int32_t low = parent >= 0 ? symbols_[parent].columns[kStart] : 0;
    const auto name = static_cast<size_t>(strings_->number(detail.substr(1)));
    const Parameter* found = name < latest_parameters_.size() ? latest_parameters_[name] : nullptr;
    symbol.detail = found && found->start >= low ? found->type : strings_->number("");
  }
}

// Of several roles of one identifier the most telling counts; what defines a symbol is no use.
void Facts::choose_references(const std::vector<Reference>& all,
                              const std::vector<Clause>& clauses) {
  std::vector<int32_t> defined;
  defined.reserve(symbols_.size());
  for (const Symbol& symbol : symbols_) defined.push_back(symbol.columns[kNameStart]);
  std::sort(defined.begin(), defined.end());
  uses_.resize(all.size());
  Use* last = uses_.data() - 1;
  int32_t last_end = 0;
  auto definition = defined.begin();
  for (const Reference& found : all) {
    const int32_t start = found.node.start;
    while (definition != defined.end() && *definition < start) ++definition;
    if (definition != defined.end() && *definition == start) continue;
    if (last < uses_.data() || last->start != start) {
      ++last;
    } else if (found.role < last->role ||
               (found.role == last->role && found.node.end >= last_end)) {
      continue;
    }
    *last = {found.name, start, found.role};
    last_end = found.node.end;
  }
  uses_.resize(last + 1 - uses_.data());
  const auto before = [](const Use& use, int32_t at) { return use.start < at; };
  for (const Clause& clause : clauses) {
    auto use = std::lower_bound(uses_.begin(), uses_.end(), clause.statement.start, before);
    for (; use != uses_.end() && use->start < clause.statement.end; ++use) {
      use->role = grammar_.import_role;
    }
  }
}

// Takes the comments on the lines just above a definition as its docstring.
void Facts::attach_comments(const std::vector<Comment>& comments) {
  struct Block {
    Range range;
    int32_t first, last;  // lines
  };
  std::vector<Block> blocks;  // by their last lines; of those with the same one the last counts
  int32_t line = 0;
  for (const Comment& comment : comments) {
    const Range range = comment.node;
    line = line_of(line_starts_, range.start, line);
    const int32_t line_start = line_starts_[line];
    if (!trimmed(text_.substr(line_start, range.start - line_start)).empty()) continue;
    const int32_t last = line_of(line_starts_, std::max(range.start, range.end - 1), line);
    blocks.push_back({range, line, last});
  }
  if (blocks.empty()) return;
  const auto earlier = [](const Block& a, const Block& b) { return a.last < b.last; };
  if (!std::is_sorted(blocks.begin(), blocks.end(), earlier)) {
    std::stable_sort(blocks.begin(), blocks.end(), earlier);
  }
  const auto ending_on = [&](int32_t wanted) {
    const auto after = std::upper_bound(blocks.begin(), blocks.end(), wanted,
                                        [](int32_t at, const Block& one) { return at < one.last; });
    return after != blocks.begin() && (after - 1)->last == wanted ? &*(after - 1) : nullptr;
  };
  for (Symbol& symbol : symbols_) {
    const Block* block = ending_on(symbol.columns[kStartLine] - 1);
    if (!block) continue;
    symbol.columns[kDocstringEnd] = block->range.end;
    for (; block; block = ending_on(block->first - 1)) {
      symbol.columns[kDocstringStart] = block->range.start;
    }
  }
}

// One row a clause, those of one statement with the same module put together.
void Facts::pack_imports(const std::vector<Clause>& clauses) {
  struct Merged {
    const Clause* clause;
    bool star;
    std::vector<std::pair<int32_t, int32_t>> names;
  };
  imports.clear();
  packed_imports.clear();
  for (size_t first = 0, last; first < clauses.size(); first = last) {
    const Range statement = clauses[first].statement;
    std::vector<Merged> merged;
    for (last = first; last < clauses.size(); ++last) {
      const Clause& clause = clauses[last];
      if (clause.statement.start != statement.start) break;
      const auto known = std::find_if(merged.begin(), merged.end(), [&](const Merged& other) {
        return !grammar_.imports_are_split && other.clause->module == clause.module &&
               other.clause->level == clause.level && other.clause->binds == clause.binds;
      });
      Merged& one = known != merged.end() ? *known : merged.emplace_back(Merged{&clause, false, {}});
      one.star = one.star || clause.star;
      const std::pair<int32_t, int32_t> pair(clause.imported, clause.here);
      if (clause.imported >= 0 &&
          std::find(one.names.begin(), one.names.end(), pair) == one.names.end()) {
        one.names.push_back(pair);
      }
    }
    for (const Merged& one : merged) {
      imports.insert(imports.end(), {statement.start, statement.end, one.clause->level, one.star,
                                     static_cast<int32_t>(one.names.size())});
      append(&packed_imports, (*strings_)[one.clause->module]);
      append(&packed_imports, (*strings_)[one.clause->binds]);
      for (const auto& [imported, here] : one.names) {
        append(&packed_imports, (*strings_)[imported]);
        append(&packed_imports, (*strings_)[here]);
      }
    }
  }
}

void Facts::mask_blocks(const std::vector<Range>& blocks) {
  masked_.assign(text_);
  blot(&masked_, blocks);
  cut();
}

void Facts::cut() {
  std::vector<int32_t> cuts;
  const auto holds = [&](int32_t row) {
    return row < 0 || is_in(grammar_.containers, symbols_[row].columns[kKind]);
  };
  for (const Symbol& symbol : symbols_) {
    const int32_t* columns = symbol.columns;
    if (!is_in(grammar_.cutting, columns[kKind]) || !holds(columns[kParent])) continue;
    int32_t line = columns[kStartLine];
    if (columns[kDocstringStart] < columns[kDocstringEnd]) {
      line = std::min(line, line_of(line_starts_, columns[kDocstringStart], line));
    }
    cuts.push_back(line);
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  const std::string_view text = masked_.empty() ? text_ : std::string_view(masked_);
  chunks_ = cut_chunks(text, line_starts_, cuts);
  suspicious_.clear();
  memory_->forget_old();
  known_.clear();
  for (size_t number = 0; number < chunks_.size(); ++number) {
    const Chunk& chunk = chunks_[number];
    known_.push_back(known_chunk(text.substr(chunk.start, chunk.end - chunk.start)));
    if (known_.back()->is_suspicious) {
      suspicious_.push_back(static_cast<int32_t>(number));
    }
  }
}

ChunkMemory::Known* Facts::known_chunk(std::string_view text) {
  const auto [entry, is_fresh] = memory_->known.try_emplace(hash_of(text));
  entry->second.used = memory_->round;
  if (is_fresh) {
    entry->second.terms = terms_.read(text);
    entry->second.is_suspicious = triggers_.found_in(text);
  }
  return &entry->second;
}

// The number of a string in the order of first use.
int32_t Facts::out_number(int32_t string) {
  int32_t& number = out_numbers_[string];
  if (number < 0) {
    number = static_cast<int32_t>(out_strings_.size());
    out_strings_.push_back(string);
  }
  return number;
}

// A chunk in which nothing had to be hidden is not looked at again while it stays as it is.
void Facts::clear_suspicions(const std::vector<Range>& hidden) {
  for (const int32_t number : suspicious_) {
    const Range whole{chunks_[number].start, chunks_[number].end};
    const auto inside = [&](const Range& range) { return whole.touches(range); };
    if (std::none_of(hidden.begin(), hidden.end(), inside)) known_[number]->is_suspicious = false;
  }
}

void Facts::finish(const std::vector<Range>& hidden) {
  clear_suspicions(hidden);
  if (!hidden.empty()) {
    if (masked_.empty()) masked_.assign(text_);
    blot(&masked_, hidden);
    const std::string_view text = masked_;
    for (const int32_t number : suspicious_) {
      const Chunk& chunk = chunks_[number];
      known_[number] = known_chunk(text.substr(chunk.start, chunk.end - chunk.start));
    }
  }
  out_numbers_.assign(strings_->size(), -1);
  out_strings_.clear();
  owners.clear();
  packed_names.clear();
  packed_details.clear();
  packed_owners.clear();
  symbols.resize(kWidth * symbols_.size());
  int32_t* out = symbols.data();
  for (size_t row = 0; row < symbols_.size(); ++row, out += kWidth) {
    const Symbol& symbol = symbols_[row];
    std::copy_n(symbol.columns, kWidth, out);
    out[kName] = out_number(symbol.columns[kName]);
    append(&packed_details, (*strings_)[symbol.detail]);
    if (symbol.owner >= 0) {
      owners.push_back(static_cast<int32_t>(row));
      append(&packed_owners, (*strings_)[symbol.owner]);
    }
  }
  references.resize(3 * uses_.size());
  out = references.data();
  for (const Use& use : uses_) {
    *out++ = out_number(use.name);
    *out++ = use.start;
    *out++ = use.role;
  }
  pack_chunks();
  for (const int32_t string : out_strings_) append(&packed_names, (*strings_)[string]);
}

void Facts::pack_chunks() {
  size_t count = 0;
  for (const ChunkMemory::Known* known : known_) count += known->terms.size();
  chunk_terms.resize(2 * count);
  chunks.resize(6 * chunks_.size());
  int32_t* out = chunk_terms.data();
  int32_t* row = chunks.data();
  for (size_t number = 0; number < chunks_.size(); ++number) {
    const Chunk& chunk = chunks_[number];
    const int32_t first = static_cast<int32_t>((out - chunk_terms.data()) / 2);
    for (const Term& term : known_[number]->terms) {
      *out++ = out_number(term.name);
      *out++ = term.count;
    }
    const int32_t last = static_cast<int32_t>((out - chunk_terms.data()) / 2);
    for (const int32_t value :
         {chunk.start, chunk.end, chunk.start_line, chunk.end_line, first, last}) {
      *row++ = value;
    }
  }
}

}  // namespace sopilka
