// What a CPU path provides: four functions, all pure, all free of allocation, all with the same
// bits on every path.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu_path.h"
#include "layout.h"

namespace sopilka::expert_dispatch {

// What one call of `multiply` takes at most. Eight panels of gate_up are 64 hidden values: whole
// blocks, whatever the block size.
constexpr size_t kMaxRows = 64;
constexpr size_t kMaxPanels = 8;

struct Kernel {
  // Encodes columns [first, first + count) of a row; both are multiples of the block.
  // A block that holds NaN or infinity gets a NaN scale, so all that is computed from the row is
  // NaN, and only that. A block whose largest magnitude is below 2^-100 counts as zero.
  void (*encode)(const Format& format, size_t columns, const float* x, size_t first, size_t count,
                 uint8_t* row);

  // out[p][t][16] = panel p times row t, for p < panels and t < rows. `next` is where the caller
  // will read after these panels: what comes next is on its way from memory before it is needed.
  void (*multiply)(const Format& format, size_t columns, const uint8_t* weights, size_t panels,
                   const uint8_t* next, const uint8_t* const* rows, size_t row_count, float* out);

  // h[t][8p + i] = silu(out[p][t][i]) * out[p][t][8 + i], i < 8; rows of h are
  // `stride` floats apart.
  void (*swiglu)(const float* out, size_t panels, size_t row_count, float* h, size_t stride);

  // y[16p + i] += weight * out[p][i]; panels of `out` are `stride` floats apart.
  void (*accumulate)(const float* out, size_t panels, size_t stride, float weight, float* y);
};

// The kernel of a path. Weights of 32 bits have one kernel for all paths: they are for parity,
// not for speed.
Kernel select_kernel(CpuPath path, const Format& format);

Kernel scalar_kernel(const Format& format);
Kernel float_kernel();
Kernel avx2_kernel(const Format& format);
Kernel avxvnni_kernel(const Format& format);
Kernel avx512vnni_kernel(const Format& format);
Kernel neon_kernel(const Format& format);
Kernel neondot_kernel(const Format& format);

}  // namespace sopilka::expert_dispatch
