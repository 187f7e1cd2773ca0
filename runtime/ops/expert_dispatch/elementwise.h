// The arithmetic between the matrix products, written once for all paths as plain loops
// that compilers vectorise.
//
// Only additions, multiplications, divisions and roundings of IEEE single precision in a
// fixed order: so every path, every thread count and the NumPy reference give the same bits.
// All functions are `static`, because each path's file compiles them with its own
// instructions (see layout.h).
#pragma once

#include <cstdint>
#include <cstring>

#include "arithmetic.h"
#include "layout.h"

namespace sopilka::expert_dispatch {

// target[i] = silu(out[i]) * out[8 + i]. Eight at a time, and told apart: so that compilers
// see one vector.
static inline void swiglu_eight(const float* SOPILKA_RESTRICT out, float* SOPILKA_RESTRICT target) {
  for (size_t i = 0; i < 8; ++i) target[i] = out[i] / (1.0f + exponential(-out[i])) * out[8 + i];
}

static inline void swiglu_panels(const float* out, size_t panels, size_t row_count, float* h,
                                 size_t stride) {
  for (size_t p = 0; p < panels; ++p) {
    for (size_t t = 0; t < row_count; ++t, out += kPanelRows)
      swiglu_eight(out, h + t * stride + 8 * p);
  }
}

static inline void accumulate_panels(const float* out, size_t panels, size_t stride, float weight,
                                     float* y) {
  for (size_t p = 0; p < panels; ++p, out += stride, y += kPanelRows) {
    for (size_t i = 0; i < kPanelRows; ++i) y[i] = y[i] + weight * out[i];
  }
}

// One block of activations: int8 values with |value| <= 127, a scale, and -8 times the values' sums
// as the two int16 halves of a word: columns with j % 4 < 2 in the low half, the others in the high
// one. The AVX2 kernel starts its accumulators there; at most 32 values of 127 times 8 add up to
// 32512, so a half never overflows.
static inline void encode_block(const float* x, size_t block, int8_t* values, float* scale,
                                int32_t* correction) {
  uint32_t largest =
      0;  // Magnitudes compare as integers, and there infinity and NaN are the largest of all.
  for (size_t i = 0; i < block; ++i) {
    const uint32_t magnitude = bits_of(x[i]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  const uint32_t infinity = 0x7f800000u, two_to_minus_100 = 0x0d800000u;
  if (largest >= infinity || largest < two_to_minus_100) {
    std::memset(values, 0, block);
    *scale = largest >= infinity ? float_of(0x7fc00000u) : 0.0f;
    *correction = 0;
    return;
  }
  const float factor = 127.0f / float_of(largest);
  *scale = float_of(largest) / 127.0f;
  int32_t low = 0, high = 0;
  for (size_t i = 0; i < block; ++i)
    values[i] = static_cast<int8_t>(static_cast<int32_t>(round_even(x[i] * factor)));
  for (size_t i = 0; i < block; i += 4) {
    low += values[i] + values[i + 1];
    high += values[i + 2] + values[i + 3];
  }
  const uint32_t word =
      (static_cast<uint32_t>(-8 * low) & 0xffffu) | (static_cast<uint32_t>(-8 * high) << 16);
  std::memcpy(correction, &word, sizeof word);
}

static inline void encode_row(const Format& format, size_t columns, const float* x, size_t first,
                              size_t count, uint8_t* row) {
  const RowLayout layout(format, columns);
  float* scales = reinterpret_cast<float*>(row + layout.scales);
  int32_t* corrections = reinterpret_cast<int32_t*>(row + layout.corrections);
  for (size_t column = first; column < first + count; column += format.block, x += format.block) {
    const size_t b = column / format.block;
    encode_block(x, format.block, reinterpret_cast<int8_t*>(row + column), scales + b,
                 corrections + b);
  }
}

}  // namespace sopilka::expert_dispatch
