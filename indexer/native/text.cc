#include "text.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sopilka {
namespace {

constexpr size_t kMaxText = 200;  // bytes of an annotation or a list of bases that are looked at
constexpr std::string_view kBaseWords[] = {
    "extends", "implements", "public", "private", "protected", "virtual", "const",    "mut",
    "dyn",     "final",      "static", "struct",  "class",     "unsigned", "signed",
};

bool is_base_word(std::string_view name) {
  return std::find(std::begin(kBaseWords), std::end(kBaseWords), name) != std::end(kBaseWords);
}

// End of the part at `i` that `outermost` replaces by a space; `i` when there is none.
size_t nested_end(std::string_view text, size_t i) {
  const char c = text[i];
  if (c == '[' || c == '<') {
    const char close = c == '[' ? ']' : '>';
    for (size_t j = i + 1; j < text.size(); ++j) {
      if (text[j] == close) return j + 1;
      if (text[j] == c) return i;
    }
    return i;
  }
  size_t j = i;
  while (j < text.size() && is_word(text[j])) ++j;
  if (j == i) return i;
  while (j < text.size() && is_blank(text[j])) ++j;
  if (j == text.size() || text[j] != '=') return i;
  while (j < text.size() && text[j] != ',' && text[j] != ')') ++j;
  return j;
}

std::string without_nested(std::string_view text) {
  std::string rest;
  for (size_t i = 0; i < text.size();) {
    const size_t end = nested_end(text, i);
    if (end > i) {
      rest += ' ';
      i = end;
    } else {
      rest += text[i++];
    }
  }
  return rest;
}

// Which of 64 bytes are line feeds, the first in the lowest bit.
uint64_t newlines_in(const char* data) {
#if defined(__SSE2__)
  uint64_t mask = 0;
  for (int i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + 16 * i));
    const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
    mask |= static_cast<uint64_t>(static_cast<uint32_t>(found)) << 16 * i;
  }
  return mask;
#else
  uint64_t mask = 0;
  for (int i = 0; i < 64; ++i) mask |= static_cast<uint64_t>(data[i] == '\n') << i;
  return mask;
#endif
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<int32_t> line_starts(std::string_view text) {
  std::vector<int32_t> starts{0};
  const bool has_returns = !text.empty() && std::memchr(text.data(), '\r', text.size());
  if (!has_returns) {
    starts.reserve(1 + text.size() / 32);
    size_t i = 0;
    for (; i + 64 <= text.size(); i += 64) {
      for (uint64_t mask = newlines_in(text.data() + i); mask; mask &= mask - 1) {
        starts.push_back(static_cast<int32_t>(i + 1 + std::countr_zero(mask)));
      }
    }
    for (; i < text.size(); ++i) {
      if (text[i] == '\n') starts.push_back(static_cast<int32_t>(i + 1));
    }
    return starts;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const bool lone_return = text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n');
    if (text[i] == '\n' || lone_return) starts.push_back(static_cast<int32_t>(i + 1));
  }
  return starts;
}

int32_t line_of(const std::vector<int32_t>& starts, int32_t offset, int32_t near) {
  const auto count = static_cast<int32_t>(starts.size());
  int32_t low = std::clamp(near, 0, count - 1), high;
  if (starts[low] <= offset) {
    int32_t step = 1;
    while (low + step < count && starts[low + step] <= offset) {
      low += step;
      step *= 2;
    }
    high = std::min(low + step, count);
  } else {
    int32_t step = 1;
    high = low;
    while (high - step > 0 && starts[high - step] > offset) {
      high -= step;
      step *= 2;
    }
    low = std::max(high - step, 0);
  }
  const auto after = std::upper_bound(starts.begin() + low, starts.begin() + high, offset);
  return static_cast<int32_t>(after - starts.begin()) - 1;
}

Part name_in(std::string_view text, std::string_view sigils) {
  auto end = static_cast<int32_t>(text.size());
  int32_t start = 0;
  while (start < end - 1 && sigils.find(text[start]) != sigils.npos) ++start;
  const bool is_quoted = end - start > 2 && text[start] == text[end - 1] &&
                         std::string_view("\"'`").find(text[start]) != std::string_view::npos;
  return is_quoted ? Part{start + 1, end - 1} : Part{start, end};
}

void dotted_names(std::string_view text, std::vector<std::string_view>* names) {
  const size_t size = text.size();
  for (size_t i = 0; i < size; ++i) {
    if (!begins_name(text[i])) continue;
    size_t end = i;
    for (;;) {
      while (end < size && continues_name(text[end])) ++end;
      size_t next = end;
      if (next < size && text[next] == '.') {
        next += 1;
      } else if (next + 1 < size && text[next] == ':' && text[next + 1] == ':') {
        next += 2;
      }
      if (next == end || next >= size || !begins_name(text[next])) break;
      end = next;
    }
    names->push_back(text.substr(i, end - i));
    i = end - 1;
  }
}

std::string outermost(std::string_view text) {
  std::string previous;
  std::string current(text);
  do {
    previous = std::move(current);
    current = without_nested(previous);
  } while (current != previous);
  return current;
}

std::string type_names(const std::vector<std::string_view>& texts, bool only_outermost) {
  std::vector<std::string> kept;  // the texts that names point into
  kept.reserve(texts.size());
  std::vector<std::string_view> names;
  for (std::string_view text : texts) {
    text = text.substr(0, kMaxText);
    if (only_outermost) text = kept.emplace_back(outermost(text));
    std::vector<std::string_view> found;
    dotted_names(text, &found);
    const size_t known = names.size();
    for (const std::string_view name : found) {
      if (std::find(names.begin(), names.begin() + known, name) == names.begin() + known) {
        names.push_back(name);
      }
    }
  }
  std::string joined;
  for (const std::string_view name : names) {
    if (is_base_word(name)) continue;
    if (!joined.empty()) joined += ' ';
    joined += name;
  }
  return joined;
}

std::string last_name(std::string_view text) {
  const std::string outer = outermost(text);
  std::vector<std::string_view> names;
  dotted_names(outer, &names);
  if (names.empty()) return "";
  std::string_view name = names.back();
  const size_t dot = name.rfind('.');
  const size_t colons = name.rfind("::");
  size_t start = 0;
  if (dot != std::string_view::npos) start = dot + 1;
  if (colons != std::string_view::npos) start = std::max(start, colons + 2);
  return std::string(name.substr(start));
}

}  // namespace sopilka
