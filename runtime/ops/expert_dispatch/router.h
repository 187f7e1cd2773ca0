// Which experts a token goes to, and how much each of them counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sopilka::expert_dispatch {

// Softmax over all experts, then the k largest probabilities, ties to the lower index, optionally
// scaled to sum to one. `scratch` has room for `experts` floats. Fills `chosen` and `weights` (k
// each), largest first. Logits with NaN or +infinity, or without any finite one, give NaN weights
// to experts 0..k-1.
void route(const float* logits, size_t experts, size_t k, bool normalize, float* scratch,
           int32_t* chosen, float* weights);

}  // namespace sopilka::expert_dispatch
