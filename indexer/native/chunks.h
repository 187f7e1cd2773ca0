// Pieces of 20 to 40 lines for lexical search, and the terms in them.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "strings.h"

namespace sopilka {

struct Chunk {
  int32_t start, end;            // bytes
  int32_t start_line, end_line;  // the latter exclusive
};

// Cuts a text, outside of definitions where it can; `cuts` are lines, ascending. Every line that is
// not blank is in exactly one chunk.
std::vector<Chunk> cut_chunks(std::string_view text, const std::vector<int32_t>& line_starts,
                              const std::vector<int32_t>& cuts);

struct Term {
  int32_t name, count;
};

// Reads terms: identifiers, and the words that identifiers are made of.
class TermReader {
 public:
  explicit TermReader(Strings* strings) : strings_(strings) {}

  // The distinct terms of a chunk in order of first use, with how often each occurs.
  const std::vector<Term>& read(std::string_view chunk);

 private:
  struct Parts {
    int32_t first = -1, last = -1;  // in all_parts_; -1: not looked at
  };
  Parts parts_of(int32_t name);
  void count(std::vector<Term>* terms, std::vector<int32_t>* places, int32_t name, int32_t count);

  Strings* strings_;
  std::vector<Parts> parts_;  // by name
  std::vector<int32_t> all_parts_;
  std::vector<int32_t> word_places_, term_places_;  // by name: place in the list + 1
  std::vector<Term> words_, terms_;
};

// What a text must hold so that looking for secrets in it is worth while.
class Triggers {
 public:
  // `also` is another text that must be there, or "quoted": a long word in quotes.
  void add(std::string_view literal, std::string_view also);
  bool found_in(std::string_view text) const;

 private:
  struct Trigger {
    std::string literal, also;
  };
  std::vector<Trigger> triggers_;
  std::unordered_map<uint16_t, std::vector<size_t>> by_pair_;  // of the first two bytes
  std::bitset<65536> pairs_;
};

}  // namespace sopilka
