// The loops around the vector kernels, shared by the paths of x86-64.
//
// One row: a GEMV that reads each panel once, front to back, at the speed of memory.
// More rows: columns in groups of 256 outside, panels inside. A group's activations are gathered
// once into one small piece (16 KiB for 64 rows, resident in L1; rows scattered 2 KiB apart defeat
// the prefetcher), a panel's group is unpacked once to bytes and float scales, and tiles of a few
// rows run over it.
//
// `Path` has: kTile; Panel, the unpacked group; start(correction), a block's first accumulator;
// gemv(weights, blocks, row, out); unpack(weights, blocks, panel); tile<rows>(panel, blocks,
// activations, first row, out).
#pragma once

#include <immintrin.h>

#include "elementwise.h"
#include "kernel.h"

// In a namespace without a name: each path's file has its own of all this (see layout.h).
namespace sopilka::expert_dispatch {
namespace {

constexpr size_t kGroupColumns = 256;
constexpr size_t kGroupBlocks = kGroupColumns / 32;  // at most; half as many with blocks of 64

// One encoded activation row.
struct Row {
  const int8_t* values;
  const float* scales;
  const int32_t* corrections;

  Row(const uint8_t* row, const RowLayout& layout)
      : values(reinterpret_cast<const int8_t*>(row)),
        scales(reinterpret_cast<const float*>(row + layout.scales)),
        corrections(reinterpret_cast<const int32_t*>(row + layout.corrections)) {}
};

// The rows' share of one column group, gathered.
struct Activations {
  alignas(64) int8_t values[kMaxRows][kGroupColumns];
  alignas(64) float scales[kMaxRows][kGroupBlocks];
  alignas(64) int32_t starts[kMaxRows][kGroupBlocks];  // of the accumulators

  template <class Path, size_t kBlock>
  void gather(const uint8_t* const* rows, size_t row_count, const RowLayout& layout, size_t column,
              size_t columns) {
    const size_t block = column / kBlock, blocks = columns / kBlock;
    for (size_t t = 0; t < row_count; ++t) {
      const Row row(rows[t], layout);
      std::memcpy(values[t], row.values + column, columns);
      std::memcpy(scales[t], row.scales + block, blocks * sizeof(float));
      for (size_t b = 0; b < blocks; ++b) starts[t][b] = Path::start(row.corrections[block + b]);
    }
  }
};

template <class Path, size_t kRows>
size_t run_tiles(const typename Path::Panel& panel, size_t blocks, const Activations& x, size_t t,
                 size_t row_count, float* out) {
  for (; t + kRows <= row_count; t += kRows)
    Path::template tile<kRows>(panel, blocks, x, t, out + t * kPanelRows);
  if constexpr (kRows > 1) t = run_tiles<Path, kRows / 2>(panel, blocks, x, t, row_count, out);
  return t;
}

template <class Path, size_t kBits, size_t kBlock>
void multiply(const Format&, size_t columns, const uint8_t* weights, size_t panels,
              const uint8_t* const* rows, size_t row_count, float* out) {
  const Format format{kBits, kBlock};
  const RowLayout layout(format, columns);
  const size_t panel_bytes = format.panel_bytes(columns);
  if (row_count == 1) {
    const Row row(rows[0], layout);
    for (size_t p = 0; p < panels; ++p)
      Path::gemv(weights + p * panel_bytes, columns / kBlock, row, out + p * kPanelRows);
    return;
  }
  Activations x;
  typename Path::Panel panel;
  std::memset(out, 0, panels * row_count * kPanelRows * sizeof(float));
  for (size_t column = 0; column < columns; column += kGroupColumns) {
    const size_t width = columns - column < kGroupColumns ? columns - column : kGroupColumns,
                 blocks = width / kBlock;
    x.template gather<Path, kBlock>(rows, row_count, layout, column, width);
    const uint8_t* group = weights + column / kBlock * format.block_bytes();
    for (size_t p = 0; p < panels; ++p) {
      // While this panel is computed the next one's bytes are on their way to L2.
      const uint8_t* next =
          p + 1 < panels ? group + (p + 1) * panel_bytes : group + blocks * format.block_bytes();
      for (size_t i = 0; i < blocks * format.block_bytes(); i += 64)
        _mm_prefetch(reinterpret_cast<const char*>(next + i), _MM_HINT_T1);
      Path::unpack(group + p * panel_bytes, blocks, panel);
      run_tiles<Path, Path::kTile>(panel, blocks, x, 0, row_count,
                                   out + p * row_count * kPanelRows);
    }
  }
}

template <template <size_t, size_t> class Path, size_t kBits, size_t kBlock>
Kernel kernel_of() {
  return {encode_row, multiply<Path<kBits, kBlock>, kBits, kBlock>, swiglu_panels,
          accumulate_panels};
}

template <template <size_t, size_t> class Path>
Kernel kernel_for(const Format& format) {
  if (format.bits == 4)
    return format.block == 32 ? kernel_of<Path, 4, 32>() : kernel_of<Path, 4, 64>();
  return format.block == 32 ? kernel_of<Path, 8, 32>() : kernel_of<Path, 8, 64>();
}

}  // namespace
}  // namespace sopilka::expert_dispatch
