// Fewer misses of the translation buffer while weights stream by.
#pragma once

#include <cstddef>

namespace sopilka {

// Asks the system to map memory in pages as large as it has. Weights are pages of a file, which
// become large only when they are read with this advice or by chance: small ones cost a tenth of
// the bandwidth. Does nothing where the system knows no such advice, and nothing fails.
void prefer_huge_pages(const void* data, size_t bytes);

}  // namespace sopilka
