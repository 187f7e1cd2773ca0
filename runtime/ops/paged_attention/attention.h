// One layer's attention over a batch of sequences: the plan of the work, free of ONNX Runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cancel.h"
#include "kernel.h"
#include "parallel_for.h"

namespace sopilka::paged_attention {

// Sequences one after the other: tokens [starts[s], starts[s + 1]) are new in sequence s, after
// `past[s]` positions that the cache holds already.
struct Batch {
  size_t sequences, tokens;
  const int32_t* starts;  // [sequences + 1]
  const int32_t* past;    // [sequences]
  const int32_t* tables;  // [sequences, table_width]
  size_t table_width;
  const float* query;   // [tokens, heads * head_dim]
  const float* key;     // [tokens, kv_heads * head_dim]
  const float* value;   // [tokens, kv_heads * head_dim]
  const float* cos;     // [positions, head_dim / 2]
  const float* sin;     // [positions, head_dim / 2]
  const float* q_norm;  // [head_dim], or null
  const float* k_norm;  // [head_dim], or null
  uint8_t* cache;       // [blocks, block_bytes]
  float* y;             // [tokens, heads * head_dim]
};

// Stores the new keys and values, then lets every new token read all positions up to its own.
// Bit-equal whatever the threads, the batch, and the chunks in which a sequence came.
// Returns false when cancelled: then y and the new positions of the cache are undefined.
bool attention(const Shape& shape, const Kernel& kernel, const Batch& batch,
               const CancelFlag& cancel, const ParallelFor& parallel_for);

}  // namespace sopilka::paged_attention
