// Which instruction sets the kernels may use, asked of the CPU and of the operating system (a set
// counts only when the kernel saves its registers). Internal to codec/.
#pragma once

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define SPATE_X86_64 1
#else
#define SPATE_X86_64 0
#endif

#if SPATE_X86_64
#include <cpuid.h>
#endif

namespace spate::codec::detail {

struct CpuFeatures {
  bool ssse3 = false;
  bool avx2 = false;
  bool avx512 = false;  // F, BW and VL, with BMI2
  bool sha = false;     // with SSSE3 and SSE4.1, which its kernel needs as well
};

inline CpuFeatures cpu_features() {
  CpuFeatures features;
#if SPATE_X86_64
  __builtin_cpu_init();
  features.ssse3 = __builtin_cpu_supports("ssse3");
  features.avx2 = __builtin_cpu_supports("avx2");
  features.avx512 = features.avx2 && __builtin_cpu_supports("avx512f") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("bmi2");
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  // Neither compiler that we support knows "sha" in __builtin_cpu_supports().
  const bool sha = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx >> 29 & 1) != 0;
  features.sha = sha && features.ssse3 && __builtin_cpu_supports("sse4.1");
#endif
  return features;
}

}  // namespace spate::codec::detail
