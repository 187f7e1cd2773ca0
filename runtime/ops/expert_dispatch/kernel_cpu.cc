// The scalar path: the plainest reading of the layout, for CPUs without a path of their own and as
// the oracle of the other paths.
#include "elementwise.h"
#include "kernel.h"

namespace sopilka::expert_dispatch {
namespace {

// sums[16] += a sub-block of 32 columns times 32 int8 activations. Exact: 64 * 127 * 128 is
// far below 2^31.
void multiply_sub_block_4(const uint8_t* weights, const int8_t* x, int32_t* sums) {
  for (int i = 0; i < 4; ++i, weights += 64) {
    for (int row = 0; row < 16; ++row) {
      for (int j = 0; j < 4; ++j) {
        const int byte = weights[4 * row + j];
        sums[row] += ((byte & 15) - 8) * x[4 * i + j] + ((byte >> 4) - 8) * x[16 + 4 * i + j];
      }
    }
  }
}

void multiply_sub_block_8(const uint8_t* weights, const int8_t* x, int32_t* sums) {
  for (int i = 0; i < 8; ++i, weights += 64) {
    for (int row = 0; row < 16; ++row) {
      for (int j = 0; j < 4; ++j) sums[row] += (weights[4 * row + j] - 128) * x[4 * i + j];
    }
  }
}

void multiply_row(const Format& format, size_t columns, const uint8_t* weights, const uint8_t* row,
                  float* out) {
  const RowLayout layout(format, columns);
  const int8_t* x = reinterpret_cast<const int8_t*>(row);
  const float* x_scales = reinterpret_cast<const float*>(row + layout.scales);
  const size_t sub_block_bytes = kSubBlock * kPanelRows * format.bits / 8;
  for (size_t i = 0; i < kPanelRows; ++i) out[i] = 0.0f;
  for (size_t b = 0; b < columns / format.block; ++b) {
    const uint8_t* scales = weights;
    weights += 2 * kPanelRows;
    int32_t sums[kPanelRows] = {};
    for (size_t k = 0; k < format.block;
         k += kSubBlock, weights += sub_block_bytes, x += kSubBlock) {
      format.bits == 4 ? multiply_sub_block_4(weights, x, sums)
                       : multiply_sub_block_8(weights, x, sums);
    }
    for (size_t i = 0; i < kPanelRows; ++i) {
      uint16_t half;
      std::memcpy(&half, scales + 2 * i, 2);
      out[i] = out[i] + static_cast<float>(sums[i]) * (float_of_half(half) * x_scales[b]);
    }
  }
}

void multiply(const Format& format, size_t columns, const uint8_t* weights, size_t panels,
              const uint8_t*, const uint8_t* const* rows, size_t row_count, float* out) {
  for (size_t p = 0; p < panels; ++p, weights += format.panel_bytes(columns)) {
    for (size_t t = 0; t < row_count; ++t, out += kPanelRows)
      multiply_row(format, columns, weights, rows[t], out);
  }
}

}  // namespace

Kernel scalar_kernel(const Format&) {
  return {encode_row, multiply, swiglu_panels, accumulate_panels};
}

Kernel select_kernel(CpuPath path, const Format& format) {
  if (!format.quantized()) return float_kernel();
  switch (path) {
#if defined(SOPILKA_HAVE_AVX512VNNI)
    case CpuPath::kAvx512Vnni:
      return avx512vnni_kernel(format);
#endif
#if defined(SOPILKA_HAVE_AVXVNNI)
    case CpuPath::kAvxVnni:
      return avxvnni_kernel(format);
#endif
#if defined(SOPILKA_HAVE_AVX2)
    case CpuPath::kAvx2:
      return avx2_kernel(format);
#endif
#if defined(SOPILKA_HAVE_NEONDOT)
    case CpuPath::kNeonDot:
      return neondot_kernel(format);
#endif
#if defined(SOPILKA_HAVE_NEON)
    case CpuPath::kNeon:
      return neon_kernel(format);
#endif
    default:
      return scalar_kernel(format);
  }
}

}  // namespace sopilka::expert_dispatch
