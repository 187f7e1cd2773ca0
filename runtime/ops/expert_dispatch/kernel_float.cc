// Plain float32 weights, so that an unquantized bundle goes through the same operator. Sixteen
// partial sums a row, added pairwise at the end: the same order on every machine.
#include "elementwise.h"
#include "kernel.h"

namespace sopilka::expert_dispatch {
namespace {

void encode(const Format&, size_t, const float* x, size_t first, size_t count, uint8_t* row) {
  std::memcpy(row + first * sizeof(float), x, count * sizeof(float));
}

float dot(const float* w, const float* x, size_t columns) {
  float sums[16] = {};
  for (size_t k = 0; k < columns; k += 16) {
    for (size_t i = 0; i < 16; ++i) sums[i] = sums[i] + w[k + i] * x[k + i];
  }
  for (size_t width = 8; width > 0; width /= 2) {
    for (size_t i = 0; i < width; ++i) sums[i] = sums[i] + sums[i + width];
  }
  return sums[0];
}

void multiply(const Format&, size_t columns, const uint8_t* weights, size_t panels, const uint8_t*,
              const uint8_t* const* rows, size_t row_count, float* out) {
  const float* w = reinterpret_cast<const float*>(weights);
  for (size_t p = 0; p < panels; ++p, out += row_count * kPanelRows) {
    for (size_t i = 0; i < kPanelRows; ++i, w += columns) {
      for (size_t t = 0; t < row_count; ++t) {
        out[t * kPanelRows + i] = dot(w, reinterpret_cast<const float*>(rows[t]), columns);
      }
    }
  }
}

}  // namespace

Kernel float_kernel() { return {encode, multiply, swiglu_panels, accumulate_panels}; }

}  // namespace sopilka::expert_dispatch
