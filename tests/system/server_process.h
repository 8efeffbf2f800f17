// The real binary, as a child process: started with flags on a free port, waited for, listened to,
// stopped. It is build/spate, or what SPATE_BINARY names. Only the process started here is ever
// signalled. It dies with the thread that started it, so a crashed test leaves no server behind.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/stream.h"

namespace spate::tests {

struct Exit {
  bool exited = false;  // else it was ended by `signal`, or is still running (signal 0)
  int status = -1;
  int signal = 0;
};

std::string describe(const Exit& exit);

struct Launch {
  std::vector<std::string> flags = {};
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to ours
  std::uint64_t max_open_files = 0;                                   // RLIMIT_NOFILE; 0 = ours
  std::string program = {};  // another one, by its path, that stays in the foreground
  bool tls = false;          // start() listens with TLS and a certificate made for it
  bool unix_domain = false;  // start() listens at a path in a folder made for it
};

class ServerProcess {
 public:
  explicit ServerProcess(const Launch& launch);
  // SIGKILL, if it is still there.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // A server on a port that the kernel chose (or a path), ready for connections. Null when it was
  // not ready by the deadline; *why then holds its output.
  static std::unique_ptr<ServerProcess> start(Launch launch, std::string* why = nullptr,
                                              Deadline deadline = within(std::chrono::seconds(10)));

  // Waits for "listening on 127.0.0.1:PORT" in the output and takes port() from it, or for
  // "listening on unix:". False at the deadline or when the process has ended without saying so.
  bool wait_until_listening(Deadline deadline);
  // Waits until stdout or stderr contains `text`; false at the deadline or the end of the process.
  bool wait_for_output(const std::string& text, Deadline deadline);

  std::string standard_output() const { return read_all(stdout_fd_); }
  std::string standard_error() const { return read_all(stderr_fd_); }
  std::string output() const { return standard_output() + standard_error(); }

  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }
  const std::string& path() const { return path_; }  // empty: it listens at a port
  Endpoint endpoint(TcpOptions options = {}) const {
    if (!path_.empty()) return unix_endpoint(path_, options);
    return tls_ ? tls_endpoint(port_, options) : tcp_endpoint(port_, options);
  }

  bool running();
  void signal(int number);
  // How it ended; running still if the deadline passed first.
  Exit wait_exit(Deadline deadline);
  // SIGTERM, then SIGKILL at the deadline.
  Exit stop(Deadline deadline = within(std::chrono::seconds(5)));

 private:
  static std::string read_all(int fd);

  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int stdout_fd_ = -1;
  int stderr_fd_ = -1;
  std::uint16_t port_ = 0;
  const bool tls_;
  std::string folder_;
  std::string path_;
  bool reaped_ = false;
  Exit exit_;
};

// Runs the binary to its end: its exit and output. For --version, --check and refusals to start.
struct RunResult {
  Exit exit;
  std::string standard_output;
  std::string standard_error;
};
RunResult run_binary(const Launch& launch, Deadline deadline = within(std::chrono::seconds(10)));

}  // namespace spate::tests
