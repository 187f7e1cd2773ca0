// AVX-512: sixteen floats are one register. Of VNNI nothing is used, but CPUs without it take AVX2.
#include "vector_avx.h"

namespace sopilka::paged_attention {
namespace {

struct Wide {
  static constexpr size_t kRegisterRows = 8;
  __m512 lanes;

  static Wide load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Wide load(const int8_t* from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
  }
  static Wide broadcast(float value) { return {_mm512_set1_ps(value)}; }
  void store(float* to) const { _mm512_storeu_ps(to, lanes); }
  Wide operator+(const Wide& other) const { return {_mm512_add_ps(lanes, other.lanes)}; }
  Wide operator*(const Wide& other) const { return {_mm512_mul_ps(lanes, other.lanes)}; }
};

}  // namespace

Kernel avx512vnni_kernel(const Shape& shape) { return kernel_of<Vector, Wide>(shape); }

}  // namespace sopilka::paged_attention
