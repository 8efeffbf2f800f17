// What this process holds, as the kernel tells it: so that tests can see that nothing leaks.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace spate::test {

// Descriptors whose target's name contains `name` ("" for all), without the one that lists them.
inline std::vector<int> open_descriptors(std::string_view name = "") {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    if (error || target.find("/proc/") == 0 || target.find(name) == std::string::npos) continue;
    found.push_back(std::stoi(entry.path().filename().string()));
  }
  return found;
}

// Lines of /proc/self/maps that contain `name`.
inline std::size_t mappings(std::string_view name) {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);)
    if (line.find(name) != std::string::npos) ++count;
  return count;
}

// Memory that a file in memory holds, and its length.
struct FileBytes {
  std::uint64_t resident = 0;
  std::uint64_t length = 0;
};
inline FileBytes file_bytes(const std::vector<int>& descriptors) {
  FileBytes sum;
  for (const int fd : descriptors) {
    struct stat file {};
    if (::fstat(fd, &file) != 0) continue;
    sum.resident += static_cast<std::uint64_t>(file.st_blocks) * 512;
    sum.length += static_cast<std::uint64_t>(file.st_size);
  }
  return sum;
}

}  // namespace spate::test
