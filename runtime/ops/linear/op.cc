// sopilka::Linear: products of the same rows with one to three quantized matrices.
//
// Inputs: x float [..., columns]; weight, and optionally two more, uint8 [panels, bytes of a
//   panel], packed as the experts' `down` (../expert_dispatch/layout.h).
// Outputs: for each weight y float [..., 16 panels], y = x weight^T.
// Attributes, all integers: columns, bits (4, 8), block_size (32, 64), layout_version (1).
//
// The kernels are the experts' own: rows are rounded to int8 once for all matrices, the weights are
// read where the runtime has them, and the bits are the same whatever the path, threads and batch.
#include "linear.h"

#include "op.h"

namespace sopilka::linear {
namespace {

using namespace expert_dispatch;

constexpr const char* kName = "Linear";
constexpr size_t kMaxMatrices = 3;

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
    size_t count = 0;
    for (size_t i = 0; i < kMaxMatrices; ++i) {
      const Tensor weight = input(api_, context, 1 + i);
      if (weight.data == nullptr) break;
      check_weight(weight);
      std::vector<int64_t> shape = x.shape;
      shape.back() = weight.shape[0] * static_cast<int64_t>(kPanelRows);
      const Tensor y = output(api_, context, i, shape);
      matrices[count++] = {weight.as<uint8_t>(), static_cast<size_t>(weight.shape[0]),
                           y.as<float>()};
    }
    const size_t tokens = x.count() / columns;
    if (tokens == 0) return;
    const auto parallel_for = [&](size_t total, const std::function<void(size_t)>& task) {
      const auto call = [](void* user, size_t i) {
        (*static_cast<const std::function<void(size_t)>*>(user))(i);
      };
      check(api_, api_.parallel_for(context, call, total, 0,
                                    const_cast<std::function<void(size_t)>*>(&task)));
    };
    multiply(format_, kernel_, {tokens, columns_, x.as<float>(), matrices, count}, parallel_for);
  }

  OrtStatus* guarded_compute(OrtKernelContext* context) const noexcept {
    return guarded(api_, kName, [&] { compute(context); });
  }

 private:
  void check_weight(const Tensor& weight) const {
    const int64_t bytes = static_cast<int64_t>(format_.panel_bytes(columns_));
    if (weight.shape.size() != 2 || weight.shape[1] != bytes)
      throw Error("input `weight` has shape " + text(weight.shape) + ", must be [panels, " +
                  std::to_string(bytes) + "] for these attributes");
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
