// What every ARM of 64 bits has: products of 8 bits in 16.
//
// 4 bits: the products of a column stay in 16 bits for a whole block. A lane takes one of each four
// columns, so |sum| <= 16 * 15 * 127 = 30480 in a block of 64. 8 bits: |product| <= 128 * 127, and
// each pair is added in 32 bits at once.
#include "neon.h"

namespace sopilka::expert_dispatch {
namespace {

template <size_t kBits>
struct PairSums;

template <>
struct PairSums<4> {
  static constexpr size_t kTile = 2;
  int16x8_t sums[8];  // of two rows each, four lanes a row

  PairSums() {
    for (int16x8_t& each : sums) each = vdupq_n_s16(0);
  }
  void add(const int8x16_t (&w)[4], int8x16_t x) {
    for (size_t q = 0; q < 4; ++q) {
      sums[2 * q] = vmlal_s8(sums[2 * q], vget_low_s8(w[q]), vget_low_s8(x));
      sums[2 * q + 1] = vmlal_high_s8(sums[2 * q + 1], w[q], x);
    }
  }
  int32x4_t rows(size_t quarter) const {
    return vpaddq_s32(vpaddlq_s16(sums[2 * quarter]), vpaddlq_s16(sums[2 * quarter + 1]));
  }
};

template <>
struct PairSums<8> {
  static constexpr size_t kTile = 2;
  int32x4_t sums[8];  // of two rows each, two lanes a row

  PairSums() {
    for (int32x4_t& each : sums) each = vdupq_n_s32(0);
  }
  void add(const int8x16_t (&w)[4], int8x16_t x) {
    for (size_t q = 0; q < 4; ++q) {
      sums[2 * q] = vpadalq_s16(sums[2 * q], vmull_s8(vget_low_s8(w[q]), vget_low_s8(x)));
      sums[2 * q + 1] = vpadalq_s16(sums[2 * q + 1], vmull_high_s8(w[q], x));
    }
  }
  int32x4_t rows(size_t quarter) const {
    return vpaddq_s32(sums[2 * quarter], sums[2 * quarter + 1]);
  }
};

template <size_t kBits, size_t kBlock>
struct NeonBase : Neon<PairSums, kBits, kBlock> {};

}  // namespace

Kernel neon_kernel(const Format& format) { return kernel_for<NeonBase>(format); }

}  // namespace sopilka::expert_dispatch
