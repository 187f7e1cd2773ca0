// Which of the compiled kernels this machine runs: chosen at run time, so one library
// serves every CPU.
#pragma once

#include <string>
#include <vector>

namespace sopilka {

enum class CpuPath { kScalar, kAvx2, kAvxVnni, kAvx512Vnni, kNeon, kNeonDot };

const char* name(CpuPath path);

// The paths that were compiled in and that this CPU can run, slowest first; the first
// is always scalar.
std::vector<CpuPath> available_paths();

// The fastest of them, or what the environment variable SOPILKA_OPS_PATH names. Throws Error for
// any other name.
CpuPath select_path();

}  // namespace sopilka
