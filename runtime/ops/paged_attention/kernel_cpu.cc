// The scalar path: for CPUs without AVX2 and as the oracle of the other paths.
#include "attend.h"

namespace sopilka::paged_attention {
namespace {

struct Vector {
  float lanes[kLanes];

  template <class T>
  static Vector load(const T* from) {
    Vector v;
    for (size_t i = 0; i < kLanes; ++i) v.lanes[i] = static_cast<float>(from[i]);
    return v;
  }
  static Vector broadcast(float value) {
    Vector v;
    for (float& lane : v.lanes) lane = value;
    return v;
  }
  void store(float* to) const { std::copy(lanes, lanes + kLanes, to); }
  Vector operator+(const Vector& other) const {
    Vector v;
    for (size_t i = 0; i < kLanes; ++i) v.lanes[i] = lanes[i] + other.lanes[i];
    return v;
  }
  Vector operator*(const Vector& other) const {
    Vector v;
    for (size_t i = 0; i < kLanes; ++i) v.lanes[i] = lanes[i] * other.lanes[i];
    return v;
  }
  // A lane that is NaN gives the other's.
  Vector larger(const Vector& other) const {
    Vector v;
    for (size_t i = 0; i < kLanes; ++i)
      v.lanes[i] = lanes[i] > other.lanes[i] ? lanes[i] : other.lanes[i];
    return v;
  }
};

}  // namespace

Kernel scalar_kernel(const Shape& shape) { return kernel_of<Vector>(shape); }

Kernel select_kernel(CpuPath path, const Shape& shape) {
#if defined(SOPILKA_HAVE_AVX512VNNI)
  if (path == CpuPath::kAvx512Vnni) return avx512vnni_kernel(shape);
#endif
#if defined(SOPILKA_HAVE_AVX2)
  // AVX-VNNI adds integer instructions to AVX2, which nothing here uses.
  if (path != CpuPath::kScalar) return avx2_kernel(shape);
#endif
#if defined(SOPILKA_HAVE_NEON)
  // Nothing here is a dot product of integers.
  if (path != CpuPath::kScalar) return neon_kernel(shape);
#endif
  (void)path;
  return scalar_kernel(shape);
}

}  // namespace sopilka::paged_attention
