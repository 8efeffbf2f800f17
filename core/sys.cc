#include "core/sys.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <string>

namespace spate::core::sys {

namespace {

template <typename T>
T result(T value) {
  return value >= 0 ? value : static_cast<T>(-errno);
}

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace

int socket(int family, int type, int protocol) {
  return result(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}
int bind(int fd, const sockaddr* address, socklen_t bytes) {
  return result(::bind(fd, address, bytes));
}
int listen(int fd, int backlog) {
  return result(::listen(fd, backlog));
}
int connect(int fd, const sockaddr* address, socklen_t bytes) {
  return result(::connect(fd, address, bytes));
}
int accept(int fd, sockaddr_storage* peer, socklen_t* bytes) {
  return result(
      ::accept4(fd, reinterpret_cast<sockaddr*>(peer), bytes, SOCK_NONBLOCK | SOCK_CLOEXEC));
}
ssize_t recv(int fd, std::byte* to, std::size_t bytes) {
  return result(::recv(fd, to, bytes, MSG_DONTWAIT));
}
ssize_t send(int fd, const std::byte* from, std::size_t bytes) {
  return result(::send(fd, from, bytes, MSG_NOSIGNAL | MSG_DONTWAIT));
}
ssize_t sendmsg(int fd, std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  return result(::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}
int shutdown(int fd, int how) {
  return result(::shutdown(fd, how));
}
int setsockopt(int fd, int level, int name, int value) {
  return result(::setsockopt(fd, level, name, &value, sizeof value));
}
int getsockopt(int fd, int level, int name, int* value) {
  socklen_t bytes = sizeof *value;
  return result(::getsockopt(fd, level, name, value, &bytes));
}
int getsockname(int fd, sockaddr_storage* address, socklen_t* bytes) {
  return result(::getsockname(fd, reinterpret_cast<sockaddr*>(address), bytes));
}
int getpeername(int fd, sockaddr_storage* address, socklen_t* bytes) {
  return result(::getpeername(fd, reinterpret_cast<sockaddr*>(address), bytes));
}

std::uint64_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}
ssize_t read(int fd, void* to, std::size_t bytes) {
  return result(::read(fd, to, bytes));
}
ssize_t write(int fd, const void* from, std::size_t bytes) {
  return result(::write(fd, from, bytes));
}
int close(int fd) {
  return result(::close(fd));
}
int open_null() {
  return result(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

int open_reader(const char* path) {
  return result(::open(path, O_RDONLY | O_CLOEXEC));
}
int file_type(int fd) {
  struct stat file {};
  return ::fstat(fd, &file) == 0 ? static_cast<int>(file.st_mode & S_IFMT) : -errno;
}
int reopen_writer(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return result(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}
bool await_writable(int fd, std::int64_t timeout_ms) {
  pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&entry, 1, static_cast<int>(timeout_ms)) == 1;
}

int epoll_create() {
  return result(::epoll_create1(EPOLL_CLOEXEC));
}
int epoll_ctl(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  return result(::epoll_ctl(epoll, operation, fd, &event));
}
int epoll_wait(int epoll, std::span<epoll_event> events, std::int64_t timeout_ns) {
  const auto capacity = static_cast<int>(events.size());
  // The plain call is the cheaper one where no timeout has to be copied in.
  if (timeout_ns <= 0)
    return result(::epoll_wait(epoll, events.data(), capacity, timeout_ns < 0 ? -1 : 0));
  timespec timeout{};
  timeout.tv_sec = timeout_ns / 1'000'000'000;
  timeout.tv_nsec = timeout_ns % 1'000'000'000;
  return result(::epoll_pwait2(epoll, events.data(), capacity, &timeout, nullptr));
}

int fork() {
  return result(static_cast<int>(::fork()));
}
void exit_now(int code) {
  ::_exit(code);
}
std::uint32_t cpu_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) < 0) return 1;
  return static_cast<std::uint32_t>(CPU_COUNT(&set));
}
int getpid() {
  return ::getpid();
}
std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}
int parent_pid() {
  return ::getppid();
}
int kill(int pid, int signal) {
  return result(::kill(pid, signal));
}
int reap(int* status) {
  return result(static_cast<int>(::waitpid(-1, status, WNOHANG)));
}
int pipe(int* read_end, int* write_end) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}
int event_fd() {
  return result(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}
int set_affinity(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return result(::sched_setaffinity(0, sizeof set, &set));
}
int become_user(const char* name) {
  const passwd* const user = ::getpwnam(name);
  if (user == nullptr) return -ENOENT;
  if (::initgroups(name, user->pw_gid) < 0 || ::setgid(user->pw_gid) < 0 ||
      ::setuid(user->pw_uid) < 0)
    return -errno;
  return 0;
}
int poll_readable(int fd) {
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return result(::poll(&entry, 1, 0));
}
int create_file(const char* path, bool exclusive) {
  const int how = O_WRONLY | O_CREAT | O_CLOEXEC | (exclusive ? O_EXCL : O_TRUNC);
  return result(::open(path, how, 0644));
}
int unlink(const char* path) {
  return result(::unlink(path));
}
int lock_file(int fd) {
  return result(::flock(fd, LOCK_EX | LOCK_NB));
}
unsigned set_umask(unsigned mask) {
  return ::umask(mask);
}
int file_identity(const char* path, FileIdentity* out) {
  struct stat file {};
  if (::lstat(path, &file) < 0) return -errno;
  *out = {.type = file.st_mode & S_IFMT, .device = file.st_dev, .inode = file.st_ino};
  return 0;
}

int signal_fd(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) return -error;
  return result(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}
int read_signal(int fd) {
  signalfd_siginfo info;
  const ssize_t bytes = ::read(fd, &info, sizeof info);
  return bytes == sizeof info ? static_cast<int>(info.ssi_signo) : -errno;
}

void hold_signal(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}
void ignore_by_default(int signal) {
  struct sigaction action {};
  if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_DFL)
    ::signal(signal, SIG_IGN);
}

int memfd_create(const char* name) {
  return result(::memfd_create(name, MFD_CLOEXEC));
}
int ftruncate(int fd, std::uint64_t bytes) {
  return result(::ftruncate(fd, static_cast<off_t>(bytes)));
}
int punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) {
  return result(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            static_cast<off_t>(offset), static_cast<off_t>(bytes)));
}
std::byte* reserve(std::size_t bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}
bool map_shared(std::byte* at, std::size_t bytes, int fd, std::uint64_t offset, bool writable) {
  void* mapped = ::mmap(at, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                        MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset));
  return mapped != MAP_FAILED;
}
std::byte* map_anonymous(std::size_t bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}
void unmap(std::byte* at, std::size_t bytes) {
  ::munmap(at, bytes);
}

std::int64_t monotonic_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}
std::int64_t wall_seconds() {
  return ::time(nullptr);
}
std::int64_t wall_ms() {
  return clock_ns(CLOCK_REALTIME) / 1'000'000;
}
void sleep(std::int64_t ns) {
  const timespec time{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  ::nanosleep(&time, nullptr);
}

// A request of up to 256 bytes is never cut short once the generator is ready, and it was before
// any of us began.
void random(Bytes to) {
  while (!to.empty()) {
    const ssize_t got = ::getrandom(to.data(), std::min<std::size_t>(to.size(), 256), 0);
    SPATE_CHECK(got > 0 || errno == EINTR);
    if (got > 0) to = to.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace spate::core::sys
