#include "core/process_usage.h"

#include <unistd.h>

#include <charconv>
#include <string>
#include <string_view>

#include "core/file.h"

namespace spate::core {

namespace {

// Fields of /proc/PID/stat, counted from 1 as proc(5) does.
constexpr int kUserTicks = 14;
constexpr int kSystemTicks = 15;
constexpr int kResidentPages = 24;
constexpr int kFirstAfterName = 3;
constexpr std::uint64_t kTickNs = 10'000'000;  // USER_HZ is 100 wherever Linux runs today

}  // namespace

ProcessUsage process_usage(int pid) {
  ProcessUsage usage;
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!text) return usage;
  // The second field is the name in parentheses, which may hold anything, spaces and parentheses
  // too.
  std::string_view rest = *text;
  const std::size_t name_end = rest.rfind(") ");
  if (name_end == std::string_view::npos) return usage;
  rest.remove_prefix(name_end + 2);
  for (int field = kFirstAfterName; field <= kResidentPages && !rest.empty(); ++field) {
    const std::size_t space = rest.find(' ');
    std::uint64_t number = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (field == kUserTicks || field == kSystemTicks) usage.cpu_ns += number * kTickNs;
    if (field == kResidentPages)
      usage.resident_bytes = number * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
  }
  return usage;
}

}  // namespace spate::core
