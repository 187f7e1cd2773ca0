// The loops around the vector kernels, shared by the paths of x86-64.
//
// One row: a GEMV that reads each panel once, front to back, at the speed of memory.
// More rows: columns in groups of 256 outside, panels inside. A group's activations are gathered
// once into one small piece (16 KiB for 64 rows, resident in L1; rows scattered 2 KiB apart defeat
// the prefetcher), a panel's group is unpacked once to bytes and float scales, and tiles of a few
// rows run over it.
//
// `Path` has: kTile; Panel, the unpacked group; start(correction), a block's first accumulator;
// gemv(weights, blocks, row, stream, out); unpack(weights, blocks, panel); tile<rows>(panel,
// blocks, activations, first row, out).
#pragma once

#include "elementwise.h"
#include "kernel.h"
#include "prefetch.h"

// In a namespace without a name: each path's file has its own of all this (see layout.h).
namespace sopilka::expert_dispatch {
namespace {

// How far ahead a GEMV asks for weights: far enough to hide memory, near enough to be still in L2.
constexpr size_t kAhead = 16384;
constexpr size_t kLine = 64;

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

  // Whole groups go another way only so that compilers know the sizes.
  template <class Path, size_t kBlock>
  void gather(const uint8_t* const* rows, size_t row_count, const RowLayout& layout, size_t column,
              size_t columns) {
    if (columns == kGroupColumns) {
      for (size_t t = 0; t < row_count; ++t)
        gather_row<Path, kBlock>(Row(rows[t], layout), t, column, kGroupColumns);
    } else {
      for (size_t t = 0; t < row_count; ++t)
        gather_row<Path, kBlock>(Row(rows[t], layout), t, column, columns);
    }
  }

  template <class Path, size_t kBlock>
  SOPILKA_INLINE void gather_row(const Row& row, size_t t, size_t column, size_t columns) {
    const size_t block = column / kBlock, blocks = columns / kBlock;
    std::memcpy(values[t], row.values + column, columns);
    std::memcpy(scales[t], row.scales + block, blocks * sizeof(float));
    for (size_t b = 0; b < blocks; ++b) starts[t][b] = Path::start(row.corrections[block + b]);
  }
};

// The bytes that a GEMV asks for while it multiplies those at `at`.
struct Stream {
  const uint8_t *end, *next;  // Past the end the caller goes on at `next`.

  template <size_t kBytes>
  void fetch_ahead(const uint8_t* at) const {
    const size_t left = static_cast<size_t>(end - at);
    const uint8_t* from = left > kAhead ? at + kAhead : next + (kAhead - left);
    for (size_t i = 0; i < kBytes; i += kLine) prefetch(from + i);
  }
};

// Bytes asked for in small portions: a core keeps a dozen lines under way, and waits with the next.
struct Portions {
  const uint8_t *at, *end;
  size_t bytes;  // of a portion

  Portions(const uint8_t* from, size_t size, size_t count)
      : at(from), end(from + size), bytes(round_up((size + count - 1) / count, kLine)) {}

  void fetch_one() {
    for (const uint8_t* stop = at + bytes; at < stop && at < end; at += kLine) prefetch(at);
  }
};

template <class Path, size_t kRows>
size_t run_tiles(const typename Path::Panel& panel, size_t blocks, const Activations& x, size_t t,
                 size_t row_count, Portions& next, float* out) {
  for (; t + kRows <= row_count; t += kRows) {
    next.fetch_one();
    Path::template tile<kRows>(panel, blocks, x, t, out + t * kPanelRows);
  }
  if constexpr (kRows > 1)
    t = run_tiles<Path, kRows / 2>(panel, blocks, x, t, row_count, next, out);
  return t;
}

template <class Path, size_t kBits, size_t kBlock>
void multiply(const Format&, size_t columns, const uint8_t* weights, size_t panels,
              const uint8_t* next, const uint8_t* const* rows, size_t row_count, float* out) {
  const Format format{kBits, kBlock};
  const RowLayout layout(format, columns);
  const size_t panel_bytes = format.panel_bytes(columns);
  if (row_count == 1) {
    const Row row(rows[0], layout);
    const Stream stream = {weights + panels * panel_bytes, next};
    for (size_t p = 0; p < panels; ++p)
      Path::gemv(weights + p * panel_bytes, columns / kBlock, row, stream, out + p * kPanelRows);
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
      const size_t bytes = blocks * format.block_bytes();
      const uint8_t* following = p + 1 < panels             ? group + (p + 1) * panel_bytes
                                 : column + width < columns ? group + bytes
                                                            : next;
      Portions portions(following, bytes, (row_count + Path::kTile - 1) / Path::kTile);
      Path::unpack(group + p * panel_bytes, blocks, panel);
      run_tiles<Path, Path::kTile>(panel, blocks, x, 0, row_count, portions,
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
