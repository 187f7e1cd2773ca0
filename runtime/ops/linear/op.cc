// sopilka::Linear: products of the same rows with one to three quantized matrices.
//
// Inputs: x float [..., columns]; weight, and optionally two more, uint8 [panels, bytes of a
//   panel], packed as the experts' `down` (../expert_dispatch/layout.h).
// Outputs: for each weight y float [..., 16 panels], y = x weight^T.
// Attributes, all integers: columns, bits (4, 8), block_size (32, 64), layout_version (1).
//
// The kernels are the experts' own: rows are rounded to int8 once for all matrices, the weights are
// read where the runtime has them, and the bits are the same whatever the path, threads and batch.
#include <algorithm>
#include <functional>
#include <memory>

#include "../expert_dispatch/kernel.h"
#include "op.h"

namespace sopilka::linear {
namespace {

using namespace expert_dispatch;

constexpr const char* kName = "Linear";
constexpr size_t kMaxMatrices = 3;
// Below this many multiplications waking other threads costs more than it saves.
constexpr size_t kSerialWork = 2 << 20;
constexpr size_t kTokensPerTask = 16;

struct Matrix {
  const uint8_t* weights;
  size_t panels;
  float* y;
};

class Linear {
 public:
  Linear(const Api& api, const OrtKernelInfo* info) : api_(api) {
    attribute(api, info, "layout_version", kLayoutVersion, kLayoutVersion);
    columns_ = attribute(api, info, "columns", 1, 1 << 20);
    format_.bits = attribute(api, info, "bits", 4, 8);
    format_.block = attribute(api, info, "block_size", 32, 64);
    if (format_.bits != 4 && format_.bits != 8)
      throw Error("attribute `bits` is " + std::to_string(format_.bits) + ", must be 4 or 8");
    if (format_.block != 32 && format_.block != 64)
      throw Error("attribute `block_size` is " + std::to_string(format_.block) +
                  ", must be 32 or 64");
    if (columns_ % format_.block != 0)
      throw Error("columns " + std::to_string(columns_) + " must be a multiple of block_size " +
                  std::to_string(format_.block));
    kernel_ = select_kernel(select_path(), format_);
  }

  void compute(OrtKernelContext* context) const {
    const Tensor x = input(api_, context, 0);
    const int64_t columns = static_cast<int64_t>(columns_);
    if (x.shape.empty() || x.shape.back() != columns)
      throw Error("input `x` has shape " + text(x.shape) + ", must be [..., " +
                  std::to_string(columns) + "]");
    Matrix matrices[kMaxMatrices];
    size_t groups = 0;
    for (size_t i = 0; i < kMaxMatrices; ++i) {
      const Tensor weight = input(api_, context, 1 + i);
      if (weight.data == nullptr) break;
      check_weight(weight);
      std::vector<int64_t> shape = x.shape;
      shape.back() = weight.shape[0] * static_cast<int64_t>(kPanelRows);
      const Tensor y = output(api_, context, i, shape);
      matrices[i] = {weight.as<uint8_t>(), static_cast<size_t>(weight.shape[0]),
                           y.as<float>()};
      groups += groups_of(matrices[i]);
    }
    const size_t tokens = x.count() / columns;
    if (tokens != 0) multiply_all(context, x.as<float>(), tokens, matrices, groups);
  }

  OrtStatus* guarded_compute(OrtKernelContext* context) const noexcept {
    return guarded(api_, kName, [&] { compute(context); });
  }

 private:
  static size_t groups_of(const Matrix& matrix) {
    return (matrix.panels + kMaxPanels - 1) / kMaxPanels;
  }

  void check_weight(const Tensor& weight) const {
    const int64_t bytes = static_cast<int64_t>(format_.panel_bytes(columns_));
    if (weight.shape.size() != 2 || weight.shape[1] != bytes)
      throw Error("input `weight` has shape " + text(weight.shape) + ", must be [panels, " +
                  std::to_string(bytes) + "] for these attributes");
  }

  void multiply_all(OrtKernelContext* context, const float* x, size_t tokens,
                    const Matrix* matrices, size_t groups) const {
    const size_t row_bytes = RowLayout(format_, columns_).bytes;
    // Uninitialised on purpose: all of it is written before it is read.
    const std::unique_ptr<uint8_t[]> memory(new uint8_t[tokens * row_bytes + 64]);
    uint8_t* rows = memory.get() + (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64) % 64;
    const size_t work = tokens * groups * kMaxPanels * kPanelRows * columns_;
    run(context, work < kSerialWork || tokens <= kTokensPerTask,
        (tokens + kTokensPerTask - 1) / kTokensPerTask, [&](size_t task) {
          const size_t end = std::min(tokens, (task + 1) * kTokensPerTask);
          for (size_t t = task * kTokensPerTask; t < end; ++t)
            kernel_.encode(format_, columns_, x + t * columns_, 0, columns_, rows + t * row_bytes);
        });
    run(context, work < kSerialWork, groups, [&](size_t task) {
      size_t matrix = 0, group = task;
      while (group >= groups_of(matrices[matrix])) group -= groups_of(matrices[matrix++]);
      multiply_group(matrices[matrix], group * kMaxPanels, rows, row_bytes, tokens);
    });
  }

  // Eight panels times all rows, 64 rows at a time: the panels stay in the nearest caches.
  void multiply_group(const Matrix& matrix, size_t first, const uint8_t* x_rows, size_t row_bytes,
                      size_t tokens) const {
    alignas(64) float out[kMaxPanels * kMaxRows * kPanelRows];
    const uint8_t* rows[kMaxRows];
    const size_t panels = std::min(kMaxPanels, matrix.panels - first),
                 stride = matrix.panels * kPanelRows;
    const uint8_t* weights = matrix.weights + first * format_.panel_bytes(columns_);
    for (size_t tile = 0; tile < tokens; tile += kMaxRows) {
      const size_t row_count = std::min(kMaxRows, tokens - tile);
      for (size_t t = 0; t < row_count; ++t) rows[t] = x_rows + (tile + t) * row_bytes;
      kernel_.multiply(format_, columns_, weights, panels, rows, row_count, out);
      for (size_t t = 0; t < row_count; ++t) {
        float* y = matrix.y + (tile + t) * stride + first * kPanelRows;
        for (size_t p = 0; p < panels; ++p)
          std::copy_n(out + (p * row_count + t) * kPanelRows, kPanelRows, y + p * kPanelRows);
      }
    }
  }

  void run(OrtKernelContext* context, bool serial, size_t total,
           const std::function<void(size_t)>& task) const {
    if (serial || total == 1) {
      for (size_t i = 0; i < total; ++i) task(i);
      return;
    }
    const auto call = [](void* user, size_t i) {
      (*static_cast<const std::function<void(size_t)>*>(user))(i);
    };
    check(api_, api_.parallel_for(context, call, total, 0,
                                  const_cast<std::function<void(size_t)>*>(&task)));
  }

  const Api api_;
  size_t columns_ = 0;
  Format format_;
  Kernel kernel_;
};

OrtCustomOp describe() {
  OrtCustomOp op{};
  op.version = kApiVersion;
  op.GetName = [](const OrtCustomOp*) { return kName; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) { return "CPUExecutionProvider"; };
  op.GetInputTypeCount = [](const OrtCustomOp*) -> size_t { return 1 + kMaxMatrices; };
  op.GetInputType = [](const OrtCustomOp*, size_t index) -> int {
    return index == 0 ? kFloat : kUint8;
  };
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t index) -> int {
    return index < 2 ? kRequired : kOptional;
  };
  op.GetInputMemoryType = [](const OrtCustomOp*, size_t) { return 0; };
  op.GetOutputTypeCount = [](const OrtCustomOp*) -> size_t { return kMaxMatrices; };
  op.GetOutputType = [](const OrtCustomOp*, size_t) -> int { return kFloat; };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, size_t index) -> int {
    return index == 0 ? kRequired : kOptional;
  };
  op.GetStartVersion = [](const OrtCustomOp*) { return 1; };
  op.GetEndVersion = [](const OrtCustomOp*) { return 1; };
  op.CreateKernelV2 = [](const OrtCustomOp*, const OrtApi* table, const OrtKernelInfo* info,
                         void** kernel) -> OrtStatus* {
    const Api api(table);
    return guarded(api, kName, [&] { *kernel = new Linear(api, info); });
  };
  op.KernelComputeV2 = [](void* kernel, OrtKernelContext* context) -> OrtStatus* {
    return static_cast<const Linear*>(kernel)->guarded_compute(context);
  };
  op.KernelDestroy = [](void* kernel) { delete static_cast<Linear*>(kernel); };
  return op;
}

const OrtCustomOp kOp = describe();
const Registration kRegistration(&kOp);

}  // namespace
}  // namespace sopilka::linear
