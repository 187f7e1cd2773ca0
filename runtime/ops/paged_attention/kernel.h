// What a CPU path provides: three functions, pure but for their output, free of allocation, with
// the same bits on every path.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu_path.h"
#include "layout.h"

namespace sopilka::paged_attention {

// Query rows that one call of `attend` takes at most: the cache is read once for all of them.
constexpr size_t kRows = 8;

// Where one key-value head of one sequence has its positions.
struct Pages {
  const uint8_t* cache;  // the first block's bytes of this head
  size_t stride;         // bytes from one block of the pool to the next
  const int32_t* table;  // block of the pool by block of the sequence

  const uint8_t* block(size_t index) const {
    return cache + static_cast<size_t>(table[index]) * stride;
  }
};

struct Row {
  const float* query;  // [head_dim], scaled
  size_t length;       // positions that it sees, its own included; at least 1
  float* out;          // [head_dim]
};

struct Kernel {
  // out[head_dim] = x over its root mean square times gain (if there is a gain), rotated by the
  // position's angles (cos and sin [head_dim / 2]), times `scale`.
  void (*prepare)(const Shape& shape, const float* x, const float* gain, const float* cos,
                  const float* sin, float scale, float* out);

  // Puts a key and a value [head_dim] at position `at` of a block's head. With 8 bits, one that
  // holds NaN or infinity gets a NaN scale.
  void (*store)(const Shape& shape, const float* key, const float* value, size_t at, uint8_t* head);

  // softmax(query . keys) . values for up to kRows rows. A row's bits do not depend on the others.
  void (*attend)(const Shape& shape, const Pages& pages, const Row* rows, size_t row_count);
};

Kernel select_kernel(CpuPath path, const Shape& shape);

Kernel scalar_kernel(const Shape& shape);
Kernel avx2_kernel(const Shape& shape);
Kernel avx512vnni_kernel(const Shape& shape);
Kernel neon_kernel(const Shape& shape);

}  // namespace sopilka::paged_attention
