// sopilka::Embedding: rows of a quantized matrix.
//
// Inputs: ids int64 [...], each from 0 to 16 panels - 1; weight uint8 [panels, bytes of a panel],
//   packed as the experts' `down` (../expert_dispatch/layout.h).
// Output: y float [..., columns].
// Attributes, all integers: columns, bits (4, 8), block_size (32, 64), layout_version (1).
//
// The weight may be that of a Linear node: an embedding that is the head too is stored once.
#include "embedding.h"

#include "../linear/matrix_format.h"

namespace sopilka::embedding {
namespace {

using namespace expert_dispatch;

class Embedding {
 public:
  static constexpr const char* kName = "Embedding";

  Embedding(const Api& api, const OrtKernelInfo* info, const Threads&)
      : api_(api), matrix_(linear::read_matrix_format(api, info)) {}

  void compute(OrtKernelContext* context) const {
    const auto& [columns, format] = matrix_;
    const Tensor ids = input(api_, context, 0), weight = input(api_, context, 1);
    const size_t panel_bytes = format.panel_bytes(columns);
    expect(weight.shape.size() == 2 && weight.shape[1] == static_cast<int64_t>(panel_bytes),
           "weight", weight, "[panels, " + std::to_string(panel_bytes) + "] for these attributes");
    const int64_t rows = weight.shape[0] * static_cast<int64_t>(kPanelRows);
    std::vector<int64_t> shape = ids.shape;
    shape.push_back(static_cast<int64_t>(columns));
    float* y = output(api_, context, 0, shape).as<float>();
    for (int64_t i = 0; i < ids.count(); ++i, y += columns) {
      const int64_t id = ids.as<int64_t>()[i];
      if (id < 0 || id >= rows) {
        throw Error("`ids` names row " + std::to_string(id) + ", but there are " +
                    std::to_string(rows));
      }
      const uint8_t* panel = weight.as<uint8_t>() + id / kPanelRows * panel_bytes;
      read_row(format, columns, panel, id % kPanelRows, y);
    }
  }

  const Api& api() const { return api_; }

 private:
  const Api api_;
  const linear::MatrixFormat matrix_;
};

OrtCustomOp describe() {
  OrtCustomOp op = custom_op<Embedding>();
  op.GetInputTypeCount = [](const OrtCustomOp*) -> size_t { return 2; };
  op.GetInputType = [](const OrtCustomOp*, size_t index) -> int {
    return index == 0 ? kInt64 : kUint8;
  };
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t) -> int { return kRequired; };
  return op;
}

const OrtCustomOp kOp = describe();
const Registration kRegistration(&kOp);

}  // namespace
}  // namespace sopilka::embedding
