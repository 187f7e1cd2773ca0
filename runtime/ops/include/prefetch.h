// A hint that memory will be read soon.
#pragma once

#if defined(_MSC_VER) && defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace sopilka {

// Asks for a line into the second-level cache, which waits for more lines at a time than the first
// can. Any address is allowed.
static inline void prefetch(const void* line) {
#if defined(__GNUC__)
  __builtin_prefetch(line, 0, 2);
#elif defined(_M_X64)
  _mm_prefetch(static_cast<const char*>(line), _MM_HINT_T1);
#else
  (void)line;
#endif
}

}  // namespace sopilka
