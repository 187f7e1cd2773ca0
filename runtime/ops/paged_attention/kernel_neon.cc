// ARM of 64 bits: eight floats are two registers. No fused multiply-add: see arithmetic.h.
#include <arm_neon.h>

#include "attend.h"

namespace sopilka::paged_attention {
namespace {

struct Vector {
  float32x4_t low, high;

  static Vector load(const float* from) { return {vld1q_f32(from), vld1q_f32(from + 4)}; }
  static Vector load(const int8_t* from) {
    const int16x8_t wide = vmovl_s8(vld1_s8(from));
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))),
            vcvtq_f32_s32(vmovl_s16(vget_high_s16(wide)))};
  }
  static Vector broadcast(float value) { return {vdupq_n_f32(value), vdupq_n_f32(value)}; }
  void store(float* to) const {
    vst1q_f32(to, low);
    vst1q_f32(to + 4, high);
  }
  Vector operator+(const Vector& other) const {
    return {vaddq_f32(low, other.low), vaddq_f32(high, other.high)};
  }
  Vector operator*(const Vector& other) const {
    return {vmulq_f32(low, other.low), vmulq_f32(high, other.high)};
  }
  // A lane that is NaN gives the other's.
  Vector larger(const Vector& other) const {
    return {vbslq_f32(vcgtq_f32(low, other.low), low, other.low),
            vbslq_f32(vcgtq_f32(high, other.high), high, other.high)};
  }
};

}  // namespace

Kernel neon_kernel(const Shape& shape) { return kernel_of<Vector>(shape); }

}  // namespace sopilka::paged_attention
