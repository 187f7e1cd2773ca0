// ARM with the dot product instruction (ARMv8.2 and later): sdot adds four products in 32 bits.
// |sum| <= 64 * 128 * 127 < 2^21.
#include "neon.h"

namespace sopilka::expert_dispatch {
namespace {

template <size_t kBits>
struct DotSums {
  static constexpr size_t kTile = 4;
  int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};

  void add(const int8x16_t (&w)[4], int8x16_t x) {
    for (size_t q = 0; q < 4; ++q) sums[q] = vdotq_s32(sums[q], w[q], x);
  }
  int32x4_t rows(size_t quarter) const { return sums[quarter]; }
};

template <size_t kBits, size_t kBlock>
struct NeonDot : Neon<DotSums, kBits, kBlock> {};

}  // namespace

Kernel neondot_kernel(const Format& format) { return kernel_for<NeonDot>(format); }

}  // namespace sopilka::expert_dispatch
