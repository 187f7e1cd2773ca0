// sopilka::ExpertDispatch as ONNX Runtime sees it: attributes, shapes, errors.
//
// Inputs: x float [..., H]; router_logits float [..., E]; gate_up uint8 [E, bytes];
//   down uint8 [E, bytes]; optionally cancel int64 [1], the handle of a cancel flag or 0.
// Output: y float, the shape of x.
// Attributes, all integers: k, hidden_size, intermediate_size, num_experts, bits (4, 8, 32),
//   block_size (32, 64), normalize (0, 1), layout_version (1).
//
// The weights are read where the runtime has them, as a rule in a memory-mapped file: nothing is
// copied or repacked.
#include "op.h"

#include "dispatch.h"
#include "huge_pages.h"

namespace sopilka::expert_dispatch {
namespace {

enum Input : size_t { kX, kLogits, kGateUp, kDown, kCancel, kInputs };

Shape read_shape(const Api& api, const OrtKernelInfo* info) {
  Shape shape;
  attribute(api, info, "layout_version", kLayoutVersion, kLayoutVersion);
  shape.hidden = attribute(api, info, "hidden_size", 1, 1 << 20);
  shape.intermediate = attribute(api, info, "intermediate_size", 1, 1 << 20);
  shape.experts = attribute(api, info, "num_experts", 1, 1 << 16);
  shape.k = attribute(api, info, "k", 1, static_cast<int64_t>(shape.experts));
  shape.normalize = attribute(api, info, "normalize", 0, 1) == 1;
  shape.format.bits = attribute(api, info, "bits", 4, 32);
  shape.format.block = attribute(api, info, "block_size", 32, 64);
  const size_t bits = shape.format.bits, block = shape.format.block;
  if (bits != 4 && bits != 8 && bits != 32)
    throw Error("attribute `bits` is " + std::to_string(bits) + ", must be 4, 8 or 32");
  if (block != 32 && block != 64)
    throw Error("attribute `block_size` is " + std::to_string(block) + ", must be 32 or 64");
  if (shape.hidden % block != 0 || shape.intermediate % block != 0) {
    throw Error("hidden_size " + std::to_string(shape.hidden) + " and intermediate_size " +
                std::to_string(shape.intermediate) + " must be multiples of block_size " +
                std::to_string(block));
  }
  return shape;
}

void check_weights(const Tensor& weights, const char* what, size_t experts, size_t bytes) {
  const std::vector<int64_t> wanted = {static_cast<int64_t>(experts), static_cast<int64_t>(bytes)};
  expect(weights.shape == wanted, what, weights, text(wanted) + " for these attributes");
  if (reinterpret_cast<uintptr_t>(weights.data) % alignof(float) != 0) {
    throw Error(std::string("input `") + what +
                "` begins at an address that is not a multiple of 4; align the file's offsets");
  }
}

class ExpertDispatch {
 public:
  static constexpr const char* kName = "ExpertDispatch";

  ExpertDispatch(const Api& api, const OrtKernelInfo* info, const Threads& threads)
      : api_(api),
        threads_(threads),
        shape_(read_shape(api, info)),
        kernel_(select_kernel(select_path(), shape_.format)) {
    // What is constant can be checked now, so that a wrong model fails when it is loaded.
    const Tensor gate_up = constant_input(api, info, kGateUp),
                 down = constant_input(api, info, kDown);
    if (gate_up.data != nullptr) {
      check_weights(gate_up, "gate_up", shape_.experts, shape_.gate_up_bytes());
      prefer_huge_pages(gate_up.data, gate_up.count());
    }
    if (down.data != nullptr) {
      check_weights(down, "down", shape_.experts, shape_.down_bytes());
      prefer_huge_pages(down.data, down.count());
    }
  }

  void compute(OrtKernelContext* context) const {
    const Tensor x = input(api_, context, kX), logits = input(api_, context, kLogits);
    const Tensor gate_up = input(api_, context, kGateUp), down = input(api_, context, kDown);
    const int64_t hidden = static_cast<int64_t>(shape_.hidden),
                  experts = static_cast<int64_t>(shape_.experts);
    expect(!x.shape.empty() && x.shape.back() == hidden, "x", x,
           "[..., " + std::to_string(hidden) + "]");
    const int64_t tokens = x.count() / hidden;
    expect(!logits.shape.empty() && logits.shape.back() == experts &&
               logits.count() / experts == tokens,
           "router_logits", logits, text({tokens, experts}));
    check_weights(gate_up, "gate_up", shape_.experts, shape_.gate_up_bytes());
    check_weights(down, "down", shape_.experts, shape_.down_bytes());
    const CancelFlag cancel = CancelFlag::find(cancel_handle(api_, context, kCancel));
    const Tensor y = output(api_, context, 0, x.shape);
    if (tokens == 0) return;

    const Batch batch = {static_cast<size_t>(tokens), x.as<float>(),      logits.as<float>(),
                         gate_up.as<uint8_t>(),       down.as<uint8_t>(), y.as<float>()};
    if (!dispatch(shape_, kernel_, batch, cancel, parallel_for(api_, context, threads_)))
      throw Error("cancelled");
  }

  const Api& api() const { return api_; }

 private:
  const Api api_;
  const Threads threads_;
  const Shape shape_;
  const Kernel kernel_;
};

OrtCustomOp describe() {
  OrtCustomOp op = custom_op<ExpertDispatch>();
  op.GetInputTypeCount = [](const OrtCustomOp*) -> size_t { return kInputs; };
  op.GetInputType = [](const OrtCustomOp*, size_t index) -> int {
    if (index == kCancel) return kInt64;
    return index == kGateUp || index == kDown ? kUint8 : kFloat;
  };
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t index) -> int {
    return index == kCancel ? kOptional : kRequired;
  };
  return op;
}

const OrtCustomOp kOp = describe();
const Registration kRegistration(&kOp);

}  // namespace
}  // namespace sopilka::expert_dispatch
