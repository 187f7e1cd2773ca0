// The three functions of a kernel, written once over a vector of eight floats and, where no sum
// crosses lanes, over a wide one of sixteen: as wide as a block has positions.
//
// Attention runs over chunks of kChunk positions with a running maximum and sum (Milakov and
// Gimelshein, arXiv 1805.02867, as in FlashAttention, arXiv 2205.14135): the memory it needs does
// not grow with the context. Chunks begin at multiples of kChunk whatever the row, and all sums run
// in one order, so a position computed alone, in a chunk or in a batch has the same bits.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "arithmetic.h"
#include "kernel.h"
#include "prefetch.h"

namespace sopilka::paged_attention {
namespace {

constexpr size_t kChunk = 256;
constexpr size_t kLanes = 8;
constexpr size_t kLine = 64;

inline float sum_of_lanes(const float* lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

void prepare(const Shape& shape, const float* x, const float* gain, const float* cos,
             const float* sin, float scale, float* out) {
  const size_t size = shape.head_dim, half = size / 2;
  if (gain != nullptr) {
    float lanes[kLanes] = {};
    for (size_t i = 0; i < size; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane)
        lanes[lane] = lanes[lane] + x[i + lane] * x[i + lane];
    }
    const float mean = sum_of_lanes(lanes) / static_cast<float>(size);
    const float factor = 1.0f / std::sqrt(mean + shape.epsilon);
    for (size_t i = 0; i < size; ++i) out[i] = x[i] * factor * gain[i];
  } else {
    std::copy(x, x + size, out);
  }
  for (size_t i = 0; i < half; ++i) {
    const float low = out[i], high = out[half + i];
    out[i] = (low * cos[i] - high * sin[i]) * scale;
    out[half + i] = (high * cos[i] + low * sin[i]) * scale;
  }
}

// int8 values with |value| <= 127 at every `stride` bytes; returns their scale.
inline float encode(const float* x, size_t size, int8_t* values, size_t stride) {
  uint32_t largest = 0;  // Magnitudes compare as integers; infinity and NaN are the largest.
  for (size_t i = 0; i < size; ++i) {
    const uint32_t magnitude = bits_of(x[i]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  const uint32_t infinity = 0x7f800000u, two_to_minus_100 = 0x0d800000u;
  const bool usable = largest < infinity && largest >= two_to_minus_100;
  const float factor = usable ? 127.0f / float_of(largest) : 0.0f;
  for (size_t i = 0; i < size; ++i) {
    values[i * stride] =
        usable ? static_cast<int8_t>(static_cast<int32_t>(round_even(x[i] * factor))) : int8_t{0};
  }
  if (usable) return float_of(largest) / 127.0f;
  return largest >= infinity ? float_of(0x7fc00000u) : 0.0f;
}

// Sixteen floats where registers hold eight.
template <class Vector>
struct Pair {
  static constexpr size_t kRegisterRows = 4;  // with sixteen registers
  Vector low, high;

  template <class T>
  static Pair load(const T* from) {
    return {Vector::load(from), Vector::load(from + kLanes)};
  }
  static Pair broadcast(float value) {
    const Vector all = Vector::broadcast(value);
    return {all, all};
  }
  void store(float* to) const {
    low.store(to);
    high.store(to + kLanes);
  }
  Pair operator+(const Pair& other) const { return {low + other.low, high + other.high}; }
  Pair operator*(const Pair& other) const { return {low * other.low, high * other.high}; }
};

// How a block's head is read with 32 bits and with 8, sixteen numbers at a time.
template <class Wide>
struct Floats {
  using Lanes = Wide;
  static constexpr bool kScaled = false;
  static constexpr size_t kRegisterRows = Wide::kRegisterRows;
  static constexpr size_t kKeyBytes = kBlock * sizeof(float);  // of one dimension
  static Wide key(const uint8_t* head, size_t index) {
    return Wide::load(reinterpret_cast<const float*>(head) + index);
  }
  static Wide value(const uint8_t* head, size_t size, size_t index) {
    return Wide::load(reinterpret_cast<const float*>(head) + kBlock * size + index);
  }
  static const float* key_scales(const uint8_t*, size_t) { return nullptr; }
};

template <class Wide>
struct Bytes {
  using Lanes = Wide;
  static constexpr bool kScaled = true;
  static constexpr size_t kRegisterRows = Wide::kRegisterRows;
  static constexpr size_t kKeyBytes = kBlock;
  static Wide key(const uint8_t* head, size_t index) {
    return Wide::load(reinterpret_cast<const int8_t*>(head) + index);
  }
  static Wide value(const uint8_t* head, size_t size, size_t index) {
    return Wide::load(reinterpret_cast<const int8_t*>(head) + kBlock * size + index);
  }
  static const float* key_scales(const uint8_t* head, size_t size) {
    return reinterpret_cast<const float*>(head + 2 * kBlock * size);
  }
};

template <class Elements>
void store(const Shape& shape, const float* key, const float* value, size_t at, uint8_t* head) {
  const size_t size = shape.head_dim;
  if constexpr (Elements::kScaled) {
    int8_t* bytes = reinterpret_cast<int8_t*>(head);
    float* scales = reinterpret_cast<float*>(head + 2 * kBlock * size);
    scales[at] = encode(key, size, bytes + at, kBlock);
    scales[kBlock + at] = encode(value, size, bytes + kBlock * size + at * size, 1);
  } else {
    float* floats = reinterpret_cast<float*>(head);
    for (size_t i = 0; i < size; ++i) floats[i * kBlock + at] = key[i];
    std::copy(value, value + size, floats + kBlock * size + at * size);
  }
}

// scores[row][0..16) of one block's positions. Meanwhile the block's values and the keys of the
// next block come from memory.
template <class Elements, size_t kCount>
void score_block(const Row* rows, const uint8_t* head, const uint8_t* next, size_t size,
                 float* scores) {
  using Wide = typename Elements::Lanes;
  const size_t key_bytes = size * Elements::kKeyBytes;
  Wide sums[kCount];
  for (size_t r = 0; r < kCount; ++r) sums[r] = Wide::broadcast(0.0f);
  for (size_t i = 0; i < size; ++i) {
    if (i * Elements::kKeyBytes % kLine == 0) {
      prefetch(head + key_bytes + i * Elements::kKeyBytes);
      prefetch(next + i * Elements::kKeyBytes);
    }
    const Wide keys = Elements::key(head, i * kBlock);
    for (size_t r = 0; r < kCount; ++r)
      sums[r] = sums[r] + Wide::broadcast(rows[r].query[i]) * keys;
  }
  if constexpr (Elements::kScaled) {
    const Wide scales = Wide::load(Elements::key_scales(head, size));
    for (size_t r = 0; r < kCount; ++r) sums[r] = sums[r] * scales;
  }
  for (size_t r = 0; r < kCount; ++r) sums[r].store(scores + r * kChunk);
}

// out[row] += weights[row] . values of one block's positions [from, to).
template <class Elements, size_t kCount>
void add_block(const Row* rows, const uint8_t* head, size_t size, const float* weights, size_t from,
               size_t to) {
  using Wide = typename Elements::Lanes;
  for (size_t i = 0; i < size; i += 2 * kLanes) {
    Wide sums[kCount];
    for (size_t r = 0; r < kCount; ++r) sums[r] = Wide::load(rows[r].out + i);
    for (size_t position = from; position < to; ++position) {
      const Wide values = Elements::value(head, size, position * size + i);
      for (size_t r = 0; r < kCount; ++r)
        sums[r] = sums[r] + Wide::broadcast(weights[r * kChunk + position]) * values;
    }
    for (size_t r = 0; r < kCount; ++r) sums[r].store(rows[r].out + i);
  }
}

// Calls the functions above for as many rows at a time as the registers hold.
template <class Elements, size_t kCount>
void score_rows(const Row* rows, const uint8_t* head, const uint8_t* next, size_t size,
                float* scores) {
  constexpr size_t kNow = std::min(kCount, Elements::kRegisterRows);
  score_block<Elements, kNow>(rows, head, next, size, scores);
  if constexpr (kCount > kNow)
    score_rows<Elements, kCount - kNow>(rows + kNow, head, next, size, scores + kNow * kChunk);
}

template <class Elements, size_t kCount>
void add_rows(const Row* rows, const uint8_t* head, size_t size, const float* weights, size_t from,
              size_t to) {
  constexpr size_t kNow = std::min(kCount, Elements::kRegisterRows);
  add_block<Elements, kNow>(rows, head, size, weights, from, to);
  if constexpr (kCount > kNow)
    add_rows<Elements, kCount - kNow>(rows + kNow, head, size, weights + kNow * kChunk, from, to);
}

// out[row] += weights[row] . values of positions [from, to) of a chunk that begins at `first`.
template <class Elements, size_t kCount>
void add_values(const Row* rows, const Pages& pages, size_t size, const float* weights,
                size_t first, size_t from, size_t to) {
  while (from < to) {
    const size_t block = from / kBlock * kBlock, end = std::min(to, block + kBlock);
    add_rows<Elements, kCount>(rows, pages.block((first + block) / kBlock), size, weights + block,
                               from - block, end - block);
    from = end;
  }
}

struct Running {
  float largest = -std::numeric_limits<float>::infinity();
  float sum = 0.0f;
};

inline void exponentials(float* SOPILKA_RESTRICT scores, size_t count, float largest,
                         float* SOPILKA_RESTRICT lanes) {
  for (size_t j = 0; j < count; ++j) scores[j] = exponential(scores[j] - largest);
  for (size_t j = 0; j < count; j += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = lanes[lane] + scores[j + lane];
  }
}

// Turns the scores of `count` positions into weights and takes the row's sums along.
template <class Vector>
void soften(const Row& row, size_t size, float* scores, size_t count, Running* running) {
  const size_t padded = (count + kLanes - 1) / kLanes * kLanes;
  std::fill(scores + count, scores + padded, -std::numeric_limits<float>::infinity());
  float lanes[kLanes];
  Vector most = Vector::broadcast(running->largest);
  for (size_t j = 0; j < padded; j += kLanes) most = Vector::load(scores + j).larger(most);
  most.store(lanes);
  float largest = lanes[0];
  for (size_t lane = 1; lane < kLanes; ++lane)
    largest = lanes[lane] > largest ? lanes[lane] : largest;
  const float fade = exponential(running->largest - largest);
  std::fill(lanes, lanes + kLanes, 0.0f);
  exponentials(scores, padded, largest, lanes);
  running->largest = largest;
  running->sum = running->sum * fade + sum_of_lanes(lanes);
  for (size_t i = 0; i < size; ++i) row.out[i] = row.out[i] * fade;
}

template <class Vector, class Elements, size_t kCount>
void attend_rows(const Shape& shape, const Pages& pages, const Row* rows) {
  alignas(64) float scores[kCount * kChunk];
  Running running[kCount];
  const size_t size = shape.head_dim;
  size_t longest = 0;
  for (size_t r = 0; r < kCount; ++r) {
    longest = std::max(longest, rows[r].length);
    std::fill(rows[r].out, rows[r].out + size, 0.0f);
  }
  for (size_t first = 0; first < longest; first += kChunk) {
    const size_t count = std::min(kChunk, longest - first);
    for (size_t j = 0; j < count; j += kBlock) {
      const uint8_t* head = pages.block((first + j) / kBlock);
      const size_t after = first + j + kBlock;
      score_rows<Elements, kCount>(rows, head, after < longest ? pages.block(after / kBlock) : head,
                                   size, scores + j);
    }
    size_t seen[kCount], shared = count;
    for (size_t r = 0; r < kCount; ++r) {
      seen[r] = rows[r].length > first ? std::min(count, rows[r].length - first) : 0;
      shared = std::min(shared, seen[r]);
      if (seen[r] == 0) continue;
      soften<Vector>(rows[r], size, scores + r * kChunk, seen[r], &running[r]);
      if constexpr (Elements::kScaled) {
        for (size_t j = 0; j < seen[r]; ++j) {
          const uint8_t* head = pages.block((first + j) / kBlock);
          scores[r * kChunk + j] *= Elements::key_scales(head, size)[kBlock + j % kBlock];
        }
      }
    }
    // Positions that all rows see are read once for all; a position that a row must not see is not
    // even multiplied by zero, for it may hold a NaN.
    if (shared > 0) add_values<Elements, kCount>(rows, pages, size, scores, first, 0, shared);
    for (size_t r = 0; r < kCount; ++r) {
      if (seen[r] > shared) {
        add_values<Elements, 1>(rows + r, pages, size, scores + r * kChunk, first, shared, seen[r]);
      }
    }
  }
  for (size_t r = 0; r < kCount; ++r) {
    for (size_t i = 0; i < size; ++i) rows[r].out[i] = rows[r].out[i] / running[r].sum;
  }
}

template <class Vector, class Elements>
void attend(const Shape& shape, const Pages& pages, const Row* rows, size_t row_count) {
  static_assert(kRows == 8, "one case for each number of rows");
  switch (row_count) {
    case 1:
      return attend_rows<Vector, Elements, 1>(shape, pages, rows);
    case 2:
      return attend_rows<Vector, Elements, 2>(shape, pages, rows);
    case 3:
      return attend_rows<Vector, Elements, 3>(shape, pages, rows);
    case 4:
      return attend_rows<Vector, Elements, 4>(shape, pages, rows);
    case 5:
      return attend_rows<Vector, Elements, 5>(shape, pages, rows);
    case 6:
      return attend_rows<Vector, Elements, 6>(shape, pages, rows);
    case 7:
      return attend_rows<Vector, Elements, 7>(shape, pages, rows);
    default:
      return attend_rows<Vector, Elements, 8>(shape, pages, rows);
  }
}

template <class Vector, class Wide = Pair<Vector>>
Kernel kernel_of(const Shape& shape) {
  if (shape.bits == 32) return {prepare, store<Floats<Wide>>, attend<Vector, Floats<Wide>>};
  return {prepare, store<Bytes<Wide>>, attend<Vector, Bytes<Wide>>};
}

}  // namespace
}  // namespace sopilka::paged_attention
