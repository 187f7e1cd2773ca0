#include "cpu_path.h"

#include <cstdint>
#include <cstdlib>

#include "op.h"

#if defined(SOPILKA_HAVE_NEONDOT)
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#endif
#endif

#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sopilka {
namespace {

#if defined(SOPILKA_HAVE_AVX2)

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r{};
#if defined(_MSC_VER)
  int values[4];
  __cpuidex(values, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {uint32_t(values[0]), uint32_t(values[1]), uint32_t(values[2]), uint32_t(values[3])};
#else
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) r = Registers{};
#endif
  return r;
}

uint64_t saved_by_system() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t(high) << 32) | low;
#endif
}

bool bit(uint32_t value, int index) { return (value >> index) & 1; }

// The CPU has the instructions and the system saves the wide registers on a task switch.
bool has_avx2() {
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0);
  const bool osxsave = bit(one.ecx, 27), f16c = bit(one.ecx, 29), avx2 = bit(seven.ebx, 5);
  return osxsave && f16c && avx2 && (saved_by_system() & 0x6) == 0x6;
}

#if defined(SOPILKA_HAVE_AVXVNNI)
bool has_avx_vnni() { return has_avx2() && bit(cpuid(7, 1).eax, 4); }
#endif

#if defined(SOPILKA_HAVE_AVX512VNNI)
bool has_avx512_vnni() {
  const Registers seven = cpuid(7, 0);
  const bool f = bit(seven.ebx, 16), bw = bit(seven.ebx, 30), vl = bit(seven.ebx, 31),
             vnni = bit(seven.ecx, 11);
  return has_avx2() && f && bw && vl && vnni && (saved_by_system() & 0xe6) == 0xe6;
}
#endif

#endif

#if defined(SOPILKA_HAVE_NEONDOT)
bool has_dot_product() {
#if defined(__linux__)
  const unsigned long dot_product = 1UL << 20;  // HWCAP_ASIMDDP, which old headers lack.
  return (getauxval(AT_HWCAP) & dot_product) != 0;
#elif defined(__APPLE__)
  int has = 0;
  size_t size = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, nullptr, 0) == 0 && has != 0;
#elif defined(_WIN32)
  return IsProcessorFeaturePresent(43) != 0;  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
#else
  return false;
#endif
}
#endif

}  // namespace

const char* name(CpuPath path) {
  switch (path) {
    case CpuPath::kAvx2:
      return "avx2";
    case CpuPath::kAvxVnni:
      return "avxvnni";
    case CpuPath::kAvx512Vnni:
      return "avx512vnni";
    case CpuPath::kNeon:
      return "neon";
    case CpuPath::kNeonDot:
      return "neondot";
    default:
      return "scalar";
  }
}

std::vector<CpuPath> available_paths() {
  std::vector<CpuPath> paths = {CpuPath::kScalar};
#if defined(SOPILKA_HAVE_AVX2)
  if (has_avx2()) paths.push_back(CpuPath::kAvx2);
#endif
#if defined(SOPILKA_HAVE_AVXVNNI)
  if (has_avx_vnni()) paths.push_back(CpuPath::kAvxVnni);
#endif
#if defined(SOPILKA_HAVE_AVX512VNNI)
  if (has_avx512_vnni()) paths.push_back(CpuPath::kAvx512Vnni);
#endif
#if defined(SOPILKA_HAVE_NEON)
  paths.push_back(CpuPath::kNeon);
#endif
#if defined(SOPILKA_HAVE_NEONDOT)
  if (has_dot_product()) paths.push_back(CpuPath::kNeonDot);
#endif
  return paths;
}

CpuPath select_path() {
  const std::vector<CpuPath> paths = available_paths();
  const char* wanted = std::getenv("SOPILKA_OPS_PATH");
  if (wanted == nullptr || *wanted == '\0') return paths.back();
  std::string names;
  for (CpuPath path : paths) {
    if (std::string(wanted) == name(path)) return path;
    names += (names.empty() ? "" : ", ") + std::string(name(path));
  }
  throw Error("the environment variable SOPILKA_OPS_PATH is \"" + std::string(wanted) +
              "\"; this machine knows: " + names);
}

}  // namespace sopilka
