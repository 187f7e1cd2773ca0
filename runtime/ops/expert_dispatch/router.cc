#include "router.h"

#include "elementwise.h"

namespace sopilka::expert_dispatch {

void route(const float* logits, size_t experts, size_t k, bool normalize, float* scratch,
           int32_t* chosen, float* weights) {
  const float infinity = float_of(0x7f800000u);
  float largest = -infinity;
  bool valid = true;
  for (size_t e = 0; e < experts; ++e) {
    valid = valid && logits[e] < infinity;  // False for NaN too.
    largest = logits[e] > largest ? logits[e] : largest;
  }
  if (!valid || largest == -infinity) {
    for (size_t i = 0; i < k; ++i) {
      chosen[i] = static_cast<int32_t>(i);
      weights[i] = float_of(0x7fc00000u);
    }
    return;
  }

  float total = 0.0f;
  for (size_t e = 0; e < experts; ++e) scratch[e] = exponential(logits[e] - largest);
  for (size_t e = 0; e < experts; ++e) total = total + scratch[e];
  for (size_t e = 0; e < experts; ++e) scratch[e] = scratch[e] / total;

  float kept = 0.0f;
  for (size_t i = 0; i < k; ++i) {
    size_t best = 0;
    for (size_t e = 1; e < experts; ++e) best = scratch[e] > scratch[best] ? e : best;
    chosen[i] = static_cast<int32_t>(best);
    weights[i] = scratch[best];
    kept = kept + scratch[best];
    scratch[best] = -1.0f;  // Below every probability: not chosen again.
  }
  if (normalize) {
    for (size_t i = 0; i < k; ++i) weights[i] = weights[i] / kept;
  }
}

}  // namespace sopilka::expert_dispatch
