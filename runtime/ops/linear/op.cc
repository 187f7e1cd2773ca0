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

#include "huge_pages.h"
#include "op.h"

namespace sopilka::linear {
namespace {

using namespace expert_dispatch;

constexpr size_t kMaxMatrices = 3;

class Linear {
 public:
  static constexpr const char* kName = "Linear";

  Linear(const Api& api, const OrtKernelInfo* info, const Threads& threads)
      : api_(api), threads_(threads) {
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
    for (size_t i = 0; i < kMaxMatrices; ++i) {
      const Tensor weight = constant_input(api, info, 1 + i);
      if (weight.data != nullptr) prefer_huge_pages(weight.data, weight.count());
    }
  }

  void compute(OrtKernelContext* context) const {
    const Tensor x = input(api_, context, 0);
    const int64_t columns = static_cast<int64_t>(columns_);
    expect(!x.shape.empty() && x.shape.back() == columns, "x", x,
           "[..., " + std::to_string(columns) + "]");
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
    multiply(format_, kernel_, {tokens, columns_, x.as<float>(), matrices, count},
             parallel_for(api_, context, threads_));
  }

  const Api& api() const { return api_; }

 private:
  void check_weight(const Tensor& weight) const {
    const int64_t bytes = static_cast<int64_t>(format_.panel_bytes(columns_));
    expect(weight.shape.size() == 2 && weight.shape[1] == bytes, "weight", weight,
           "[panels, " + std::to_string(bytes) + "] for these attributes");
  }

  const Api api_;
  const Threads threads_;
  size_t columns_ = 0;
  Format format_;
  Kernel kernel_;
};

OrtCustomOp describe() {
  OrtCustomOp op = custom_op<Linear>();
  op.GetInputTypeCount = [](const OrtCustomOp*) -> size_t { return 1 + kMaxMatrices; };
  op.GetInputType = [](const OrtCustomOp*, size_t index) -> int {
    return index == 0 ? kFloat : kUint8;
  };
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t index) -> int {
    return index < 2 ? kRequired : kOptional;
  };
  op.GetOutputTypeCount = [](const OrtCustomOp*) -> size_t { return kMaxMatrices; };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, size_t index) -> int {
    return index == 0 ? kRequired : kOptional;
  };
  return op;
}

const OrtCustomOp kOp = describe();
const Registration kRegistration(&kOp);

}  // namespace
}  // namespace sopilka::linear
