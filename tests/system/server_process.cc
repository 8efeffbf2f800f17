// Output goes into memfds, not pipes: a pipe that nobody drains would fill up and change what is
// tested, and draining one needs a thread.
#include "tests/system/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/base.h"
#include "tests/system/test_certificate.h"

namespace spate::tests {
namespace {

// Files have no readiness to poll for: how often output is looked at while something is waited for.
constexpr auto kLookAgain = std::chrono::milliseconds(1);

std::string binary_path() {
  const char* from_environment = std::getenv("SPATE_BINARY");
  return from_environment != nullptr ? from_environment : SPATE_BINARY_PATH;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(const Launch& launch) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    // A developer's own SPATE_… settings must not leak into the server under test.
    if (std::string_view(*entry).starts_with("SPATE_")) continue;
    out.emplace_back(*entry);
  }
  for (const auto& [name, value] : launch.environment) out.push_back(name + "=" + value);
  return out;
}

// In the child, between fork and exec.
[[noreturn]] void become(const Launch& launch, char* const* arguments, char* const* environment,
                         int stdout_fd, int stderr_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(stdout_fd, STDOUT_FILENO);
  ::dup2(stderr_fd, STDERR_FILENO);
  if (launch.max_open_files > 0) {
    const rlimit limit{launch.max_open_files, launch.max_open_files};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ::execve(arguments[0], arguments, environment);
  const char* reason = std::strerror(errno);
  const auto written [[maybe_unused]] = ::write(STDERR_FILENO, reason, std::strlen(reason));
  ::_exit(127);
}

}  // namespace

std::string describe(const Exit& exit) {
  if (exit.exited) return "exit status " + std::to_string(exit.status);
  if (exit.signal != 0) return std::string("ended by SIG") + ::sigabbrev_np(exit.signal);
  return "still running";
}

ServerProcess::ServerProcess(const Launch& launch) : tls_(launch.tls) {
  std::vector<std::string> arguments{launch.program.empty() ? binary_path() : launch.program};
  arguments.insert(arguments.end(), launch.flags.begin(), launch.flags.end());
  std::vector<std::string> environment = environment_with(launch);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  stdout_fd_ = ::memfd_create("stdout", MFD_CLOEXEC);
  stderr_fd_ = ::memfd_create("stderr", MFD_CLOEXEC);
  SPATE_CHECK(stdout_fd_ >= 0 && stderr_fd_ >= 0);
  pid_ = ::fork();
  SPATE_CHECK(pid_ >= 0);
  if (pid_ == 0) become(launch, argv.data(), envp.data(), stdout_fd_, stderr_fd_);
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  SPATE_CHECK(pid_fd_ >= 0);
}

ServerProcess::~ServerProcess() {
  if (running()) {
    signal(SIGKILL);
    wait_exit(within(std::chrono::seconds(10)));
  }
  ::close(pid_fd_);
  ::close(stdout_fd_);
  ::close(stderr_fd_);
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::unique_ptr<ServerProcess> ServerProcess::start(Launch launch, std::string* why,
                                                    Deadline deadline) {
  std::string folder = std::filesystem::temp_directory_path() / "spate-unix-XXXXXX";
  std::string listen = launch.tls ? "tls:127.0.0.1:0" : "127.0.0.1:0";
  if (launch.unix_domain) {
    SPATE_CHECK(!launch.tls && ::mkdtemp(folder.data()) != nullptr);
    listen = "unix:" + folder + "/spate.sock";
  }
  launch.flags.insert(launch.flags.begin(),
                      {"--listen", listen, "--internal-listen", "127.0.0.1:0"});
  static const TestCertificate certificate;
  if (launch.tls)
    launch.flags.insert(launch.flags.end(),
                        {"--tls-cert", certificate.certificate(), "--tls-key", certificate.key()});
  auto server = std::make_unique<ServerProcess>(launch);
  if (launch.unix_domain) {
    server->folder_ = folder;
    server->path_ = folder + "/spate.sock";
  }
  if (server->wait_until_listening(deadline)) return server;
  if (why != nullptr) {
    *why = "not listening: " + describe(server->wait_exit(Clock::now())) + "\n" + server->output();
  }
  return nullptr;
}

bool ServerProcess::wait_until_listening(Deadline deadline) {
  if (!path_.empty()) return wait_for_output("listening on unix:" + path_, deadline);
  const std::string words = tls_ ? "listening on tls:127.0.0.1:" : "listening on 127.0.0.1:";
  if (!wait_for_output(words, deadline)) return false;
  const std::string all = output();
  const char* digits = all.data() + all.find(words) + words.size();
  return std::from_chars(digits, all.data() + all.size(), port_).ec == std::errc() && port_ != 0;
}

bool ServerProcess::wait_for_output(const std::string& text, Deadline deadline) {
  for (;;) {
    const bool ended = !running();
    // A line is whole once its newline is there: a port number may arrive in two writes.
    const std::string all = output();
    const std::size_t at = all.find(text);
    if (at != std::string::npos && (ended || all.find('\n', at) != std::string::npos)) return true;
    if (ended || Clock::now() >= deadline) return false;
    wait_exit(std::min(deadline, within(kLookAgain)));
  }
}

std::string ServerProcess::read_all(int fd) {
  std::string out;
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  while ((n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(out.size()))) > 0) {
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return out;
}

bool ServerProcess::running() {
  wait_exit(Clock::now());
  return !reaped_;
}

void ServerProcess::signal(int number) {
  if (running()) ::kill(pid_, number);
}

Exit ServerProcess::wait_exit(Deadline deadline) {
  while (!reaped_) {
    pollfd entry{pid_fd_, POLLIN, 0};
    const int n = ::poll(&entry, 1, poll_timeout_ms(deadline));
    if (n == 0) break;
    if (n < 0) continue;
    int status = 0;
    SPATE_CHECK(::waitpid(pid_, &status, 0) == pid_);
    reaped_ = true;
    if (WIFEXITED(status)) exit_ = {true, WEXITSTATUS(status), 0};
    if (WIFSIGNALED(status)) exit_ = {false, -1, WTERMSIG(status)};
  }
  return exit_;
}

Exit ServerProcess::stop(Deadline deadline) {
  signal(SIGTERM);
  wait_exit(deadline);
  if (!reaped_) {
    signal(SIGKILL);
    wait_exit(within(std::chrono::seconds(10)));
  }
  return exit_;
}

RunResult run_binary(const Launch& launch, Deadline deadline) {
  ServerProcess process(launch);
  const Exit exit = process.wait_exit(deadline);
  return {exit, process.standard_output(), process.standard_error()};
}

}  // namespace spate::tests
