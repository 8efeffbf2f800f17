#include "tests/system/process_facts.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

namespace spate::tests {
namespace {

std::string contents(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The sum of these lines over the whole tree.
std::size_t rollup_bytes(pid_t root, std::initializer_list<std::string_view> names) {
  std::size_t kib = 0;
  for (const pid_t pid : process_tree(root)) {
    std::istringstream lines(contents(pid, "smaps_rollup"));
    for (std::string word; lines >> word;) {
      std::size_t value = 0;
      if (std::ranges::find(names, word) != names.end() && lines >> value) kib += value;
    }
  }
  return kib * 1024;
}

}  // namespace

std::vector<pid_t> process_tree(pid_t root) {
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    std::istringstream children(contents(tree[i], "task/" + std::to_string(tree[i]) + "/children"));
    for (pid_t child; children >> child;) tree.push_back(child);
  }
  return tree;
}

std::string command_line(pid_t pid) {
  return contents(pid, "cmdline");
}

double cpu_seconds(pid_t root) {
  double ticks = 0;
  for (const pid_t pid : process_tree(root)) {
    const std::string stat = contents(pid, "stat");
    // The second field, the name, may hold spaces and parentheses itself.
    std::istringstream fields(stat.substr(stat.rfind(')') + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    ticks += user + system;
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::size_t owned_bytes(pid_t root) {
  return rollup_bytes(root, {"Pss_Anon:", "Pss_Shmem:"});
}

std::size_t heap_bytes(pid_t root) {
  return rollup_bytes(root, {"Pss_Anon:"});
}

bool raise_descriptors(std::size_t needed) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < needed) {
    std::printf("a process may have %llu descriptors here, %zu are needed\n",
                static_cast<unsigned long long>(limit.rlim_max), needed);
    return false;
  }
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return true;
}

std::size_t open_descriptors(pid_t pid) {
  std::error_code error;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator entry("/proc/" + std::to_string(pid) + "/fd", error),
       end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  return count;
}

std::vector<int> options_of_connections(pid_t root, int level, int name) {
  std::vector<int> values;
  for (const pid_t pid : process_tree(root)) {
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
      const int fd = static_cast<int>(
          ::syscall(SYS_pidfd_getfd, process, std::stoi(entry.path().filename()), 0));
      sockaddr_storage peer;
      socklen_t bytes = sizeof peer;
      int value = 0;
      if (fd >= 0 && ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &bytes) == 0 &&
          (peer.ss_family == AF_INET || peer.ss_family == AF_INET6) &&
          ::getsockopt(fd, level, name, &value, &(bytes = sizeof value)) == 0)
        values.push_back(value);
      if (fd >= 0) ::close(fd);
    }
    if (process >= 0) ::close(process);
  }
  return values;
}

}  // namespace spate::tests
