// The packed weights and the encoded activations, byte by byte. pack.py writes the weights;
// `layout_version` names all of it.
//
// Weights. A matrix of N rows and K columns is cut into panels of 16 rows, each whole in K.
//   gate_up: panel p holds rows 8p..8p+7 of gate, then the same rows of up: SwiGLU is lane by lane.
//   down: panel p holds rows 16p..16p+15.
// Panels follow each other, and so do experts.
//
// Bits 4 or 8: a panel is K / block blocks, and a block is 16 float16 scales, one a row, then
// block / 32 sub-blocks of 32 columns. Value [r][c] of a sub-block is in byte (i, r / 8, r % 8, j):
//   8 bits, 512 bytes: byte (i, .., j), i < 8, j < 4, is value[r][4i + j] + 128.
//   4 bits, 256 bytes: byte (i, .., j), i < 4, j < 4, has value[r][4i + j] + 8 in its low half and
//                      value[r][16 + 4i + j] + 8 in its high half.
// So a vector of 32 bytes is 8 rows by 4 columns, what one multiply-add instruction takes. GEMV and
// GEMM read the same bytes; GEMV as one stream, because a block's scales and values are neighbours.
//
// Bits 32: a panel is its 16 rows, each K plain floats.
//
// An encoded activation row of K values: K int8, padding to 64 bytes, K / block float scales,
// K / block int32 corrections. With bits 32: K floats.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sopilka::expert_dispatch {

constexpr int64_t kLayoutVersion = 1;
constexpr size_t kPanelRows = 16;
constexpr size_t kSubBlock = 32;

// Files compiled for a wider CPU include this header too. Of an inline function's copies the linker
// keeps one for all, perhaps theirs, which an older CPU cannot run: so there must be no copies.
#if defined(_MSC_VER)
#define SOPILKA_INLINE __forceinline
#else
#define SOPILKA_INLINE inline __attribute__((always_inline))
#endif

SOPILKA_INLINE size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

struct Format {
  size_t bits = 4;    // 4, 8 or 32
  size_t block = 32;  // columns that share a scale: 32 or 64

  SOPILKA_INLINE bool quantized() const { return bits != 32; }
  SOPILKA_INLINE size_t block_bytes() const {
    return kPanelRows * 2 + kPanelRows * block * bits / 8;
  }
  SOPILKA_INLINE size_t panel_bytes(size_t columns) const {
    return quantized() ? columns / block * block_bytes() : kPanelRows * columns * sizeof(float);
  }
  SOPILKA_INLINE size_t matrix_bytes(size_t rows, size_t columns) const {
    return rows / kPanelRows * panel_bytes(columns);
  }
};

// Where the parts of an encoded activation row are.
struct RowLayout {
  size_t scales, corrections, bytes;

  SOPILKA_INLINE RowLayout(const Format& format, size_t columns) {
    const size_t blocks = columns / format.block;
    scales = round_up(columns, 64);
    corrections = scales + blocks * sizeof(float);
    bytes = round_up(
        format.quantized() ? corrections + blocks * sizeof(int32_t) : columns * sizeof(float), 64);
  }
};

}  // namespace sopilka::expert_dispatch
