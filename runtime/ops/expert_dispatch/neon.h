// ARM: a step of four columns is four vectors of 4 rows by 4 columns. What the paths of ARM share;
// they differ in how they sum products, which is `Sums`:
//   void add(const int8x16_t (&w)[4], int8x16_t x): adds a step, x holds its four activations
//     four times;
//   int32x4_t rows(size_t quarter): sums of rows 4 quarter to 4 quarter + 3.
//
// All sums are exact: see each path. Weights of 4 bits stay nibbles from 0 to 15 and carry an
// offset of 8, taken back by starting at minus 8 times the sum of the activations, which the
// encoded row's correction holds in two halves. Those of 8 bits become signed by one bit.
#pragma once

#include <arm_neon.h>

#include "gemm.h"

namespace sopilka::expert_dispatch {
namespace {

inline int8x16_t low_nibbles(uint8x16_t v) {
  return vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(15)));
}
inline int8x16_t high_nibbles(uint8x16_t v) { return vreinterpretq_s8_u8(vshrq_n_u8(v, 4)); }
inline int8x16_t without_offset(uint8x16_t v) {
  return vreinterpretq_s8_u8(veorq_u8(v, vdupq_n_u8(128)));
}

inline int8x16_t four_values(const int8_t* p) {
  int32_t word;
  std::memcpy(&word, p, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(word));
}

// The float scales of four rows.
inline float32x4_t scales_of(const uint8_t* halves) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(halves)));
}

// out += sum * (weight scale * activation scale), in this order and unfused: the reference
// does the same.
inline float32x4_t add_scaled(float32x4_t out, int32x4_t sum, float32x4_t weight_scale,
                              float x_scale) {
  return vaddq_f32(out, vmulq_f32(vcvtq_f32_s32(sum), vmulq_n_f32(weight_scale, x_scale)));
}

template <template <size_t> class Sums, size_t kBits, size_t kBlock>
struct Neon {
  static constexpr size_t kTile = Sums<kBits>::kTile;
  static constexpr size_t kBlockBytes = 2 * kPanelRows + kPanelRows * kBlock * kBits / 8;
  static constexpr size_t kSteps = kBlock / 4;  // of four columns

  // Signed bytes in the order of use, 64 a step.
  struct Panel {
    alignas(64) int8_t bytes[kPanelRows * kGroupColumns];
    alignas(64) float scales[kGroupBlocks * kPanelRows];
  };

  static int32_t start(int32_t correction) {
    return kBits == 4 ? static_cast<int16_t>(correction & 0xffff) + (correction >> 16) : 0;
  }

  static void gemv(const uint8_t* weights, size_t blocks, const Row& row, const Stream& stream,
                   float* out) {
    float32x4_t totals[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    const int8_t* x = row.values;
    for (size_t b = 0; b < blocks; ++b) {
      Sums<kBits> sums;
      const uint8_t* w = weights + 2 * kPanelRows;
      stream.fetch_ahead<kBlockBytes>(weights);
      for (size_t k = 0; k < kBlock; k += kSubBlock, x += kSubBlock) {
        for (size_t i = 0; i < kBits; ++i, w += 64) {
          int8x16_t first[4], second[4];
          for (size_t q = 0; q < 4; ++q) {
            const uint8x16_t v = vld1q_u8(w + 16 * q);
            first[q] = kBits == 4 ? low_nibbles(v) : without_offset(v);
            second[q] = high_nibbles(v);
          }
          sums.add(first, four_values(x + 4 * i));
          if constexpr (kBits == 4) sums.add(second, four_values(x + 16 + 4 * i));
        }
      }
      const int32x4_t first = vdupq_n_s32(start(row.corrections[b]));
      for (size_t q = 0; q < 4; ++q) {
        totals[q] = add_scaled(totals[q], vaddq_s32(first, sums.rows(q)),
                               scales_of(weights + 8 * q), row.scales[b]);
      }
      weights += kBlockBytes;
    }
    for (size_t q = 0; q < 4; ++q) vst1q_f32(out + 4 * q, totals[q]);
  }

  static void unpack(const uint8_t* weights, size_t blocks, Panel& panel) {
    int8_t* target = panel.bytes;
    for (size_t b = 0; b < blocks; ++b) {
      for (size_t q = 0; q < 4; ++q)
        vst1q_f32(panel.scales + b * kPanelRows + 4 * q, scales_of(weights + 8 * q));
      weights += 2 * kPanelRows;
      if constexpr (kBits == 8) {
        for (size_t i = 0; i < kPanelRows * kBlock; i += 16, target += 16, weights += 16)
          vst1q_s8(target, without_offset(vld1q_u8(weights)));
      } else {
        for (size_t k = 0; k < kBlock; k += kSubBlock, target += 512, weights += 256) {
          for (size_t i = 0; i < 256; i += 16) {
            const uint8x16_t v = vld1q_u8(weights + i);
            vst1q_s8(target + i, low_nibbles(v));
            vst1q_s8(target + 256 + i, high_nibbles(v));
          }
        }
      }
    }
  }

  template <size_t kRows>
  static void tile(const Panel& panel, size_t blocks, const Activations& x, size_t t0, float* out) {
    for (size_t b = 0; b < blocks; ++b) {
      Sums<kBits> sums[kRows];
#pragma GCC unroll 16
      for (size_t step = 0; step < kSteps; ++step) {
        int8x16_t w[4];
        for (size_t q = 0; q < 4; ++q)
          w[q] = vld1q_s8(panel.bytes + (b * kSteps + step) * 64 + 16 * q);
#pragma GCC unroll 4
        for (size_t t = 0; t < kRows; ++t)
          sums[t].add(w, four_values(&x.values[t0 + t][b * kBlock + 4 * step]));
      }
      for (size_t q = 0; q < 4; ++q) {
        const float32x4_t scale = vld1q_f32(panel.scales + b * kPanelRows + 4 * q);
        for (size_t t = 0; t < kRows; ++t) {
          float* target = out + t * kPanelRows + 4 * q;
          const int32x4_t sum = vaddq_s32(vdupq_n_s32(x.starts[t0 + t][b]), sums[t].rows(q));
          vst1q_f32(target, add_scaled(vld1q_f32(target), sum, scale, x.scales[t0 + t][b]));
        }
      }
    }
  }
};

}  // namespace
}  // namespace sopilka::expert_dispatch
