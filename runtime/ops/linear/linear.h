// Rows times matrices: the plan of the work, free of ONNX Runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../expert_dispatch/kernel.h"
#include "parallel_for.h"

namespace sopilka::linear {

struct Matrix {
  const uint8_t* weights;  // [panels, panel_bytes]
  size_t panels;
  float* y;  // [tokens, 16 panels]
};

struct Batch {
  size_t tokens, columns;
  const float* x;  // [tokens, columns]
  const Matrix* matrices;
  size_t count;
};

// y = x weight^T for each matrix, the same bits whatever the threads and the batch.
void multiply(const expert_dispatch::Format& format, const expert_dispatch::Kernel& kernel,
              const Batch& batch, const ParallelFor& parallel_for);

}  // namespace sopilka::linear
