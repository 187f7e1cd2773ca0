// AVX2: sixteen floats are two registers.
#include "vector_avx.h"

namespace sopilka::paged_attention {

Kernel avx2_kernel(const Shape& shape) { return kernel_of<Vector>(shape); }

}  // namespace sopilka::paged_attention
