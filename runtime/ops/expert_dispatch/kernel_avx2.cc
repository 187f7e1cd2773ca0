// AVX2: 8 rows by 4 columns in a vector, vpmaddubsw and 16-bit accumulators.
//
// Why 16 bits are exact. vpmaddubsw multiplies unsigned nibbles n (0..15) by signed activations a
// (|a| <= 127) and adds two neighbours: at most 2 * 15 * 127 = 3810, far from where it saturates.
// The wanted sum is that of (n - 8) a. The accumulator starts at -8 times the sum of its lane's
// activations (the encoded row's correction) and may wrap on the way: additions modulo 2^16 end
// right if the end fits. A lane takes 2 of each 4 columns, 32 products in a block of 64, so |end|
// <= 32 * 8 * 127 = 32512 < 32768. The start, itself 8 times such a sum, fits for the same reason.
//
// Weights of 8 bits are two nibbles: byte w + 128 = 16 h + l, so w = 16 (h - 8) + (l - 8) + 8. Both
// planes run through the same exact sums and meet in 32 bits: 16 H + L + 8 sum(a). No product ever
// needs a 16-bit sum of its own.
#include <immintrin.h>

#include "gemm.h"

namespace sopilka::expert_dispatch {
namespace {

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline __m256i low_nibbles(__m256i v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
inline __m256i high_nibbles(__m256i v) { return low_nibbles(_mm256_srli_epi16(v, 4)); }

inline __m256 scales_of(const uint8_t* halves) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
}

// low += w0 * x, high += w1 * x for the panel's two halves. Written as assembly where it can
// be: gcc reassociates the intrinsics' additions, moves all multiplications to the front and
// spills, which costs half the speed; and two multiplications before two additions run faster
// than in alternation.
inline void multiply_add(__m256i& low, __m256i& high, __m256i w0, __m256i w1, const int8_t* x) {
#if defined(__GNUC__)
  __m256i four, product;
  __asm__(
      "vpbroadcastd %6, %2\n\t"
      "vpmaddubsw %2, %4, %3\n\t"
      "vpmaddubsw %2, %5, %2\n\t"
      "vpaddw %3, %0, %0\n\t"
      "vpaddw %2, %1, %1"
      : "+x"(low), "+x"(high), "=&x"(four), "=&x"(product)
      : "x"(w0), "x"(w1), "m"(*reinterpret_cast<const int8_t (*)[4]>(x)));
#else
  int32_t word;
  std::memcpy(&word, x, 4);
  const __m256i four = _mm256_set1_epi32(word);
  low = _mm256_add_epi16(low, _mm256_maddubs_epi16(w0, four));
  high = _mm256_add_epi16(high, _mm256_maddubs_epi16(w1, four));
#endif
}

inline __m256i widen(__m256i sums, int factor = 1) {
  return _mm256_madd_epi16(sums, _mm256_set1_epi16(static_cast<int16_t>(factor)));
}

// The 8-bit sum of a block from its two nibble planes and the correction (-8 sum(a), by halves).
inline __m256i join(__m256i high_plane, __m256i low_plane, __m256i correction) {
  return _mm256_sub_epi32(_mm256_add_epi32(widen(high_plane, 16), widen(low_plane)),
                          widen(correction));
}

// out += sum * (weight scale * activation scale), in this order and unfused: the reference
// does the same.
inline __m256 add_scaled(__m256 out, __m256i sum, __m256 weight_scale, __m256 x_scale) {
  return _mm256_add_ps(
      out, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(weight_scale, x_scale)));
}

template <size_t kBits, size_t kBlock>
struct Avx2 {
  static constexpr size_t kTile = 4;
  static constexpr size_t kPlanes = kBits / 4;
  static constexpr size_t kBlockBytes = 2 * kPanelRows + kPanelRows * kBlock * kBits / 8;
  static constexpr size_t kSteps = kBlock / 4;  // of four columns

  // Bytes in the order of use: by block, then plane (8 bits: high, low), then step; 64
  // bytes a step.
  struct Panel {
    alignas(64) uint8_t nibbles[kPlanes * kPanelRows * kGroupColumns];
    alignas(64) float scales[kGroupBlocks * kPanelRows];
  };

  static int32_t start(int32_t correction) { return correction; }

  static void gemv(const uint8_t* weights, size_t blocks, const Row& row, const Stream& stream,
                   float* out) {
    __m256 out0 = _mm256_setzero_ps(), out1 = out0;
    const int8_t* x = row.values;
    for (size_t b = 0; b < blocks; ++b) {
      const __m256i first = _mm256_set1_epi32(start(row.corrections[b]));
      __m256i low0 = first, low1 = first, high0 = first, high1 = first;
      const uint8_t* w = weights + 2 * kPanelRows;
      stream.fetch_ahead<kBlockBytes>(weights);
      for (size_t k = 0; k < kBlock; k += kSubBlock, x += kSubBlock) {
        for (size_t i = 0; i < kBits; ++i, w += 64) {
          const __m256i w0 = load(w), w1 = load(w + 32);
          if constexpr (kBits == 4) {
            multiply_add(low0, low1, low_nibbles(w0), low_nibbles(w1), x + 4 * i);
            multiply_add(low0, low1, high_nibbles(w0), high_nibbles(w1), x + 16 + 4 * i);
          } else {
            multiply_add(low0, low1, low_nibbles(w0), low_nibbles(w1), x + 4 * i);
            multiply_add(high0, high1, high_nibbles(w0), high_nibbles(w1), x + 4 * i);
          }
        }
      }
      const __m256i sum0 = kBits == 4 ? widen(low0) : join(high0, low0, first);
      const __m256i sum1 = kBits == 4 ? widen(low1) : join(high1, low1, first);
      const __m256 x_scale = _mm256_set1_ps(row.scales[b]);
      out0 = add_scaled(out0, sum0, scales_of(weights), x_scale);
      out1 = add_scaled(out1, sum1, scales_of(weights + 16), x_scale);
      weights += kBlockBytes;
    }
    _mm256_storeu_ps(out, out0);
    _mm256_storeu_ps(out + 8, out1);
  }

  static void unpack(const uint8_t* weights, size_t blocks, Panel& panel) {
    uint8_t* target = panel.nibbles;
    for (size_t b = 0; b < blocks; ++b) {
      _mm256_store_ps(panel.scales + b * kPanelRows, scales_of(weights));
      _mm256_store_ps(panel.scales + b * kPanelRows + 8, scales_of(weights + 16));
      weights += 2 * kPanelRows;
      // 4 bits: each sub-block's first 16 columns are its low nibbles. 8 bits: high nibbles are
      // the first plane.
      constexpr size_t kRun = kBits == 4 ? 256 : 64 * kSteps,
                       kRuns = kBits == 4 ? kBlock / kSubBlock : 1;
      for (size_t run = 0; run < kRuns; ++run, target += 2 * kRun) {
        for (size_t i = 0; i < kRun; i += 32, weights += 32) {
          const __m256i v = load(weights);
          _mm256_store_si256(reinterpret_cast<__m256i*>(target + (kBits == 4 ? i : kRun + i)),
                             low_nibbles(v));
          _mm256_store_si256(reinterpret_cast<__m256i*>(target + (kBits == 4 ? kRun + i : i)),
                             high_nibbles(v));
        }
      }
    }
  }

  // One plane of one block for kRows rows; sums[t] starts at the correction.
  template <size_t kRows>
  static inline void block_sums(const uint8_t* w, const Activations& x, size_t t0, size_t b,
                                __m256i (&sums)[kRows][2]) {
    for (size_t t = 0; t < kRows; ++t)
      sums[t][0] = sums[t][1] = _mm256_set1_epi32(x.starts[t0 + t][b]);
#pragma GCC unroll 16
    for (size_t step = 0; step < kSteps; ++step) {
      const __m256i w0 = load(w + step * 64), w1 = load(w + step * 64 + 32);
#pragma GCC unroll 4
      for (size_t t = 0; t < kRows; ++t)
        multiply_add(sums[t][0], sums[t][1], w0, w1, &x.values[t0 + t][b * kBlock + 4 * step]);
    }
  }

  template <size_t kRows>
  static void tile(const Panel& panel, size_t blocks, const Activations& x, size_t t0, float* out) {
    const uint8_t* w = panel.nibbles;
    for (size_t b = 0; b < blocks; ++b) {
      __m256i sums[kRows][2];
      block_sums<kRows>(w, x, t0, b, sums);
      w += 64 * kSteps;
      if constexpr (kBits == 8) {
        __m256i low[kRows][2];
        block_sums<kRows>(w, x, t0, b, low);
        w += 64 * kSteps;
        for (size_t t = 0; t < kRows; ++t) {
          const __m256i correction = _mm256_set1_epi32(x.starts[t0 + t][b]);
          for (size_t half = 0; half < 2; ++half)
            sums[t][half] = join(sums[t][half], low[t][half], correction);
        }
      }
      const __m256 scale0 = _mm256_load_ps(panel.scales + b * kPanelRows),
                   scale1 = _mm256_load_ps(panel.scales + b * kPanelRows + 8);
      for (size_t t = 0; t < kRows; ++t) {
        const __m256 x_scale = _mm256_broadcast_ss(&x.scales[t0 + t][b]);
        const __m256i sum0 = kBits == 4 ? widen(sums[t][0]) : sums[t][0],
                      sum1 = kBits == 4 ? widen(sums[t][1]) : sums[t][1];
        float* target = out + t * kPanelRows;
        _mm256_storeu_ps(target, add_scaled(_mm256_loadu_ps(target), sum0, scale0, x_scale));
        _mm256_storeu_ps(target + 8,
                         add_scaled(_mm256_loadu_ps(target + 8), sum1, scale1, x_scale));
      }
    }
  }
};

}  // namespace

Kernel avx2_kernel(const Format& format) { return kernel_for<Avx2>(format); }

}  // namespace sopilka::expert_dispatch
