#include "core/process.h"

#include <elf.h>
#include <link.h>
#include <sys/prctl.h>

#include <charconv>
#include <cstring>

#include "core/file.h"
#include "core/sys.h"

extern char** environ;

namespace spate::core {

namespace {

char* title_begin = nullptr;
std::size_t title_room = 0;

int process_of(const std::string& path) {
  const auto text = read_file(path, 64);
  int pid = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), pid);
  return pid;
}

}  // namespace

void prepare_process_title(int argc, char** argv) {
  if (argc < 1) return;
  // The kernel shows what lies between the first argument and the end of the last one (or, where
  // the environment follows it without a gap, the end of that).
  char* end = argv[0];
  const auto take = [&end](char** strings) {
    for (; *strings != nullptr; ++strings) {
      if (*strings == end) end += std::strlen(*strings) + 1;
      char* const copy = ::strdup(*strings);
      if (copy != nullptr) *strings = copy;
    }
  };
  char* const begin = argv[0];
  take(argv);
  take(environ);
  title_begin = begin;
  title_room = static_cast<std::size_t>(end - begin);
}

void set_process_title(std::string_view title) {
  // The short name, too: /proc/PID/comm, 15 characters.
  const std::string name(title.substr(0, 15));
  ::prctl(PR_SET_NAME, name.c_str());
  if (title_room < 2) return;
  const std::size_t bytes = std::min(title.size(), title_room - 1);
  std::memcpy(title_begin, title.data(), bytes);
  std::memset(title_begin + bytes, 0, title_room - bytes);
}

std::string build_id() {
  std::string id;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_NOTE) continue;
          const char* note =
              reinterpret_cast<const char*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
          const char* const end = note + info->dlpi_phdr[i].p_memsz;
          while (note + sizeof(ElfW(Nhdr)) <= end) {
            const auto* header = reinterpret_cast<const ElfW(Nhdr)*>(note);
            const char* const name = note + sizeof *header;
            const char* const description = name + ((header->n_namesz + 3u) & ~3u);
            if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 &&
                std::memcmp(name, "GNU", 4) == 0) {
              constexpr const char* kDigits = "0123456789abcdef";
              for (unsigned b = 0; b < header->n_descsz; ++b) {
                const auto byte = static_cast<unsigned char>(description[b]);
                *static_cast<std::string*>(out) += {kDigits[byte >> 4], kDigits[byte & 15]};
              }
              return 1;
            }
            note = description + ((header->n_descsz + 3u) & ~3u);
          }
        }
        return 1;  // the first object is the program itself
      },
      &id);
  return id;
}

PidFile::~PidFile() {
  if (!path_.empty()) remove_if_of(path_, sys::getpid());
}

Result<bool> PidFile::write(const std::string& path) {
  const int holder = process_of(path);
  if (holder > 0 && holder != sys::getpid() && sys::kill(holder, 0) != -ESRCH)
    return Failure{path + " names the running process " + std::to_string(holder) +
                   ": stop it, or use another file"};
  const int fd = sys::create_file(path.c_str(), false);
  if (fd < 0) return Failure{"cannot write " + path + ": " + std::strerror(-fd)};
  const std::string text = std::to_string(sys::getpid()) + "\n";
  const ssize_t written = sys::write(fd, text.data(), text.size());
  sys::close(fd);
  if (written != static_cast<ssize_t>(text.size()))
    return Failure{"cannot write " + path + ": " +
                   std::strerror(written < 0 ? static_cast<int>(-written) : ENOSPC)};
  path_ = path;
  return true;
}

void PidFile::remove_if_of(const std::string& path, int pid) {
  if (!path.empty() && process_of(path) == pid) (void)sys::unlink(path.c_str());
}

}  // namespace spate::core
