// The attributes that describe a packed matrix, the same for all operators that read one.
#pragma once

#include "../expert_dispatch/layout.h"
#include "op.h"

namespace sopilka::linear {

struct MatrixFormat {
  size_t columns;
  expert_dispatch::Format format;
};

// columns, bits (4, 8), block_size (32, 64) and layout_version (1), checked.
inline MatrixFormat read_matrix_format(const Api& api, const OrtKernelInfo* info) {
  const int64_t version = expert_dispatch::kLayoutVersion;
  attribute(api, info, "layout_version", version, version);
  const size_t columns = attribute(api, info, "columns", 1, 1 << 20);
  const size_t bits = attribute(api, info, "bits", 4, 8);
  const size_t block = attribute(api, info, "block_size", 32, 64);
  if (bits != 4 && bits != 8)
    throw Error("attribute `bits` is " + std::to_string(bits) + ", must be 4 or 8");
  if (block != 32 && block != 64)
    throw Error("attribute `block_size` is " + std::to_string(block) + ", must be 32 or 64");
  if (columns % block != 0)
    throw Error("columns " + std::to_string(columns) + " must be a multiple of block_size " +
                std::to_string(block));
  return {columns, {bits, block}};
}

}  // namespace sopilka::linear
