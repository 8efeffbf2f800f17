// What a process has used, as the kernel says in /proc. One file read; some 20 µs.
#pragma once

#include <cstdint>

namespace spate::core {

struct ProcessUsage {
  std::uint64_t cpu_ns = 0;          // user and system, in steps of 10 ms
  std::uint64_t resident_bytes = 0;  // memory of others that it maps included
};

// All zero when there is no such process.
ProcessUsage process_usage(int pid);

}  // namespace spate::core
