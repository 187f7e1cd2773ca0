// The key-value cache, byte by byte.
//
// A block holds kBlock positions of all key-value heads of one layer; blocks of a sequence lie
// anywhere in the pool, and a table says where. For each head a block holds
//   32 bits: keys float [head_dim][16], then values float [16][head_dim];
//   8 bits: keys int8 [head_dim][16], values int8 [16][head_dim], then the keys' scales float [16]
//           and the values' scales float [16]; one scale a position.
// Keys are stored transposed: scores of 16 positions are then one vector operation a dimension, and
// no vector is ever summed across. Values are stored as they come, for the same reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sopilka::paged_attention {

constexpr size_t kBlock = 16;

struct Shape {
  size_t heads = 0, kv_heads = 0, head_dim = 0;
  unsigned bits = 32;
  float scale = 1.0f;    // of the scores, as a rule 1 / sqrt(head_dim)
  float epsilon = 0.0f;  // of the norms of queries and keys

  size_t group() const { return heads / kv_heads; }
  size_t head_bytes() const {
    return bits == 32 ? 2 * kBlock * head_dim * sizeof(float)
                      : 2 * kBlock * head_dim + 2 * kBlock * sizeof(float);
  }
  size_t block_bytes() const { return kv_heads * head_bytes(); }
};

}  // namespace sopilka::paged_attention
