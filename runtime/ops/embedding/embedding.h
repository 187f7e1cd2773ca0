// Reading rows of a packed matrix, free of ONNX Runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../expert_dispatch/layout.h"

namespace sopilka::embedding {

// y[columns] = row 0..15 of a panel.
void read_row(const expert_dispatch::Format& format, size_t columns, const uint8_t* panel,
              size_t row, float* y);

}  // namespace sopilka::embedding
