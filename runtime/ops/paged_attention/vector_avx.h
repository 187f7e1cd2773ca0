// Eight floats in a register: for every path from AVX2 on. Each path's file compiles its own copy.
// No fused multiply-add: see arithmetic.h.
#pragma once

#include <immintrin.h>

#include "attend.h"

namespace sopilka::paged_attention {
namespace {

struct Vector {
  __m256 lanes;

  static Vector load(const float* from) { return {_mm256_loadu_ps(from)}; }
  static Vector load(const int8_t* from) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))};
  }
  static Vector broadcast(float value) { return {_mm256_set1_ps(value)}; }
  void store(float* to) const { _mm256_storeu_ps(to, lanes); }
  Vector operator+(const Vector& other) const { return {_mm256_add_ps(lanes, other.lanes)}; }
  Vector operator*(const Vector& other) const { return {_mm256_mul_ps(lanes, other.lanes)}; }
  // A lane that is NaN gives the other's: the instruction returns its second operand then.
  Vector larger(const Vector& other) const { return {_mm256_max_ps(lanes, other.lanes)}; }
};

}  // namespace
}  // namespace sopilka::paged_attention
