// How the plan of an operator's work asks for threads, without knowing whose they are.
#pragma once

#include <cstddef>
#include <functional>

namespace sopilka {

// Calls the function for every index below the total, on any threads, and waits for all.
using ParallelFor = std::function<void(size_t total, const std::function<void(size_t)>& task)>;

}  // namespace sopilka
