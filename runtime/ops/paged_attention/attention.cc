#include "attention.h"

#include <algorithm>
#include <vector>

namespace sopilka::paged_attention {
namespace {

constexpr size_t kTokensPerTask = 8;
// Below so many multiplications waking a thread costs more than it saves.
constexpr size_t kSerialWork = 1 << 17;

// Some neighbouring tokens of one sequence.
struct Span {
  size_t sequence, first, last;
};

std::vector<Span> spans_of(const Batch& batch) {
  std::vector<Span> spans;
  for (size_t s = 0; s < batch.sequences; ++s) {
    const size_t end = static_cast<size_t>(batch.starts[s + 1]);
    for (size_t first = static_cast<size_t>(batch.starts[s]); first < end; first += kTokensPerTask)
      spans.push_back({s, first, std::min(end, first + kTokensPerTask)});
  }
  return spans;
}

struct Work {
  const Shape& shape;
  const Kernel& kernel;
  const Batch& batch;
  float* queries;  // [tokens, heads, head_dim], ready to be multiplied

  size_t position(const Span& span, size_t token) const {
    const size_t past = static_cast<size_t>(batch.past[span.sequence]);
    return past + token - static_cast<size_t>(batch.starts[span.sequence]);
  }

  const int32_t* table(const Span& span) const {
    return batch.tables + span.sequence * batch.table_width;
  }

  void prepare(const Span& span) const {
    const size_t size = shape.head_dim, half = size / 2;
    std::vector<float> key(size);
    for (size_t token = span.first; token < span.last; ++token) {
      const size_t at = position(span, token);
      const float *cos = batch.cos + at * half, *sin = batch.sin + at * half;
      for (size_t head = 0; head < shape.heads; ++head) {
        const size_t offset = (token * shape.heads + head) * size;
        kernel.prepare(shape, batch.query + offset, batch.q_norm, cos, sin, shape.scale,
                       queries + offset);
      }
      uint8_t* block =
          batch.cache + static_cast<size_t>(table(span)[at / kBlock]) * shape.block_bytes();
      for (size_t head = 0; head < shape.kv_heads; ++head) {
        const size_t offset = (token * shape.kv_heads + head) * size;
        kernel.prepare(shape, batch.key + offset, batch.k_norm, cos, sin, 1.0f, key.data());
        kernel.store(shape, key.data(), batch.value + offset, at % kBlock,
                     block + head * shape.head_bytes());
      }
    }
  }

  // All query heads that share a key-value head: the cache is read once for kRows of them.
  void attend(const Span& span, size_t kv_head) const {
    const Pages pages = {batch.cache + kv_head * shape.head_bytes(), shape.block_bytes(),
                         table(span)};
    Row rows[kRows];
    size_t count = 0;
    for (size_t token = span.first; token < span.last; ++token) {
      for (size_t i = 0; i < shape.group(); ++i) {
        const size_t offset = (token * shape.heads + kv_head * shape.group() + i) * shape.head_dim;
        rows[count++] = {queries + offset, position(span, token) + 1, batch.y + offset};
        if (count == kRows) {
          kernel.attend(shape, pages, rows, count);
          count = 0;
        }
      }
    }
    if (count > 0) kernel.attend(shape, pages, rows, count);
  }
};

size_t multiplications(const Shape& shape, const Batch& batch) {
  size_t total = 0;
  for (size_t s = 0; s < batch.sequences; ++s) {
    const size_t count = static_cast<size_t>(batch.starts[s + 1] - batch.starts[s]);
    total += count * (static_cast<size_t>(batch.past[s]) + count);
  }
  return total * shape.heads * shape.head_dim;
}

}  // namespace

bool attention(const Shape& shape, const Kernel& kernel, const Batch& batch,
               const CancelFlag& cancel, const ParallelFor& parallel_for) {
  std::vector<float> queries(batch.tokens * shape.heads * shape.head_dim);
  const Work work{shape, kernel, batch, queries.data()};
  const std::vector<Span> spans = spans_of(batch);
  const bool serial = multiplications(shape, batch) < kSerialWork;
  const auto run = [&](size_t total, const std::function<void(size_t)>& task) {
    const auto unless_cancelled = [&](size_t i) {
      if (!cancel.is_set()) task(i);
    };
    if (serial || total == 1) {
      for (size_t i = 0; i < total; ++i) unless_cancelled(i);
    } else {
      parallel_for(total, unless_cancelled);
    }
    return !cancel.is_set();
  };
  if (!run(spans.size(), [&](size_t i) { work.prepare(spans[i]); })) return false;
  // Later spans of a sequence read more, so they come first and the short ones fill the gaps.
  return run(spans.size() * shape.kv_heads, [&](size_t i) {
    work.attend(spans[spans.size() - 1 - i / shape.kv_heads], i % shape.kv_heads);
  });
}

}  // namespace sopilka::paged_attention
