// AVX-512 with VNNI: a vector is the panel's 16 rows by 4 columns, vpdpbusd adds its four products
// in 32 bits.
//
// All sums are exact by width: |sum| <= 64 * 255 * 127 < 2^21. Unsigned weights again carry an
// offset (8 or 128), taken back by starting at minus the offset times the sum of the activations,
// which the row's correction holds for the offset 8 in two halves.
#include <immintrin.h>

#include "gemm.h"

namespace sopilka::expert_dispatch {
namespace {

inline __m512i load(const void* p) { return _mm512_loadu_si512(p); }
inline __m512i low_nibbles(__m512i v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
inline __m512i high_nibbles(__m512i v) { return low_nibbles(_mm512_srli_epi16(v, 4)); }

inline __m512i four_values(const int8_t* p) {
  int32_t word;
  std::memcpy(&word, p, 4);
  return _mm512_set1_epi32(word);
}

inline __m512 scales_of(const uint8_t* halves) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
}

// out += sum * (weight scale * activation scale), in this order and unfused: the reference
// does the same.
inline __m512 add_scaled(__m512 out, __m512i sum, __m512 weight_scale, float x_scale) {
  return _mm512_add_ps(out, _mm512_mul_ps(_mm512_cvtepi32_ps(sum),
                                          _mm512_mul_ps(weight_scale, _mm512_set1_ps(x_scale))));
}

template <size_t kBits, size_t kBlock>
struct Avx512Vnni {
  static constexpr size_t kTile = 8;
  static constexpr size_t kBlockBytes = 2 * kPanelRows + kPanelRows * kBlock * kBits / 8;
  static constexpr size_t kSteps = kBlock / 4;  // of four columns

  // Bytes in the order of use, 64 a step.
  struct Panel {
    alignas(64) uint8_t bytes[kPanelRows * kGroupColumns];
    alignas(64) float scales[kGroupBlocks * kPanelRows];
  };

  static int32_t start(int32_t correction) {
    const int32_t eight_sums = static_cast<int16_t>(correction & 0xffff) + (correction >> 16);
    return kBits == 4 ? eight_sums : 16 * eight_sums;
  }

  static void gemv(const uint8_t* weights, size_t blocks, const Row& row, const Stream& stream,
                   float* out) {
    __m512 total = _mm512_setzero_ps();
    const int8_t* x = row.values;
    for (size_t b = 0; b < blocks; ++b) {
      __m512i even = _mm512_set1_epi32(start(row.corrections[b])),
              odd = _mm512_setzero_si512();  // Two chains hide the latency.
      const uint8_t* w = weights + 2 * kPanelRows;
      stream.fetch_ahead<kBlockBytes>(weights);
      for (size_t k = 0; k < kBlock; k += kSubBlock, x += kSubBlock) {
        if constexpr (kBits == 4) {
          for (size_t i = 0; i < 4; ++i, w += 64) {
            const __m512i v = load(w);
            even = _mm512_dpbusd_epi32(even, low_nibbles(v), four_values(x + 4 * i));
            odd = _mm512_dpbusd_epi32(odd, high_nibbles(v), four_values(x + 16 + 4 * i));
          }
        } else {
          for (size_t i = 0; i < 8; i += 2, w += 128) {
            even = _mm512_dpbusd_epi32(even, load(w), four_values(x + 4 * i));
            odd = _mm512_dpbusd_epi32(odd, load(w + 64), four_values(x + 4 * i + 4));
          }
        }
      }
      total = add_scaled(total, _mm512_add_epi32(even, odd), scales_of(weights), row.scales[b]);
      weights += kBlockBytes;
    }
    _mm512_storeu_ps(out, total);
  }

  static void unpack(const uint8_t* weights, size_t blocks, Panel& panel) {
    uint8_t* target = panel.bytes;
    for (size_t b = 0; b < blocks; ++b) {
      _mm512_store_ps(panel.scales + b * kPanelRows, scales_of(weights));
      weights += 2 * kPanelRows;
      if constexpr (kBits == 8) {
        std::memcpy(target, weights, kPanelRows * kBlock);
        target += kPanelRows * kBlock;
        weights += kPanelRows * kBlock;
      } else {
        for (size_t k = 0; k < kBlock; k += kSubBlock, target += 512, weights += 256) {
          for (size_t i = 0; i < 256; i += 64) {
            const __m512i v = load(weights + i);
            _mm512_store_si512(target + i, low_nibbles(v));
            _mm512_store_si512(target + 256 + i, high_nibbles(v));
          }
        }
      }
    }
  }

  template <size_t kRows>
  static void tile(const Panel& panel, size_t blocks, const Activations& x, size_t t0, float* out) {
    __m512 totals[kRows];
    for (size_t t = 0; t < kRows; ++t) totals[t] = _mm512_loadu_ps(out + t * kPanelRows);
    for (size_t b = 0; b < blocks; ++b) {
      __m512i sums[kRows];
      for (size_t t = 0; t < kRows; ++t) sums[t] = _mm512_set1_epi32(x.starts[t0 + t][b]);
#pragma GCC unroll 16
      for (size_t step = 0; step < kSteps; ++step) {
        const __m512i w = _mm512_load_si512(panel.bytes + (b * kSteps + step) * 64);
#pragma GCC unroll 8
        for (size_t t = 0; t < kRows; ++t) {
          sums[t] = _mm512_dpbusd_epi32(sums[t], w,
                                        four_values(&x.values[t0 + t][b * kBlock + 4 * step]));
        }
      }
      const __m512 scales = _mm512_load_ps(panel.scales + b * kPanelRows);
      for (size_t t = 0; t < kRows; ++t)
        totals[t] = add_scaled(totals[t], sums[t], scales, x.scales[t0 + t][b]);
    }
    for (size_t t = 0; t < kRows; ++t) _mm512_storeu_ps(out + t * kPanelRows, totals[t]);
  }
};

}  // namespace

Kernel avx512vnni_kernel(const Format& format) { return kernel_for<Avx512Vnni>(format); }

}  // namespace sopilka::expert_dispatch
