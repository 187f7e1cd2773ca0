#include "chunks.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "text.h"

namespace sopilka {
namespace {

constexpr int32_t kMinLines = 20, kMaxLines = 40;
constexpr size_t kMaxTermBytes = 20'000;
constexpr int32_t kMaxCount = 255;
constexpr size_t kQuotedLength = 20;

constexpr auto kBegins = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) table[c] = begins_name(static_cast<char>(c));
  return table;
};
constexpr auto kContinues = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) table[c] = continues_name(static_cast<char>(c));
  return table;
};
const std::array<bool, 256> begins_table = kBegins(), continues_table = kContinues();

// A text with its lines.
struct Lines {
  std::string_view text;
  const std::vector<int32_t>& starts;

  int32_t count() const { return static_cast<int32_t>(starts.size()); }
  int32_t bound(int32_t line) const {
    return line < count() ? starts[line] : static_cast<int32_t>(text.size());
  }
  bool is_blank(int32_t line) const {
    for (int32_t i = bound(line); i < bound(line + 1); ++i) {
      if (!sopilka::is_blank(text[i])) return false;
    }
    return true;
  }
};

int32_t next_cut(const Lines& lines, const std::vector<int32_t>& cuts, int32_t first) {
  const auto at = std::lower_bound(cuts.begin(), cuts.end(), first + kMinLines);
  if (at != cuts.end() && *at <= first + kMaxLines) return *at;
  const auto early = std::upper_bound(cuts.begin(), cuts.end(), first + kMinLines / 2);
  if (early < at) return *(at - 1);  // a long definition follows: it starts a piece of its own
  for (int32_t line = first + kMaxLines; line > first + kMinLines; --line) {
    if (lines.is_blank(line - 1)) return line;
  }
  return first + kMaxLines;
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_beyond_ascii(char c) { return c & 0x80; }

template <bool (*is_one)(char)>
size_t run_end(std::string_view name, size_t at) {
  while (at < name.size() && is_one(name[at])) ++at;
  return at;
}

// End of the word of a name that begins at `at`; `at` where none does.
size_t part_end(std::string_view name, size_t at) {
  const char c = name[at];
  if (is_upper(c)) {
    const size_t end = run_end<is_upper>(name, at);
    if (end == name.size() || !is_lower(name[end])) return end;
    return end - 1 > at ? end - 1 : run_end<is_lower>(name, end);
  }
  if (is_lower(c)) return run_end<is_lower>(name, at);
  if (is_digit(c)) return run_end<is_digit>(name, at);
  if (is_beyond_ascii(c)) return run_end<is_beyond_ascii>(name, at);
  return at;
}

bool has_many_characters(std::string_view part) {
  int count = 0;
  for (const char c : part) count += (c & 0xC0) != 0x80;
  return count > 1;
}

bool is_key_character(char c) {
  return is_lower(c) || is_upper(c) || is_digit(c) || std::strchr("+/_=.~-", c);
}

// Whether a text holds a quoted word that is long enough for a password.
bool has_quoted_word(std::string_view text) {
  size_t length = 0;
  bool open = false;
  for (const char c : text) {
    if (c == '"' || c == '\'') {
      if (open && length >= kQuotedLength) return true;
      open = true;
      length = 0;
    } else if (open && c && is_key_character(c)) {
      ++length;
    } else {
      open = false;
    }
  }
  return false;
}

uint16_t pair_at(const char* data) {
  return static_cast<uint16_t>(static_cast<uint8_t>(data[0]) << 8 | static_cast<uint8_t>(data[1]));
}

}  // namespace

std::vector<Chunk> cut_chunks(std::string_view text, const std::vector<int32_t>& line_starts,
                              const std::vector<int32_t>& cuts) {
  const Lines lines{text, line_starts};
  std::vector<Chunk> chunks;
  for (int32_t next, begin = 0; begin < lines.count(); begin = next) {
    next = lines.count();
    if (lines.count() - begin > kMaxLines) next = next_cut(lines, cuts, begin);
    int32_t first = begin, last = next;
    while (first < last && lines.is_blank(first)) ++first;
    while (last > first && lines.is_blank(last - 1)) --last;
    if (first < last) chunks.push_back({lines.bound(first), lines.bound(last), first, last});
  }
  return chunks;
}

void TermReader::count(std::vector<Term>* terms, std::vector<int32_t>* places, int32_t name,
                       int32_t count) {
  if (static_cast<size_t>(name) >= places->size()) places->resize(name + 1024, 0);
  int32_t& place = (*places)[name];
  if (!place) {
    terms->push_back({name, 0});
    place = static_cast<int32_t>(terms->size());
  }
  (*terms)[place - 1].count += count;
}

const std::vector<Term>& TermReader::read(std::string_view chunk) {
  chunk = chunk.substr(0, kMaxTermBytes);
  words_.clear();
  terms_.clear();
  const auto* data = reinterpret_cast<const uint8_t*>(chunk.data());
  for (size_t i = 0; i < chunk.size();) {
    if (!begins_table[data[i]]) {
      ++i;
      continue;
    }
    const size_t start = i++;
    while (i < chunk.size() && continues_table[data[i]]) ++i;
    count(&words_, &word_places_, strings_->number(chunk.substr(start, i - start)), 1);
  }
  for (const Term& word : words_) {
    count(&terms_, &term_places_, word.name, word.count);
    const Parts parts = parts_of(word.name);
    for (int32_t i = parts.first; i < parts.last; ++i) {
      count(&terms_, &term_places_, all_parts_[i], word.count);
    }
  }
  for (const Term& word : words_) word_places_[word.name] = 0;
  for (Term& term : terms_) {
    term_places_[term.name] = 0;
    term.count = std::min(term.count, kMaxCount);
  }
  return terms_;
}

TermReader::Parts TermReader::parts_of(int32_t name) {
  if (static_cast<size_t>(name) >= parts_.size()) parts_.resize(name + 1024);
  if (parts_[name].first >= 0) return parts_[name];
  const std::string text((*strings_)[name]);
  std::vector<std::string_view> found;
  for (size_t i = 0; i < text.size();) {
    const size_t end = part_end(text, i);
    if (end > i && (end - i < text.size() || !found.empty())) {
      found.push_back(std::string_view(text).substr(i, end - i));
    }
    i = std::max(i + 1, end);
  }
  Parts parts;
  parts.first = static_cast<int32_t>(all_parts_.size());
  if (found.size() >= 2) {
    for (const std::string_view part : found) {
      if (!has_many_characters(part)) continue;
      std::string lower(part);
      for (char& c : lower) c = is_upper(c) ? static_cast<char>(c + 32) : c;
      all_parts_.push_back(strings_->number(lower));
    }
  }
  parts.last = static_cast<int32_t>(all_parts_.size());
  return parts_[name] = parts;
}

void Triggers::add(std::string_view literal, std::string_view also) {
  if (literal.size() < 2) return;
  by_pair_[pair_at(literal.data())].push_back(triggers_.size());
  pairs_.set(pair_at(literal.data()));
  triggers_.push_back({std::string(literal), std::string(also)});
}

bool Triggers::found_in(std::string_view text) const {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (!pairs_[pair_at(text.data() + i)]) continue;
    for (const size_t number : by_pair_.at(pair_at(text.data() + i))) {
      const Trigger& trigger = triggers_[number];
      if (text.compare(i, trigger.literal.size(), trigger.literal) != 0) continue;
      if (trigger.also.empty()) return true;
      if (trigger.also == "quoted" ? has_quoted_word(text)
                                   : text.find(trigger.also) != text.npos) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace sopilka
