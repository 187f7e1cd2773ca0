#include "dispatch.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "router.h"

namespace sopilka::expert_dispatch {
namespace {

// Below this many multiplications waking other threads costs more than it saves.
constexpr size_t kSerialWork = 2 << 20;
// Tasks are claimed one at a time, so a busy core takes fewer. About this many a
// phase balance well.
constexpr size_t kTasks = 32;
// Tokens that one routing task takes.
constexpr size_t kTokensPerTask = 16;

// One uninitialised piece of memory, cut into aligned parts: zeroing megabytes each call would cost
// as much as reading weights.
class Arena {
 public:
  explicit Arena(size_t bytes) : memory_(new uint8_t[bytes + 64]) {
    next_ = memory_.get() + (64 - reinterpret_cast<uintptr_t>(memory_.get()) % 64) % 64;
  }
  uint8_t* take(size_t bytes) {
    uint8_t* part = next_;
    next_ += round_up(bytes, 64);
    return part;
  }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  uint8_t* next_;
};

// The (token, weight) pairs of all experts, an expert's pairs side by side and by rising token.
struct Pairs {
  std::vector<size_t> first;  // [experts + 1] where each expert's pairs begin
  std::vector<int32_t> token;
  std::vector<float> weight;
  std::vector<size_t> by_index;  // experts that have pairs, by rising index: the order of the sum
  std::vector<size_t> by_load;   // the same, the fullest first: long tasks must not come last
};

Pairs group_by_expert(const std::vector<int32_t>& chosen, const std::vector<float>& weights,
                      size_t experts, size_t k) {
  Pairs pairs;
  pairs.first.assign(experts + 1, 0);
  for (int32_t expert : chosen) ++pairs.first[expert + 1];
  for (size_t e = 0; e < experts; ++e) pairs.first[e + 1] += pairs.first[e];
  std::vector<size_t> next(pairs.first.begin(), pairs.first.end() - 1);
  pairs.token.resize(chosen.size());
  pairs.weight.resize(chosen.size());
  for (size_t i = 0; i < chosen.size(); ++i) {
    const size_t place = next[chosen[i]]++;
    pairs.token[place] = static_cast<int32_t>(i / k);
    pairs.weight[place] = weights[i];
  }
  for (size_t e = 0; e < experts; ++e) {
    if (pairs.first[e + 1] > pairs.first[e]) pairs.by_index.push_back(e);
  }
  pairs.by_load = pairs.by_index;
  std::stable_sort(pairs.by_load.begin(), pairs.by_load.end(), [&](size_t a, size_t b) {
    return pairs.first[a + 1] - pairs.first[a] > pairs.first[b + 1] - pairs.first[b];
  });
  return pairs;
}

// All that the tasks of one call share. Tasks write to disjoint places, so they need no locks.
struct Work {
  const Shape& shape;
  const Kernel& kernel;
  const Batch& batch;
  const CancelFlag& cancel;
  RowLayout x_layout, hidden_layout;
  uint8_t* x_rows = nullptr;       // [tokens] encoded hidden states
  uint8_t* hidden_rows = nullptr;  // [pairs] encoded silu(gate x) * up x
  Pairs pairs;

  // Columns [64 first, 64 last) of the hidden rows of expert `by_load[index]`: whole blocks, so the
  // task can encode them itself.
  void make_hidden(size_t index, size_t first, size_t last) const {
    alignas(64) float out[kMaxPanels * kMaxRows * kPanelRows];
    alignas(64) float h[kMaxRows * 8 * kMaxPanels];
    const uint8_t* rows[kMaxRows];
    const size_t panel_bytes = shape.format.panel_bytes(shape.hidden),
                 all_panels = shape.intermediate / 8;
    const size_t expert = pairs.by_load[index];
    const uint8_t* weights = batch.gate_up + expert * shape.gate_up_bytes();
    const size_t begin = pairs.first[expert], end = pairs.first[expert + 1];
    for (size_t group = first; group < last; ++group) {
      const size_t panel = group * kMaxPanels, panels = std::min(kMaxPanels, all_panels - panel);
      const uint8_t *piece = weights + panel * panel_bytes, *after = piece + panels * panel_bytes;
      if (panel + panels == all_panels) after = after_gate_up(index);
      for (size_t tile = begin; tile < end; tile += kMaxRows) {
        const size_t count = std::min(kMaxRows, end - tile);
        for (size_t t = 0; t < count; ++t)
          rows[t] = x_rows + pairs.token[tile + t] * x_layout.bytes;
        kernel.multiply(shape.format, shape.hidden, piece, panels,
                        tile + count < end ? piece : after, rows, count, out);
        kernel.swiglu(out, panels, count, h, 8 * kMaxPanels);
        for (size_t t = 0; t < count; ++t) {
          kernel.encode(shape.format, shape.intermediate, h + t * 8 * kMaxPanels, 8 * panel,
                        8 * panels, hidden_rows + (tile + t) * hidden_layout.bytes);
        }
      }
    }
  }

  // What is read, if one thread reads all, when the matrix of `by_load[index]` is done.
  const uint8_t* after_gate_up(size_t index) const {
    return index + 1 < pairs.by_load.size()
               ? batch.gate_up + pairs.by_load[index + 1] * shape.gate_up_bytes()
               : batch.down + pairs.by_index[0] * shape.down_bytes();
  }

  // Panels [first, last) of y for all tokens; experts by rising index, so each sum has one order.
  void make_output(size_t first, size_t last) const {
    alignas(64) float out[kMaxPanels * kMaxRows * kPanelRows];
    const uint8_t* rows[kMaxRows];
    const size_t panel_bytes = shape.format.panel_bytes(shape.intermediate);
    for (size_t t = 0; t < batch.tokens; ++t) {
      std::fill(batch.y + t * shape.hidden + first * kPanelRows,
                batch.y + t * shape.hidden + last * kPanelRows, 0.0f);
    }
    for (size_t index = 0; index < pairs.by_index.size(); ++index) {
      if (cancel.is_set()) return;
      const size_t expert = pairs.by_index[index];
      const uint8_t* weights = batch.down + expert * shape.down_bytes();
      // After this expert's stripe comes the next one's, after the last the first one's next
      // stripe.
      const uint8_t* after =
          index + 1 < pairs.by_index.size()
              ? batch.down + pairs.by_index[index + 1] * shape.down_bytes() + first * panel_bytes
              : batch.down + pairs.by_index[0] * shape.down_bytes() + last * panel_bytes;
      const size_t end = pairs.first[expert + 1];
      for (size_t tile = pairs.first[expert]; tile < end; tile += kMaxRows) {
        const size_t count = std::min(kMaxRows, end - tile);
        for (size_t t = 0; t < count; ++t) rows[t] = hidden_rows + (tile + t) * hidden_layout.bytes;
        for (size_t panel = first; panel < last; panel += kMaxPanels) {
          const size_t panels = std::min(kMaxPanels, last - panel);
          const uint8_t* piece = weights + panel * panel_bytes;
          const uint8_t* next = panel + panels < last ? piece + panels * panel_bytes
                                : tile + count < end  ? weights + first * panel_bytes
                                                      : after;
          kernel.multiply(shape.format, shape.intermediate, piece, panels, next, rows, count, out);
          for (size_t t = 0; t < count; ++t) {
            kernel.accumulate(out + t * kPanelRows, panels, count * kPanelRows,
                              pairs.weight[tile + t],
                              batch.y + pairs.token[tile + t] * shape.hidden + panel * kPanelRows);
          }
        }
      }
    }
  }
};

}  // namespace

bool dispatch(const Shape& shape, const Kernel& kernel, const Batch& batch,
              const CancelFlag& cancel, const ParallelFor& parallel_for) {
  const size_t pair_count = batch.tokens * shape.k;
  Work work{shape,
            kernel,
            batch,
            cancel,
            RowLayout(shape.format, shape.hidden),
            RowLayout(shape.format, shape.intermediate),
            nullptr,
            nullptr,
            {}};
  Arena arena(round_up(batch.tokens * work.x_layout.bytes, 64) +
              round_up(pair_count * work.hidden_layout.bytes, 64));
  work.x_rows = arena.take(batch.tokens * work.x_layout.bytes);
  work.hidden_rows = arena.take(pair_count * work.hidden_layout.bytes);

  const bool serial = pair_count * 3 * shape.hidden * shape.intermediate < kSerialWork;
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

  // 1. Each token is routed, and encoded once however many experts it goes to.
  std::vector<int32_t> chosen(pair_count);
  std::vector<float> weights(pair_count), scratch(batch.tokens * shape.experts);
  const size_t routing_tasks = (batch.tokens + kTokensPerTask - 1) / kTokensPerTask;
  const bool routed = run(routing_tasks, [&](size_t task) {
    for (size_t t = task * kTokensPerTask; t < std::min(batch.tokens, (task + 1) * kTokensPerTask);
         ++t) {
      route(batch.logits + t * shape.experts, shape.experts, shape.k, shape.normalize,
            scratch.data() + t * shape.experts, chosen.data() + t * shape.k,
            weights.data() + t * shape.k);
      kernel.encode(shape.format, shape.hidden, batch.x + t * shape.hidden, 0, shape.hidden,
                    work.x_rows + t * work.x_layout.bytes);
    }
  });
  if (!routed) return false;
  work.pairs = group_by_expert(chosen, weights, shape.experts, shape.k);

  // 2. silu(gate x) * up x, in tasks of one expert and a run of 64-column groups.
  const size_t groups = (shape.intermediate / 8 + kMaxPanels - 1) / kMaxPanels;
  const size_t groups_per_task =
      std::clamp<size_t>(work.pairs.by_load.size() * groups / kTasks, 1, groups);
  const size_t tasks_per_expert = (groups + groups_per_task - 1) / groups_per_task;
  const bool hidden_made = run(work.pairs.by_load.size() * tasks_per_expert, [&](size_t task) {
    const size_t first = task % tasks_per_expert * groups_per_task;
    work.make_hidden(task / tasks_per_expert, first, std::min(groups, first + groups_per_task));
  });
  if (!hidden_made) return false;

  // 3. The weighted sum of down, in stripes of output rows: no two tasks write to the same place.
  const size_t panels = shape.hidden / kPanelRows;
  const size_t panels_per_task = std::clamp<size_t>(panels / (kTasks / 2), 1, kMaxPanels);
  return run((panels + panels_per_task - 1) / panels_per_task, [&](size_t task) {
    work.make_output(task * panels_per_task, std::min(panels, (task + 1) * panels_per_task));
  });
}

}  // namespace sopilka::expert_dispatch
