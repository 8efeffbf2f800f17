// What the kernel tells about processes: CPU time and memory of a process and all its descendants,
// and of the machine's sockets and slabs.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace spate::bench {

// The process and its living descendants.
std::vector<int> process_tree(int pid);

struct CpuTime {
  double user_seconds = 0;
  double system_seconds = 0;
  [[nodiscard]] double total() const { return user_seconds + system_seconds; }
};

// A reading of a tree's CPU time. Two of them give what was spent between: user and system ticks of
// /proc/PID/stat, children that ended included. Ticks are 10 ms; where the same threads lived
// through the whole time their exact run time (schedstat) takes the ticks' place, divided as the
// ticks are.
class CpuReading {
 public:
  static CpuReading of(int root_pid);
  static CpuReading of(const std::vector<int>& pids);

  [[nodiscard]] CpuTime since(const CpuReading& earlier) const;

 private:
  struct Process {
    std::uint64_t user_ticks = 0, system_ticks = 0;
    std::uint64_t ended_user_ticks = 0, ended_system_ticks = 0;  // children it has waited for
    std::uint64_t threads = 0;  // a sum over thread ids, to notice a change
    std::uint64_t run_ns = 0;
  };
  std::map<int, Process> processes_;
};

// Proportional set size: what the tree would give back to the machine.
std::uint64_t pss_bytes(const std::vector<int>& pids);

// An estimate of what the kernel holds for sockets, both ends when both are on this machine: slabs,
// page tables and the pages of TCP buffers. Only differences mean anything.
std::uint64_t kernel_bytes();

// How much of the time since the machine started a core has spent busy, in seconds, and in all.
struct CoreTime {
  double busy_seconds = 0;
  double all_seconds = 0;
};
CoreTime core_time(int cpu);

}  // namespace spate::bench
