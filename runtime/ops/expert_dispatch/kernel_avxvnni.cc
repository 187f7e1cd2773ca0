// AVX-VNNI: the 256-bit vpdpbusd of client CPUs without AVX-512. Sums are exact as in
// kernel_avx512vnni.cc, vectors are half a panel as in kernel_avx2.cc.
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

// sums[0] += w0 * x, sums[1] += w1 * x for the panel's two halves and four columns.
inline void multiply_add(__m256i (&sums)[2], __m256i w0, __m256i w1, const int8_t* x) {
  int32_t word;
  std::memcpy(&word, x, 4);
  const __m256i four = _mm256_set1_epi32(word);
  sums[0] = _mm256_dpbusd_avx_epi32(sums[0], w0, four);
  sums[1] = _mm256_dpbusd_avx_epi32(sums[1], w1, four);
}

// out += sum * (weight scale * activation scale), in this order and unfused: the reference
// does the same.
inline __m256 add_scaled(__m256 out, __m256i sum, __m256 weight_scale, __m256 x_scale) {
  return _mm256_add_ps(
      out, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(weight_scale, x_scale)));
}

template <size_t kBits, size_t kBlock>
struct AvxVnni {
  static constexpr size_t kTile = 4;
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
    __m256 out0 = _mm256_setzero_ps(), out1 = out0;
    const int8_t* x = row.values;
    for (size_t b = 0; b < blocks; ++b) {
      const __m256i first = _mm256_set1_epi32(start(row.corrections[b])),
                    zero = _mm256_setzero_si256();
      __m256i even[2] = {first, first},
              odd[2] = {zero, zero};  // Two chains a half hide the latency.
      const uint8_t* w = weights + 2 * kPanelRows;
      stream.fetch_ahead<kBlockBytes>(weights);
      for (size_t k = 0; k < kBlock; k += kSubBlock, x += kSubBlock) {
        if constexpr (kBits == 4) {
          for (size_t i = 0; i < 4; ++i, w += 64) {
            const __m256i w0 = load(w), w1 = load(w + 32);
            multiply_add(even, low_nibbles(w0), low_nibbles(w1), x + 4 * i);
            multiply_add(odd, high_nibbles(w0), high_nibbles(w1), x + 16 + 4 * i);
          }
        } else {
          for (size_t i = 0; i < 8; i += 2, w += 128) {
            multiply_add(even, load(w), load(w + 32), x + 4 * i);
            multiply_add(odd, load(w + 64), load(w + 96), x + 4 * i + 4);
          }
        }
      }
      const __m256 x_scale = _mm256_set1_ps(row.scales[b]);
      out0 = add_scaled(out0, _mm256_add_epi32(even[0], odd[0]), scales_of(weights), x_scale);
      out1 = add_scaled(out1, _mm256_add_epi32(even[1], odd[1]), scales_of(weights + 16), x_scale);
      weights += kBlockBytes;
    }
    _mm256_storeu_ps(out, out0);
    _mm256_storeu_ps(out + 8, out1);
  }

  static void unpack(const uint8_t* weights, size_t blocks, Panel& panel) {
    uint8_t* target = panel.bytes;
    for (size_t b = 0; b < blocks; ++b) {
      _mm256_store_ps(panel.scales + b * kPanelRows, scales_of(weights));
      _mm256_store_ps(panel.scales + b * kPanelRows + 8, scales_of(weights + 16));
      weights += 2 * kPanelRows;
      if constexpr (kBits == 8) {
        std::memcpy(target, weights, kPanelRows * kBlock);
        target += kPanelRows * kBlock;
        weights += kPanelRows * kBlock;
      } else {
        for (size_t k = 0; k < kBlock; k += kSubBlock, target += 512, weights += 256) {
          for (size_t i = 0; i < 256; i += 32) {
            const __m256i v = load(weights + i);
            _mm256_store_si256(reinterpret_cast<__m256i*>(target + i), low_nibbles(v));
            _mm256_store_si256(reinterpret_cast<__m256i*>(target + 256 + i), high_nibbles(v));
          }
        }
      }
    }
  }

  template <size_t kRows>
  static void tile(const Panel& panel, size_t blocks, const Activations& x, size_t t0, float* out) {
    for (size_t b = 0; b < blocks; ++b) {
      __m256i sums[kRows][2];
      for (size_t t = 0; t < kRows; ++t)
        sums[t][0] = sums[t][1] = _mm256_set1_epi32(x.starts[t0 + t][b]);
#pragma GCC unroll 16
      for (size_t step = 0; step < kSteps; ++step) {
        const uint8_t* w = panel.bytes + (b * kSteps + step) * 64;
        const __m256i w0 = load(w), w1 = load(w + 32);
#pragma GCC unroll 4
        for (size_t t = 0; t < kRows; ++t)
          multiply_add(sums[t], w0, w1, &x.values[t0 + t][b * kBlock + 4 * step]);
      }
      const __m256 scale0 = _mm256_load_ps(panel.scales + b * kPanelRows),
                   scale1 = _mm256_load_ps(panel.scales + b * kPanelRows + 8);
      for (size_t t = 0; t < kRows; ++t) {
        const __m256 x_scale = _mm256_broadcast_ss(&x.scales[t0 + t][b]);
        float* target = out + t * kPanelRows;
        _mm256_storeu_ps(target, add_scaled(_mm256_loadu_ps(target), sums[t][0], scale0, x_scale));
        _mm256_storeu_ps(target + 8,
                         add_scaled(_mm256_loadu_ps(target + 8), sums[t][1], scale1, x_scale));
      }
    }
  }
};

}  // namespace

Kernel avxvnni_kernel(const Format& format) { return kernel_for<AvxVnni>(format); }

}  // namespace sopilka::expert_dispatch
