#include "strings.h"

#include <cstring>

namespace sopilka {
namespace {

constexpr size_t kBlock = 1 << 14;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Length of the valid sequence at the start of the bytes, or minus the length of the broken part.
int sequence_length(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return lead ? 1 : -1;
  if (lead < 0xC2 || lead > 0xF4) return -1;
  const int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  for (int i = 1; i < length; ++i) {
    uint8_t low = 0x80, high = 0xBF;
    if (i == 1) {
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (static_cast<size_t>(i) >= bytes.size() || byte(i) < low || byte(i) > high) return -i;
  }
  return length;
}

}  // namespace

bool is_clean(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    if (byte && byte < 0x80) {
      ++i;
      continue;
    }
    const int length = sequence_length(bytes.substr(i));
    if (length < 0) return false;
    i += length;
  }
  return true;
}

std::string cleaned(std::string_view bytes) {
  std::string clean;
  for (size_t i = 0; i < bytes.size();) {
    const int length = sequence_length(bytes.substr(i));
    if (length > 0) {
      clean.append(bytes.substr(i, length));
      i += length;
    } else {
      clean.append(kReplacement);
      i += -length;
    }
  }
  return clean;
}

uint64_t hash_of(std::string_view bytes) {
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15ull;
  const char* data = bytes.data();
  size_t left = bytes.size();
  const auto mixed = [](uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * kFactor;
    return hash ^ (hash >> 29);
  };
  const auto word_at = [](const char* at, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, at, size);
    return word;
  };
  uint64_t hash = bytes.size() * kFactor;
  if (left >= 64) {  // four independent lanes: a multiplication waits for the one before
    uint64_t lanes[4] = {hash, ~hash, hash ^ kFactor, hash + kFactor};
    for (; left >= 32; data += 32, left -= 32) {
      for (int i = 0; i < 4; ++i) lanes[i] = mixed(lanes[i], word_at(data + 8 * i, 8));
    }
    for (const uint64_t lane : lanes) hash = mixed(hash, lane);
  }
  for (; left >= 8; data += 8, left -= 8) hash = mixed(hash, word_at(data, 8));
  hash = mixed(hash, word_at(data, left));
  hash = (hash ^ (hash >> 32)) * kFactor;
  return hash ^ (hash >> 32);
}

Strings::Strings() : slots_(1024, 0) {}

int32_t Strings::number(std::string_view bytes) {
  const uint64_t hash = hash_of(bytes);
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  while (const int32_t known = slots_[slot]) {
    if (hashes_[known - 1] == hash && strings_[known - 1] == bytes) return known - 1;
    slot = (slot + 1) & mask;
  }
  if (!is_clean(bytes)) return number(cleaned(bytes));
  const auto fresh = static_cast<int32_t>(strings_.size());
  slots_[slot] = fresh + 1;
  hashes_.push_back(hash);
  strings_.push_back(keep(bytes));
  if (strings_.size() * 2 > slots_.size()) grow();
  return fresh;
}

void Strings::grow() {
  slots_.assign(slots_.size() * 2, 0);
  const size_t mask = slots_.size() - 1;
  for (size_t number = 0; number < hashes_.size(); ++number) {
    size_t slot = hashes_[number] & mask;
    while (slots_[slot]) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<int32_t>(number) + 1;
  }
}

std::string_view Strings::keep(std::string_view bytes) {
  if (blocks_.empty() || blocks_.back().size() + bytes.size() > blocks_.back().capacity()) {
    blocks_.emplace_back();
    blocks_.back().reserve(bytes.size() > kBlock ? bytes.size() : kBlock);
  }
  std::string& block = blocks_.back();
  const size_t start = block.size();
  block.append(bytes);  // never beyond its capacity: what is in it stays where it is
  return std::string_view(block).substr(start);
}

}  // namespace sopilka
