#include "core/file.h"

#include <cerrno>
#include <cstring>

#include "core/sys.h"

namespace spate::core {

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const int fd = sys::open_reader(path.c_str());
  if (fd < 0) return Failure{std::string(std::strerror(-fd))};
  std::string text;
  char block[4096];
  ssize_t bytes = 0;
  do {
    bytes = sys::read(fd, block, sizeof block);
    if (bytes > 0) text.append(block, static_cast<std::size_t>(bytes));
  } while ((bytes > 0 && text.size() <= max_bytes) || bytes == -EINTR);
  sys::close(fd);
  if (bytes < 0) return Failure{std::string(std::strerror(static_cast<int>(-bytes)))};
  if (text.size() > max_bytes)
    return Failure{"larger than " + std::to_string(max_bytes) + " bytes"};
  return text;
}

}  // namespace spate::core
