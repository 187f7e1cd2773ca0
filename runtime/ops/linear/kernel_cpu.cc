// The loops around the experts' kernels, which serve every path.
#include <algorithm>
#include <memory>

#include "linear.h"

namespace sopilka::linear {
namespace {

using namespace expert_dispatch;

// Below this many multiplications waking other threads costs more than it saves.
constexpr size_t kSerialWork = 2 << 20;
constexpr size_t kTokensPerTask = 16;

size_t groups_of(const Matrix& matrix) { return (matrix.panels + kMaxPanels - 1) / kMaxPanels; }

// Eight panels times all rows, 64 rows at a time: the panels stay in the nearest caches.
void multiply_group(const Format& format, const Kernel& kernel, const Batch& batch,
                    const Matrix& matrix, size_t first, const uint8_t* x_rows, size_t row_bytes) {
  alignas(64) float out[kMaxPanels * kMaxRows * kPanelRows];
  const uint8_t* rows[kMaxRows];
  const size_t panels = std::min(kMaxPanels, matrix.panels - first),
               stride = matrix.panels * kPanelRows;
  const uint8_t *weights = matrix.weights + first * format.panel_bytes(batch.columns),
                *after = weights + panels * format.panel_bytes(batch.columns);
  for (size_t tile = 0; tile < batch.tokens; tile += kMaxRows) {
    const size_t count = std::min(kMaxRows, batch.tokens - tile);
    for (size_t t = 0; t < count; ++t) rows[t] = x_rows + (tile + t) * row_bytes;
    kernel.multiply(format, batch.columns, weights, panels,
                    tile + count < batch.tokens ? weights : after, rows, count, out);
    for (size_t t = 0; t < count; ++t) {
      float* y = matrix.y + (tile + t) * stride + first * kPanelRows;
      for (size_t p = 0; p < panels; ++p)
        std::copy_n(out + (p * count + t) * kPanelRows, kPanelRows, y + p * kPanelRows);
    }
  }
}

}  // namespace

void multiply(const Format& format, const Kernel& kernel, const Batch& batch,
              const ParallelFor& parallel_for) {
  const size_t row_bytes = RowLayout(format, batch.columns).bytes;
  // Uninitialised on purpose: all of it is written before it is read.
  const std::unique_ptr<uint8_t[]> memory(new uint8_t[batch.tokens * row_bytes + 64]);
  uint8_t* rows = memory.get() + (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64) % 64;
  size_t groups = 0;
  for (size_t i = 0; i < batch.count; ++i) groups += groups_of(batch.matrices[i]);
  const bool serial = batch.tokens * groups * kMaxPanels * kPanelRows * batch.columns < kSerialWork;
  const auto run = [&](size_t total, const std::function<void(size_t)>& task) {
    if (serial || total == 1) {
      for (size_t i = 0; i < total; ++i) task(i);
    } else {
      parallel_for(total, task);
    }
  };
  run((batch.tokens + kTokensPerTask - 1) / kTokensPerTask, [&](size_t task) {
    const size_t end = std::min(batch.tokens, (task + 1) * kTokensPerTask);
    for (size_t t = task * kTokensPerTask; t < end; ++t) {
      kernel.encode(format, batch.columns, batch.x + t * batch.columns, 0, batch.columns,
                    rows + t * row_bytes);
    }
  });
  run(groups, [&](size_t task) {
    const Matrix* matrix = batch.matrices;
    size_t group = task;
    for (; group >= groups_of(*matrix); ++matrix) group -= groups_of(*matrix);
    multiply_group(format, kernel, batch, *matrix, group * kMaxPanels, rows, row_bytes);
  });
}

}  // namespace sopilka::linear
