// Strings of a text, numbered in the order in which they are first seen.
//
// What goes out of the library is valid UTF-8 without NUL: broken bytes and NULs become U+FFFD, one
// for each maximal subpart of a broken sequence, as Python's decoder does it with "replace".
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace sopilka {

// Whether bytes are valid UTF-8 without NUL.
bool is_clean(std::string_view bytes);

// The bytes with everything replaced that is no valid UTF-8, and NULs too.
std::string cleaned(std::string_view bytes);

uint64_t hash_of(std::string_view bytes);

class Strings {
 public:
  Strings();
  // The number of a string; equal strings, after cleaning, have equal numbers.
  int32_t number(std::string_view bytes);
  std::string_view operator[](int32_t number) const { return strings_[number]; }
  int32_t size() const { return static_cast<int32_t>(strings_.size()); }

 private:
  void grow();
  std::string_view keep(std::string_view bytes);

  std::vector<int32_t> slots_;  // number + 1, 0 when free
  std::vector<uint64_t> hashes_;
  std::vector<std::string_view> strings_;
  std::deque<std::string> blocks_;  // what the views point into; a deque never moves its strings
};

}  // namespace sopilka
