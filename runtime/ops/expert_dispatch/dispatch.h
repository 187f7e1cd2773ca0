// One layer's experts over a batch of tokens: the plan of the work, free of ONNX Runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cancel.h"
#include "kernel.h"
#include "parallel_for.h"

namespace sopilka::expert_dispatch {

struct Shape {
  size_t hidden = 0, intermediate = 0, experts = 0, k = 0;
  bool normalize = true;
  Format format;

  // Bytes of one expert's packed matrices.
  size_t gate_up_bytes() const { return format.matrix_bytes(2 * intermediate, hidden); }
  size_t down_bytes() const { return format.matrix_bytes(hidden, intermediate); }
};

struct Batch {
  size_t tokens;
  const float* x;          // [tokens, hidden]
  const float* logits;     // [tokens, experts]
  const uint8_t* gate_up;  // [experts, gate_up_bytes]
  const uint8_t* down;     // [experts, down_bytes]
  float* y;                // [tokens, hidden]
};

// y[t] = sum over the chosen experts e, by rising index, of weight_e * down_e(silu(gate_e x)
// * up_e x).
//
// Bit-equal whatever the threads and the batch: a token's row passes through the same operations in
// the same order alone or among others. Returns false when cancelled, y is then undefined.
bool dispatch(const Shape& shape, const Kernel& kernel, const Batch& batch,
              const CancelFlag& cancel, const ParallelFor& parallel_for);

}  // namespace sopilka::expert_dispatch
