#include "tools/spate-bench/procfs.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace spate::bench {

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string proc(int pid, const std::string& what) {
  return "/proc/" + std::to_string(pid) + "/" + what;
}

std::vector<int> entries(const std::string& directory) {
  std::vector<int> found;
  if (DIR* dir = opendir(directory.c_str())) {
    while (const dirent* entry = readdir(dir))
      if (const int number = std::atoi(entry->d_name); number > 0) found.push_back(number);
    closedir(dir);
  }
  return found;
}

// Fields of /proc/PID/stat from the third on: the second, the name, may hold anything.
std::vector<std::uint64_t> stat_fields(int pid) {
  const std::string text = read_file(proc(pid, "stat"));
  const std::size_t name_end = text.rfind(')');
  if (name_end == text.npos) return {};
  std::istringstream rest(text.substr(name_end + 1));
  std::vector<std::uint64_t> fields;
  for (std::string field; rest >> field;)
    fields.push_back(std::strtoull(field.c_str(), nullptr, 10));
  return fields;
}

// "Name:   123 kB" in /proc/meminfo and its like.
std::uint64_t kib_field(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + ":");
  if (at == text.npos) return 0;
  return std::strtoull(text.c_str() + at + name.size() + 2, nullptr, 10);
}

const double kTicksPerSecond = static_cast<double>(sysconf(_SC_CLK_TCK));

}  // namespace

std::vector<int> process_tree(int pid) {
  std::vector<int> tree{pid};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const int parent = tree[i];
    for (const int thread : entries(proc(parent, "task"))) {
      std::istringstream children(
          read_file(proc(parent, "task/" + std::to_string(thread) + "/children")));
      for (int child; children >> child;) tree.push_back(child);
    }
  }
  return tree;
}

CpuReading CpuReading::of(int root_pid) {
  return of(process_tree(root_pid));
}

CpuReading CpuReading::of(const std::vector<int>& pids) {
  // utime is field 14 of the whole line, so 11 after the name.
  constexpr std::size_t kUser = 11, kSystem = 12, kEndedUser = 13, kEndedSystem = 14;
  CpuReading reading;
  for (const int pid : pids) {
    const auto fields = stat_fields(pid);
    if (fields.size() <= kEndedSystem) continue;
    Process& process = reading.processes_[pid];
    process.user_ticks = fields[kUser];
    process.system_ticks = fields[kSystem];
    process.ended_user_ticks = fields[kEndedUser];
    process.ended_system_ticks = fields[kEndedSystem];
    for (const int thread : entries(proc(pid, "task"))) {
      process.threads += static_cast<std::uint64_t>(thread);
      process.run_ns += std::strtoull(
          read_file(proc(pid, "task/" + std::to_string(thread) + "/schedstat")).c_str(), nullptr,
          10);
    }
  }
  return reading;
}

CpuTime CpuReading::since(const CpuReading& earlier) const {
  CpuTime spent;
  for (const auto& [pid, now] : processes_) {
    const auto found = earlier.processes_.find(pid);
    const bool known = found != earlier.processes_.end();
    const Process before = known ? found->second : Process{};
    double user = static_cast<double>(now.user_ticks - before.user_ticks) / kTicksPerSecond;
    double system = static_cast<double>(now.system_ticks - before.system_ticks) / kTicksPerSecond;
    if (known && now.threads == before.threads && now.run_ns > 0) {
      const double exact = static_cast<double>(now.run_ns - before.run_ns) / 1e9;
      const double user_share = user + system > 0 ? user / (user + system) : 0;
      user = exact * user_share;
      system = exact - user;
    }
    spent.user_seconds += user;
    spent.system_seconds += system;
    spent.user_seconds +=
        static_cast<double>(now.ended_user_ticks - before.ended_user_ticks) / kTicksPerSecond;
    spent.system_seconds +=
        static_cast<double>(now.ended_system_ticks - before.ended_system_ticks) / kTicksPerSecond;
  }
  return spent;
}

std::uint64_t pss_bytes(const std::vector<int>& pids) {
  std::uint64_t kib = 0;
  for (const int pid : pids) kib += kib_field(read_file(proc(pid, "smaps_rollup")), "Pss");
  return kib * 1024;
}

std::uint64_t kernel_bytes() {
  const std::string meminfo = "\n" + read_file("/proc/meminfo");
  const std::uint64_t kib = kib_field(meminfo, "Slab") + kib_field(meminfo, "PageTables") +
                            kib_field(meminfo, "KernelStack") + kib_field(meminfo, "Percpu");
  const std::string sockets = read_file("/proc/net/sockstat");
  std::uint64_t pages = 0;
  if (const std::size_t tcp = sockets.find("TCP:"); tcp != sockets.npos)
    if (const std::size_t mem = sockets.find(" mem ", tcp); mem != sockets.npos)
      pages = std::strtoull(sockets.c_str() + mem + 5, nullptr, 10);
  return kib * 1024 + pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

CoreTime core_time(int cpu) {
  const std::string text = read_file("/proc/stat");
  const std::size_t at = text.find("\ncpu" + std::to_string(cpu) + " ");
  if (at == text.npos) return {};
  std::istringstream line(text.substr(at + 1, text.find('\n', at + 1) - at - 1));
  std::string name;
  line >> name;
  // user nice system idle iowait irq softirq steal; guest time is part of user time.
  std::uint64_t ticks[8] = {}, all = 0;
  for (std::uint64_t& field : ticks) {
    line >> field;
    all += field;
  }
  const double all_seconds = static_cast<double>(all) / kTicksPerSecond;
  return {all_seconds - static_cast<double>(ticks[3] + ticks[4]) / kTicksPerSecond, all_seconds};
}

}  // namespace spate::bench
