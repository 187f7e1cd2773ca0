// sopilka::PagedAttention as ONNX Runtime sees it: attributes, shapes, errors.
//
// Causal grouped-query attention of several sequences at once over a cache of blocks
// (PagedAttention: Kwon et al., arXiv 2309.06180), with the norms of queries and keys and the
// rotation by position inside.
//
// Inputs: query float [..., heads * head_dim]; key and value float [..., kv_heads * head_dim];
//   cache uint8 [blocks, bytes]; block_table int32 [S, width]; starts int32 [S + 1], where each
//   sequence's new tokens begin; past int32 [S], positions that the cache holds of each;
//   cos and sin float [positions, head_dim / 2]; optionally q_norm and k_norm float [head_dim];
//   optionally cancel int64 [1], the handle of a cancel flag or 0.
// Outputs: y float, the shape of query; cache_out, which must be bound to the buffer of `cache`:
//   new positions are written in place.
// Attributes: integers heads, kv_heads, head_dim, layout_version (1); floats scale (of the scores)
//   and epsilon (of the norms). The width of the cache says whether it has 8 or 32 bits.
#include "op.h"

#include "attention.h"

namespace sopilka::paged_attention {
namespace {

constexpr int64_t kLayoutVersion = 1;
enum Input : size_t {
  kQuery,
  kKey,
  kValue,
  kCache,
  kTable,
  kStarts,
  kPast,
  kCos,
  kSin,
  kQueryNorm,
  kKeyNorm,
  kCancel,
  kInputs
};

Shape read_shape(const Api& api, const OrtKernelInfo* info) {
  Shape shape;
  attribute(api, info, "layout_version", kLayoutVersion, kLayoutVersion);
  shape.heads = attribute(api, info, "heads", 1, 1 << 12);
  shape.kv_heads = attribute(api, info, "kv_heads", 1, 1 << 12);
  shape.head_dim = attribute(api, info, "head_dim", 16, 1 << 12);
  shape.scale = float_attribute(api, info, "scale");
  shape.epsilon = float_attribute(api, info, "epsilon");
  if (shape.head_dim % 16 != 0)
    throw Error("head_dim " + std::to_string(shape.head_dim) + " must be a multiple of 16");
  if (shape.heads % shape.kv_heads != 0) {
    throw Error("heads " + std::to_string(shape.heads) + " must be a multiple of kv_heads " +
                std::to_string(shape.kv_heads));
  }
  return shape;
}

// Rows of a tensor whose last dimension is `width`.
size_t rows(const Tensor& tensor, const char* what, size_t width) {
  const int64_t last = static_cast<int64_t>(width);
  expect(!tensor.shape.empty() && tensor.shape.back() == last, what, tensor,
         "[..., " + std::to_string(last) + "]");
  return static_cast<size_t>(tensor.count() / last);
}

const float* gain(const Tensor& tensor, const char* what, const Shape& shape) {
  if (tensor.data == nullptr) return nullptr;
  expect(tensor.count() == static_cast<int64_t>(shape.head_dim), what, tensor,
         text({static_cast<int64_t>(shape.head_dim)}));
  return tensor.as<float>();
}

// Every position that will be written or read has an angle and a block of the pool.
void check_sequences(const Batch& batch, size_t positions, size_t blocks) {
  if (batch.starts[0] != 0 || static_cast<size_t>(batch.starts[batch.sequences]) != batch.tokens)
    throw Error("`starts` must begin with 0 and end with the number of tokens");
  for (size_t s = 0; s < batch.sequences; ++s) {
    const std::string where = "sequence " + std::to_string(s);
    const int64_t count = int64_t{batch.starts[s + 1]} - batch.starts[s];
    if (count < 0) throw Error("`starts` must not fall, but does after " + where);
    if (batch.past[s] < 0) throw Error("`past` of " + where + " is negative");
    const size_t length = static_cast<size_t>(batch.past[s]) + static_cast<size_t>(count);
    if (length > positions) {
      throw Error(where + " has " + std::to_string(length) +
                  " positions, but there are angles for " + std::to_string(positions));
    }
    const size_t needed = (length + kBlock - 1) / kBlock;
    if (needed > batch.table_width)
      throw Error(where + " needs " + std::to_string(needed) + " blocks, but `block_table` has " +
                  std::to_string(batch.table_width) + " columns");
    for (size_t b = 0; count > 0 && b < needed; ++b) {
      const int32_t block = batch.tables[s * batch.table_width + b];
      if (block < 0 || static_cast<size_t>(block) >= blocks) {
        throw Error("`block_table` of " + where + " names block " + std::to_string(block) +
                    ", but there are " + std::to_string(blocks));
      }
    }
  }
}

class PagedAttention {
 public:
  static constexpr const char* kName = "PagedAttention";

  PagedAttention(const Api& api, const OrtKernelInfo* info, const Threads& threads)
      : api_(api), threads_(threads), shape_(read_shape(api, info)), path_(select_path()) {}

  void compute(OrtKernelContext* context) const {
    const size_t size = shape_.head_dim;
    const Tensor query = input(api_, context, kQuery), key = input(api_, context, kKey);
    const Tensor value = input(api_, context, kValue), cache = input(api_, context, kCache);
    const Tensor table = input(api_, context, kTable), starts = input(api_, context, kStarts);
    const Tensor past = input(api_, context, kPast);
    const Tensor cos = input(api_, context, kCos), sin = input(api_, context, kSin);

    Batch batch{};
    batch.tokens = rows(query, "query", shape_.heads * size);
    const std::string same = std::to_string(batch.tokens) + " tokens, as `query`";
    expect(rows(key, "key", shape_.kv_heads * size) == batch.tokens, "key", key, same);
    expect(rows(value, "value", shape_.kv_heads * size) == batch.tokens, "value", value, same);
    const Shape shape = with_cache(cache);
    const size_t blocks = static_cast<size_t>(cache.shape[0]);
    batch.sequences = static_cast<size_t>(past.count());
    expect(starts.count() == past.count() + 1, "starts", starts, text({past.count() + 1}));
    expect(table.shape.size() == 2 && table.shape[0] == past.count(), "block_table", table,
           "[" + std::to_string(batch.sequences) + ", blocks of the longest sequence]");
    const size_t positions = rows(cos, "cos", size / 2);
    expect(sin.shape == cos.shape, "sin", sin, text(cos.shape) + ", as `cos`");
    batch.table_width = static_cast<size_t>(table.shape[1]);
    batch.starts = starts.as<int32_t>();
    batch.past = past.as<int32_t>();
    batch.tables = table.as<int32_t>();
    check_sequences(batch, positions, blocks);

    batch.query = query.as<float>();
    batch.key = key.as<float>();
    batch.value = value.as<float>();
    batch.cos = cos.as<float>();
    batch.sin = sin.as<float>();
    batch.q_norm = gain(input(api_, context, kQueryNorm), "q_norm", shape_);
    batch.k_norm = gain(input(api_, context, kKeyNorm), "k_norm", shape_);
    batch.y = output(api_, context, 0, query.shape).as<float>();
    batch.cache = output(api_, context, 1, cache.shape).as<uint8_t>();
    if (batch.cache != cache.data)
      throw Error("`cache_out` must be bound to the buffer of `cache`, which is written in place");
    const CancelFlag cancel = CancelFlag::find(cancel_handle(api_, context, kCancel));
    if (batch.tokens == 0) return;
    const Kernel kernel = select_kernel(path_, shape);
    if (!attention(shape, kernel, batch, cancel, parallel_for(api_, context, threads_)))
      throw Error("cancelled");
  }

  const Api& api() const { return api_; }

 private:
  // The shape with the number of bits that the cache has.
  Shape with_cache(const Tensor& cache) const {
    Shape shape = shape_;
    for (unsigned bits : {32u, 8u}) {
      shape.bits = bits;
      if (cache.shape.size() == 2 && cache.shape[1] == static_cast<int64_t>(shape.block_bytes()))
        return shape;
    }
    const std::string narrow = std::to_string(shape.block_bytes());
    shape.bits = 32;
    expect(false, "cache", cache,
           "[blocks, " + narrow + "] for 8 bits or [blocks, " +
               std::to_string(shape.block_bytes()) + "] for 32");
    return shape;
  }

  const Api api_;
  const Threads threads_;
  const Shape shape_;  // for 32 bits
  const CpuPath path_;
};

OrtCustomOp describe() {
  OrtCustomOp op = custom_op<PagedAttention>();
  op.GetInputTypeCount = [](const OrtCustomOp*) -> size_t { return kInputs; };
  op.GetInputType = [](const OrtCustomOp*, size_t index) -> int {
    if (index == kCache) return kUint8;
    if (index == kTable || index == kStarts || index == kPast) return kInt32;
    return index == kCancel ? kInt64 : kFloat;
  };
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t index) -> int {
    return index >= kQueryNorm ? kOptional : kRequired;
  };
  op.GetOutputTypeCount = [](const OrtCustomOp*) -> size_t { return 2; };
  op.GetOutputType = [](const OrtCustomOp*, size_t index) -> int {
    return index == 0 ? kFloat : kUint8;
  };
  return op;
}

const OrtCustomOp kOp = describe();
const Registration kRegistration(&kOp);

}  // namespace
}  // namespace sopilka::paged_attention
