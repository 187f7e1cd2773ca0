// Numbers for the names of a whole repository, in the order of first sight. Never fewer.
//
// The table of slots is in parts, chosen by the hash: each grows on its own, so that no single name
// waits until all the others have been moved.

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "strings.h"

#if defined(_WIN32)
#define SOPILKA_EXPORT extern "C" __declspec(dllexport)
#else
#define SOPILKA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

constexpr size_t kParts = 64;
constexpr size_t kBlock = 1 << 16;

struct Slot {
  uint32_t hash;  // the part of the hash that does not choose the slot
  int32_t number;  // -1 when free
};

class Part {
 public:
  Part() : slots_(16, Slot{0, -1}) {}

  // Where a name is, or belongs: its number there is -1 when it is not known.
  Slot& find(uint64_t hash, std::string_view name, const std::deque<std::string_view>& names) {
    const size_t mask = slots_.size() - 1;
    const auto rest = static_cast<uint32_t>(hash >> 32);
    size_t place = (hash >> 6) & mask;
    while (slots_[place].number >= 0) {
      const Slot& slot = slots_[place];
      if (slot.hash == rest && names[static_cast<size_t>(slot.number)] == name) break;
      place = (place + 1) & mask;
    }
    return slots_[place];
  }

  void fill(Slot& slot, uint64_t hash, int32_t number, const std::deque<uint64_t>& hashes) {
    slot = {static_cast<uint32_t>(hash >> 32), number};
    if (++count_ * 2 > slots_.size()) grow(hashes);
  }

  uint64_t bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  void grow(const std::deque<uint64_t>& hashes) {
    std::vector<Slot> old(slots_.size() * 2, Slot{0, -1});
    old.swap(slots_);
    const size_t mask = slots_.size() - 1;
    for (const Slot& slot : old) {
      if (slot.number < 0) continue;
      size_t place = (hashes[static_cast<size_t>(slot.number)] >> 6) & mask;
      while (slots_[place].number >= 0) place = (place + 1) & mask;
      slots_[place] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

class Vocabulary {
 public:
  int32_t number(std::string_view name) {
    const uint64_t hash = sopilka::hash_of(name);
    Part& part = parts_[hash % kParts];
    Slot& slot = part.find(hash, name, names_);
    if (slot.number >= 0) return slot.number;
    const auto fresh = static_cast<int32_t>(names_.size());
    names_.push_back(keep(name));
    hashes_.push_back(hash);
    part.fill(slot, hash, fresh, hashes_);
    return fresh;
  }

  int32_t find(std::string_view name) {
    const uint64_t hash = sopilka::hash_of(name);
    return parts_[hash % kParts].find(hash, name, names_).number;
  }

  std::string_view operator[](size_t number) const { return names_[number]; }
  size_t size() const { return names_.size(); }

  uint64_t bytes() const {
    uint64_t all = names_.size() * (sizeof(std::string_view) + sizeof(uint64_t));
    all += blocks_.size() * kBlock;
    for (const Part& part : parts_) all += part.bytes();
    return all;
  }

 private:
  std::string_view keep(std::string_view name) {
    if (blocks_.empty() || blocks_.back().size() + name.size() > blocks_.back().capacity()) {
      blocks_.emplace_back();
      blocks_.back().reserve(std::max(name.size(), kBlock));
    }
    std::string& block = blocks_.back();
    block.append(name);
    return std::string_view(block).substr(block.size() - name.size());
  }

  std::array<Part, kParts> parts_;
  std::deque<std::string_view> names_;
  std::deque<uint64_t> hashes_;
  std::deque<std::string> blocks_;  // what the names point into; their buffers never move
};

}  // namespace

SOPILKA_EXPORT Vocabulary* sopilka_vocabulary_new() { return new (std::nothrow) Vocabulary; }

SOPILKA_EXPORT void sopilka_vocabulary_free(Vocabulary* vocabulary) { delete vocabulary; }

SOPILKA_EXPORT uint64_t sopilka_vocabulary_size(const Vocabulary* vocabulary) {
  return vocabulary->size();
}

SOPILKA_EXPORT uint64_t sopilka_vocabulary_bytes(const Vocabulary* vocabulary) {
  return vocabulary->bytes();
}

// The numbers of names that each end with a NUL; 0 unless memory runs out.
SOPILKA_EXPORT int32_t sopilka_vocabulary_numbers(Vocabulary* vocabulary, const char* packed,
                                                  uint64_t size, int32_t* numbers) {
  try {
    for (const char* const end = packed + size; packed < end;) {
      const auto left = static_cast<size_t>(end - packed);
      const auto* stop = static_cast<const char*>(std::memchr(packed, 0, left));
      if (stop == nullptr) stop = end;
      *numbers++ = vocabulary->number({packed, static_cast<size_t>(stop - packed)});
      packed = stop + 1;
    }
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

// The number of a name, -1 if it has none.
SOPILKA_EXPORT int32_t sopilka_vocabulary_find(Vocabulary* vocabulary, const char* name,
                                               uint64_t size) {
  return vocabulary->find({name, size});
}

// Bytes that names of some numbers take, each with a NUL; writes them if there is room.
SOPILKA_EXPORT uint64_t sopilka_vocabulary_names(const Vocabulary* vocabulary,
                                                 const int32_t* numbers, uint64_t count,
                                                 char* packed, uint64_t room) {
  uint64_t size = 0;
  for (uint64_t i = 0; i < count; ++i) size += (*vocabulary)[numbers[i]].size() + 1;
  if (size > room) return size;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view name = (*vocabulary)[numbers[i]];
    packed = std::copy(name.begin(), name.end(), packed);
    *packed++ = '\0';
  }
  return size;
}
