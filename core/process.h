// Small things a process does once: its title, its build id, its pid file.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace spate::core {

// Lets set_process_title() write over the memory of the arguments. Call first in main; argv's
// strings are copied, and the copies stay.
void prepare_process_title(int argc, char** argv);
// What ps and top show: "spate: worker 3". Cut where there is no room.
void set_process_title(std::string_view title);

// The linker's build id of this program, in hexadecimal; empty when it was linked without one.
std::string build_id();

// Holds `path` with this process's id while it lives. A file that names a living process is
// refused: two masters would fight over it.
class PidFile {
 public:
  PidFile() = default;
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

  Result<bool> write(const std::string& path);
  // Removes it if it still names `pid`: for the workers of a master that was killed.
  static void remove_if_of(const std::string& path, int pid);

 private:
  std::string path_;
};

}  // namespace spate::core
