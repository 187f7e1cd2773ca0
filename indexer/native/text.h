// What facts are read out of the source text itself: lines, blanks, names in types and bases.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sopilka {

inline bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

inline bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// What an identifier may begin with, in any language: ASCII letters, _, $ and all beyond ASCII.
inline bool begins_name(char c) {
  return (is_word(c) && !(c >= '0' && c <= '9')) || c == '$' || (c & 0x80);
}

inline bool continues_name(char c) { return is_word(c) || c == '$' || (c & 0x80); }

std::string_view trimmed(std::string_view text);

// Byte offsets at which lines start; lines end at \n, \r\n and \r, as LSP has it.
std::vector<int32_t> line_starts(std::string_view text);

// The line that holds an offset, looked for from another line on: fast when it is near.
int32_t line_of(const std::vector<int32_t>& starts, int32_t offset, int32_t near);

// The name in a text: without sigils before it and quotes around it. Start and end within the text.
struct Part {
  int32_t start, end;
};
Part name_in(std::string_view text, std::string_view sigils);

// The dotted names (a.b, a::b) in a text.
void dotted_names(std::string_view text, std::vector<std::string_view>* names);

// A list of bases without type arguments and keyword arguments.
std::string outermost(std::string_view text);

// The dotted names in some annotations or lists of bases, separated by spaces, words of the
// languages left out. Of each text only the beginning counts.
std::string type_names(const std::vector<std::string_view>& texts, bool only_outermost);

// `Type` of `*pkg.Type[T]` or `ns::Type<T>`.
std::string last_name(std::string_view text);

}  // namespace sopilka
