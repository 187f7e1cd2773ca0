// From flat rows to the columns of FileFacts, in linear passes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chunks.h"
#include "matches.h"

namespace sopilka {

constexpr int kWidth = 13;  // columns of a symbol, as in facts.py
enum Column {
  kName, kKind, kParent, kStart, kEnd, kNameStart, kNameEnd, kSignatureStart, kSignatureEnd,
  kDocstringStart, kDocstringEnd, kStartLine, kEndLine,
};

// The terms of chunks by their text, so that an edit costs those of the chunks that it changed.
struct ChunkMemory {
  struct Known {
    std::vector<Term> terms;
    bool is_suspicious;  // whether it may hold secrets, as far as nobody has looked
    uint64_t used;
  };
  std::unordered_map<uint64_t, Known> known;
  uint64_t round = 0;

  void forget_old();
};

// The columns of FileFacts.
class Facts {
 public:
  Facts(const Grammar& grammar, const Triggers& triggers, Strings* strings)
      : grammar_(grammar), triggers_(triggers), strings_(strings), terms_(strings) {}

  // Symbols, references, imports and chunks of a text. `tables` must be sorted.
  void derive(std::string_view text, const Tables& tables, ChunkMemory* memory);

  // Whether the text may hold key material: the caller has to look, and to tell with `mask`.
  bool may_have_key_blocks() const { return may_have_key_blocks_; }
  // Chunks that may hold tokens or passwords.
  const std::vector<int32_t>& suspicious() const { return suspicious_; }
  const std::vector<Chunk>& cut_pieces() const { return chunks_; }

  // Cuts chunks again, the bytes of some ranges taken for asterisks.
  void mask_blocks(const std::vector<Range>& blocks);
  // Reads the terms of chunks and packs all columns, without the bytes of some more ranges.
  void finish(const std::vector<Range>& hidden);

  std::vector<int32_t> symbols, owners, references, imports, chunks, chunk_terms;
  std::string packed_names, packed_details, packed_owners, packed_imports;

 private:
  struct Symbol {
    int32_t columns[kWidth];
    int32_t detail, owner;
  };
  // The use of a name; `name` is the number of a string.
  struct Use {
    int32_t name, start, role;
  };
  // What a definition stands in: a symbol, or a function without a name in the symbol `row`.
  struct Around {
    int32_t end, kind, row;
  };

  void choose_definitions(const std::vector<Definition>& all);
  void nest();
  bool place(const Definition& found, const std::vector<Around>& around, int32_t* kind,
             int32_t* parent) const;
  void drop_repeated_values();
  void resolve_parameter_types(const std::vector<Parameter>& parameters);
  void choose_references(const std::vector<Reference>& all, const std::vector<Clause>& clauses);
  void attach_comments(const std::vector<Comment>& comments);
  void pack_imports(const std::vector<Clause>& clauses);
  void cut();
  ChunkMemory::Known* known_chunk(std::string_view text);
  void clear_suspicions(const std::vector<Range>& hidden);
  void pack_chunks();
  int32_t out_number(int32_t string);

  const Grammar& grammar_;
  const Triggers& triggers_;
  Strings* strings_;
  TermReader terms_;
  ChunkMemory own_memory_;
  ChunkMemory* memory_ = nullptr;
  std::string_view text_;
  std::string masked_;
  std::vector<int32_t> line_starts_;
  std::vector<const Definition*> chosen_;
  std::vector<Symbol> symbols_;
  std::vector<Use> uses_;
  std::vector<const Parameter*> latest_parameters_;  // by name
  std::vector<Chunk> chunks_;
  std::vector<ChunkMemory::Known*> known_;  // one a chunk
  std::vector<int32_t> suspicious_;
  std::vector<int32_t> out_numbers_, out_strings_;
  bool may_have_key_blocks_ = false;
};

}  // namespace sopilka
