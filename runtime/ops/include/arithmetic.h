// Single precision arithmetic that gives the same bits on every path and in NumPy.
//
// Only additions, multiplications, divisions, square roots and roundings of IEEE single precision
// in a fixed order. All functions are `static`, because each path's file compiles them with its own
// instructions: one shared copy could hold instructions that another CPU lacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(_MSC_VER)
#define SOPILKA_RESTRICT __restrict
#else
#define SOPILKA_RESTRICT __restrict__
#endif

namespace sopilka {

static inline float float_of(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_of_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
  if (exponent == 31) return float_of(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return float_of(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude =
      static_cast<float>(fraction) * 5.9604645e-8f;  // Subnormal: multiples of 2^-24, exact.
  return sign != 0 ? -magnitude : magnitude;
}

// Rounds to the nearest integer, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no room
// for a fraction.
static inline float round_even(float x) {
  const float shift = 12582912.0f;
  return (x + shift) - shift;
}

// condition ? a : b by masks: a branch in the middle would keep a loop from becoming vectors.
static inline float select(bool condition, float a, float b) {
  const uint32_t mask = 0u - static_cast<uint32_t>(condition);
  return float_of((bits_of(a) & mask) | (bits_of(b) & ~mask));
}

// e^x: 0 below -87, infinity above 88, within 1e-7 between. x = n ln 2 + r, with ln 2 in two parts
// whose first has so few bits that n times it is exact (Cody and Waite); e^r by a polynomial fitted
// to |r| <= ln 2 / 2.
static inline float exponential(float x) {
  const bool too_low = x < -87.0f, too_high = x > 88.0f, in_range = (x >= -87.0f) & (x <= 88.0f);
  const float inside = select(in_range, x, 0.0f);  // Also for a NaN, which the last line puts back.
  const float n = round_even(inside * 1.442695f);
  const float r = (inside - n * 0.693359375f) - n * -2.1219444e-4f;
  float p = 0.0013814599f;
  p = p * r + 0.008368717f;
  p = p * r + 0.04166839f;
  p = p * r + 0.16666521f;
  p = p * r + 0.49999994f;
  p = (p * (r * r) + r) + 1.0f;
  const float power = float_of(static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23);
  const float outside = select(too_low, 0.0f, select(too_high, float_of(0x7f800000u), x));
  return select(in_range, p * power, outside);
}

}  // namespace sopilka
