#include "arena.h"

#include <tree_sitter/api.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

// One of those that the core remembers of its lookups; see tree_sitter_parser.cmake.
struct LookupEntry {
  uint32_t key;
  uint16_t value;
};
extern "C" void sopilka_remember_lookups(LookupEntry* entries);

namespace sopilka {
namespace {

constexpr size_t kHeader = 8;          // size of a piece, and who has it
constexpr size_t kClass = 16;          // small pieces are reused by size, in steps of so many bytes
constexpr size_t kClasses = 65;        // larger pieces come from the system
constexpr size_t kBlock = 1 << 20;
constexpr size_t kKept = 32 << 20;     // bytes that a thread keeps for the next text
constexpr size_t kLookups = 2048;      // as LOOKUP_ENTRIES of the core

// Two bits of a piece's header.
enum Holder : uint64_t {
  kSystem = 0,  // got from the system, to be given back to it
  kSmall = 1,   // part of a block
  kLarge = 2,   // got from the system, listed, and given back with the arena if not before
};

struct Large {
  Large* before;
  Large* behind;
};

void write_header(char* piece, size_t size, Holder holder) {
  const uint64_t header = size << 2 | holder;
  std::memcpy(piece, &header, kHeader);
}

struct Blocks {
  std::vector<std::pair<char*, size_t>> all;
  size_t used = 0;    // blocks that are full or at work on
  char* next = nullptr;
  char* end = nullptr;
  void* free[kClasses] = {};
  Large* large = nullptr;
  std::vector<LookupEntry> lookups;
  const TSLanguage* language = nullptr;  // that they are of

  ~Blocks() {
    for (const auto& [data, size] : all) std::free(data);
  }

  void* take(size_t size) {
    if (static_cast<size_t>(end - next) < size + kHeader && !open_block(size + kHeader)) {
      return nullptr;
    }
    char* piece = next;
    next += size + kHeader;
    write_header(piece, size, kSmall);
    return piece + kHeader;
  }

  void* take_large(size_t size) {
    auto* one = static_cast<Large*>(std::malloc(sizeof(Large) + kHeader + size));
    if (!one) return nullptr;
    *one = {nullptr, large};
    if (large) large->before = one;
    large = one;
    char* piece = reinterpret_cast<char*>(one + 1);
    write_header(piece, size, kLarge);
    return piece + kHeader;
  }

  void drop_large(Large* one) {
    (one->before ? one->before->behind : large) = one->behind;
    if (one->behind) one->behind->before = one->before;
    std::free(one);
  }

  bool open_block(size_t size) {
    while (used < all.size()) {
      const auto [data, room] = all[used++];
      if (room < size) continue;
      next = data;
      end = data + room;
      return true;
    }
    const size_t room = size > kBlock ? size : kBlock;
    char* data = static_cast<char*>(std::malloc(room));
    if (!data) return false;
    all.emplace_back(data, room);
    used = all.size();
    next = data;
    end = data + room;
    return true;
  }

  void forget() {
    while (large) drop_large(large);
    size_t kept = 0, bytes = 0;
    for (const auto& block : all) {
      if (bytes + block.second <= kKept) {
        bytes += block.second;
        all[kept++] = block;
      } else {
        std::free(block.first);
      }
    }
    all.resize(kept);
    used = 0;
    next = end = nullptr;
    std::memset(free, 0, sizeof free);
  }
};

thread_local Blocks blocks;

#if defined(__GLIBC__)
// Looked up at every piece, so without a call.
__attribute__((tls_model("initial-exec")))
#endif
thread_local Blocks* current = nullptr;

uint64_t header_of(const void* piece) {
  uint64_t header;
  std::memcpy(&header, static_cast<const char*>(piece) - kHeader, kHeader);
  return header;
}

void* out_of_memory() {
  std::abort();  // as the core itself does
}

void* allocate(size_t size) {
  size = (size + kClass - 1) / kClass * kClass;
  if (Blocks* here = current) {
    const size_t number = size / kClass;
    if (number < kClasses && here->free[number]) {
      void* piece = here->free[number];
      std::memcpy(&here->free[number], piece, sizeof piece);
      return piece;
    }
    void* piece = number < kClasses ? here->take(size) : here->take_large(size);
    return piece ? piece : out_of_memory();
  }
  char* piece = static_cast<char*>(std::malloc(size + kHeader));
  if (!piece) return out_of_memory();
  write_header(piece, size, kSystem);
  return piece + kHeader;
}

void* allocate_zeros(size_t count, size_t size) {
  void* piece = allocate(count * size);
  return std::memset(piece, 0, count * size);
}

void release(void* piece) {
  if (!piece) return;
  const uint64_t header = header_of(piece);
  Blocks* here = current;
  if ((header & 3) == kSystem) {
    std::free(static_cast<char*>(piece) - kHeader);
    return;
  }
  if (!here) return;  // it went with its arena
  if ((header & 3) == kLarge) {
    here->drop_large(reinterpret_cast<Large*>(static_cast<char*>(piece) - kHeader) - 1);
    return;
  }
  const size_t number = (header >> 2) / kClass;
  if (!number) return;
  std::memcpy(piece, &here->free[number], sizeof piece);
  here->free[number] = piece;
}

void* reallocate(void* piece, size_t size) {
  if (!piece) return allocate(size);
  const size_t known = header_of(piece) >> 2;
  if (size <= known) return piece;
  void* larger = allocate(size);
  std::memcpy(larger, piece, known);
  release(piece);
  return larger;
}

}  // namespace

Arena::Arena(const TSLanguage* language) {
  current = &blocks;
  if (blocks.language != language) {
    blocks.lookups.assign(kLookups, LookupEntry{0, 0});
    blocks.language = language;
  }
  sopilka_remember_lookups(blocks.lookups.data());
}

Arena::~Arena() {
  sopilka_remember_lookups(nullptr);
  current = nullptr;
  blocks.forget();
}

void free_of_core(void* piece) { release(piece); }

void use_arenas() { ts_set_allocator(allocate, allocate_zeros, reallocate, release); }

}  // namespace sopilka
