// The real calls are core/sys.cc itself, compiled a second time into a namespace of another name
// (-Dsys=real_sys), so that what is tested here is what ships.
#include "tests/core/faulty_sys.h"

#include <algorithm>

#include "core/sys.h"

namespace spate::core::real_sys {

// The types are sys.h's own: a declaration that drifts apart does not compile.
extern decltype(sys::socket) socket;
extern decltype(sys::bind) bind;
extern decltype(sys::listen) listen;
extern decltype(sys::connect) connect;
extern decltype(sys::accept) accept;
extern decltype(sys::recv) recv;
extern decltype(sys::send) send;
extern decltype(sys::sendmsg) sendmsg;
extern decltype(sys::shutdown) shutdown;
extern decltype(sys::setsockopt) setsockopt;
extern decltype(sys::getsockopt) getsockopt;
extern decltype(sys::getsockname) getsockname;
extern decltype(sys::getpeername) getpeername;
extern decltype(sys::descriptor_limit) descriptor_limit;
extern decltype(sys::read) read;
extern decltype(sys::write) write;
extern decltype(sys::close) close;
extern decltype(sys::open_null) open_null;
extern decltype(sys::open_reader) open_reader;
extern decltype(sys::file_type) file_type;
extern decltype(sys::reopen_writer) reopen_writer;
extern decltype(sys::await_writable) await_writable;
extern decltype(sys::epoll_create) epoll_create;
extern decltype(sys::epoll_ctl) epoll_ctl;
extern decltype(sys::epoll_wait) epoll_wait;
extern decltype(sys::fork) fork;
[[noreturn]] extern decltype(sys::exit_now) exit_now;
extern decltype(sys::getpid) getpid;
extern decltype(sys::cpu_count) cpu_count;
extern decltype(sys::parent_pid) parent_pid;
extern decltype(sys::kill) kill;
extern decltype(sys::reap) reap;
extern decltype(sys::pipe) pipe;
extern decltype(sys::event_fd) event_fd;
extern decltype(sys::set_affinity) set_affinity;
extern decltype(sys::become_user) become_user;
extern decltype(sys::poll_readable) poll_readable;
extern decltype(sys::create_file) create_file;
extern decltype(sys::unlink) unlink;
extern decltype(sys::lock_file) lock_file;
extern decltype(sys::set_umask) set_umask;
extern decltype(sys::file_identity) file_identity;
extern decltype(sys::signal_fd) signal_fd;
extern decltype(sys::read_signal) read_signal;
extern decltype(sys::hold_signal) hold_signal;
extern decltype(sys::ignore_by_default) ignore_by_default;
extern decltype(sys::memfd_create) memfd_create;
extern decltype(sys::ftruncate) ftruncate;
extern decltype(sys::punch_hole) punch_hole;
extern decltype(sys::reserve) reserve;
extern decltype(sys::map_shared) map_shared;
extern decltype(sys::map_anonymous) map_anonymous;
extern decltype(sys::unmap) unmap;
extern decltype(sys::monotonic_ns) monotonic_ns;
extern decltype(sys::wall_seconds) wall_seconds;
extern decltype(sys::random) random;
extern decltype(sys::wall_ms) wall_ms;
extern decltype(sys::host_name) host_name;

}  // namespace spate::core::real_sys

namespace spate::test {

SysFaults& sys_faults() {
  static SysFaults faults;
  return faults;
}

void SysFaults::reset(std::uint64_t seed) {
  states_ = {};
  random_ = Random(seed);
  injected_ = 0;
  clock_offset_ns_ = 0;
}

void SysFaults::rate(Call call, int error, unsigned per_mille) {
  state(call).rates.push_back({error, per_mille});
}
void SysFaults::shorten(Call call, unsigned per_mille) {
  state(call).shorten_per_mille = per_mille;
}
void SysFaults::fail(Call call, std::uint64_t number, int error) {
  state(call).planned.push_back({state(call).made + number, error});
}
void SysFaults::shorten_at(Call call, std::uint64_t number) {
  fail(call, number, 0);
}

int SysFaults::before(Call call) {
  State& of_call = state(call);
  const std::uint64_t number = of_call.made++;
  for (const Planned& planned : of_call.planned) {
    if (planned.number != number || planned.error == 0) continue;
    ++injected_;
    return planned.error;
  }
  for (const Rate& rate : of_call.rates) {
    if (!random_.chance(rate.per_mille)) continue;
    ++injected_;
    return rate.error;
  }
  return 0;
}

std::size_t SysFaults::allowance(Call call, std::size_t bytes) {
  const State& of_call = state(call);
  if (bytes <= 1) return bytes;
  for (const Planned& planned : of_call.planned) {
    if (planned.number + 1 != of_call.made || planned.error != 0) continue;
    ++injected_;
    return 1;
  }
  if (of_call.shorten_per_mille == 0 || !random_.chance(of_call.shorten_per_mille)) return bytes;
  ++injected_;
  return random_.between(1, bytes - 1);
}

}  // namespace spate::test

namespace spate::core::sys {

using test::Call;
using test::sys_faults;

namespace {

// The call, unless it is to fail.
template <typename Function, typename... Args>
auto call(Call kind, Function* real, Args... args) -> decltype(real(args...)) {
  if (const int error = sys_faults().before(kind); error != 0) return -error;
  return real(args...);
}

}  // namespace

int socket(int family, int type, int protocol) {
  return call(Call::socket, real_sys::socket, family, type, protocol);
}
int bind(int fd, const sockaddr* address, socklen_t bytes) {
  return call(Call::bind, real_sys::bind, fd, address, bytes);
}
int listen(int fd, int backlog) {
  return call(Call::listen, real_sys::listen, fd, backlog);
}
int connect(int fd, const sockaddr* address, socklen_t bytes) {
  return call(Call::connect, real_sys::connect, fd, address, bytes);
}
int accept(int fd, sockaddr_storage* peer, socklen_t* bytes) {
  return call(Call::accept, real_sys::accept, fd, peer, bytes);
}
ssize_t recv(int fd, std::byte* to, std::size_t bytes) {
  if (const int error = sys_faults().before(Call::recv); error != 0) return -error;
  return real_sys::recv(fd, to, sys_faults().allowance(Call::recv, bytes));
}
ssize_t send(int fd, const std::byte* from, std::size_t bytes) {
  if (const int error = sys_faults().before(Call::send); error != 0) return -error;
  return real_sys::send(fd, from, sys_faults().allowance(Call::send, bytes));
}
ssize_t sendmsg(int fd, std::span<const iovec> pieces) {
  if (const int error = sys_faults().before(Call::sendmsg); error != 0) return -error;
  std::size_t bytes = 0;
  for (const iovec& piece : pieces) bytes += piece.iov_len;
  std::size_t left = sys_faults().allowance(Call::sendmsg, bytes);
  std::vector<iovec> part;
  for (const iovec& piece : pieces) {
    if (left == 0) break;
    part.push_back({piece.iov_base, std::min(left, piece.iov_len)});
    left -= part.back().iov_len;
  }
  return real_sys::sendmsg(fd, part);
}
int shutdown(int fd, int how) {
  return call(Call::shutdown, real_sys::shutdown, fd, how);
}
int setsockopt(int fd, int level, int name, int value) {
  return call(Call::setsockopt, real_sys::setsockopt, fd, level, name, value);
}
int getsockopt(int fd, int level, int name, int* value) {
  return call(Call::getsockopt, real_sys::getsockopt, fd, level, name, value);
}
int getsockname(int fd, sockaddr_storage* address, socklen_t* bytes) {
  return call(Call::getsockname, real_sys::getsockname, fd, address, bytes);
}
int getpeername(int fd, sockaddr_storage* address, socklen_t* bytes) {
  return call(Call::getpeername, real_sys::getpeername, fd, address, bytes);
}

std::uint64_t descriptor_limit() {
  (void)sys_faults().before(Call::descriptor_limit);
  return real_sys::descriptor_limit();
}
ssize_t read(int fd, void* to, std::size_t bytes) {
  return call(Call::read, real_sys::read, fd, to, bytes);
}
ssize_t write(int fd, const void* from, std::size_t bytes) {
  return call(Call::write, real_sys::write, fd, from, bytes);
}
int close(int fd) {
  (void)sys_faults().before(Call::close);  // a close that fails has closed all the same
  return real_sys::close(fd);
}
int open_null() {
  return call(Call::open_null, real_sys::open_null);
}
int open_reader(const char* path) {
  return call(Call::open_reader, real_sys::open_reader, path);
}
int file_type(int fd) {
  return call(Call::file_type, real_sys::file_type, fd);
}
int reopen_writer(int fd) {
  return call(Call::reopen_writer, real_sys::reopen_writer, fd);
}
bool await_writable(int fd, std::int64_t timeout_ms) {
  if (sys_faults().before(Call::await_writable) != 0) return false;
  return real_sys::await_writable(fd, timeout_ms);
}

int epoll_create() {
  return call(Call::epoll_create, real_sys::epoll_create);
}
int epoll_ctl(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t data) {
  return call(Call::epoll_ctl, real_sys::epoll_ctl, epoll, operation, fd, events, data);
}
int epoll_wait(int epoll, std::span<epoll_event> events, std::int64_t timeout_ns) {
  sys_faults().waited(timeout_ns);
  return call(Call::epoll_wait, real_sys::epoll_wait, epoll, events, timeout_ns);
}

int fork() {
  return call(Call::fork, real_sys::fork);
}
void exit_now(int code) {
  real_sys::exit_now(code);
}
int getpid() {
  return call(Call::getpid, real_sys::getpid);
}
std::uint32_t cpu_count() {
  (void)sys_faults().before(Call::cpu_count);
  return real_sys::cpu_count();
}
int parent_pid() {
  return call(Call::parent_pid, real_sys::parent_pid);
}
int kill(int pid, int signal) {
  return call(Call::kill, real_sys::kill, pid, signal);
}
int reap(int* status) {
  return call(Call::reap, real_sys::reap, status);
}
int pipe(int* read_end, int* write_end) {
  return call(Call::pipe, real_sys::pipe, read_end, write_end);
}
int event_fd() {
  return call(Call::event_fd, real_sys::event_fd);
}
int set_affinity(int cpu) {
  return call(Call::set_affinity, real_sys::set_affinity, cpu);
}
int become_user(const char* name) {
  return call(Call::become_user, real_sys::become_user, name);
}
int poll_readable(int fd) {
  return call(Call::poll_readable, real_sys::poll_readable, fd);
}
int create_file(const char* path, bool exclusive) {
  return call(Call::create_file, real_sys::create_file, path, exclusive);
}
int unlink(const char* path) {
  return call(Call::unlink, real_sys::unlink, path);
}
int lock_file(int fd) {
  return call(Call::lock_file, real_sys::lock_file, fd);
}
unsigned set_umask(unsigned mask) {
  (void)sys_faults().before(Call::set_umask);
  return real_sys::set_umask(mask);
}
int file_identity(const char* path, FileIdentity* out) {
  return call(Call::file_identity, real_sys::file_identity, path, out);
}

int signal_fd(std::initializer_list<int> signals) {
  return call(Call::signal_fd, real_sys::signal_fd, signals);
}
int read_signal(int fd) {
  return call(Call::read_signal, real_sys::read_signal, fd);
}
void hold_signal(int signal) {
  real_sys::hold_signal(signal);
}
void ignore_by_default(int signal) {
  (void)sys_faults().before(Call::ignore_by_default);
  real_sys::ignore_by_default(signal);
}

int memfd_create(const char* name) {
  return call(Call::memfd_create, real_sys::memfd_create, name);
}
int ftruncate(int fd, std::uint64_t bytes) {
  return call(Call::ftruncate, real_sys::ftruncate, fd, bytes);
}
int punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) {
  return call(Call::punch_hole, real_sys::punch_hole, fd, offset, bytes);
}
std::byte* reserve(std::size_t bytes) {
  if (sys_faults().before(Call::reserve) != 0) return nullptr;
  std::byte* const at = real_sys::reserve(bytes);
  if (at != nullptr) sys_faults().mapped(static_cast<std::int64_t>(bytes));
  return at;
}
bool map_shared(std::byte* at, std::size_t bytes, int fd, std::uint64_t offset, bool writable) {
  if (sys_faults().before(Call::map_shared) != 0) return false;
  return real_sys::map_shared(at, bytes, fd, offset, writable);
}
std::byte* map_anonymous(std::size_t bytes) {
  if (sys_faults().before(Call::map_anonymous) != 0) return nullptr;
  std::byte* const at = real_sys::map_anonymous(bytes);
  if (at != nullptr) sys_faults().mapped(static_cast<std::int64_t>(bytes));
  return at;
}
void unmap(std::byte* at, std::size_t bytes) {
  (void)sys_faults().before(Call::unmap);
  sys_faults().mapped(-static_cast<std::int64_t>(bytes));
  real_sys::unmap(at, bytes);
}

std::int64_t monotonic_ns() {
  (void)sys_faults().before(Call::monotonic_ns);
  return real_sys::monotonic_ns() + sys_faults().clock_offset_ns();
}
std::int64_t wall_seconds() {
  return real_sys::wall_seconds();
}
void sleep(std::int64_t ns) {
  (void)sys_faults().before(Call::sleep);
  sys_faults().move_clock(ns);
}

std::string host_name() {
  return real_sys::host_name();
}
std::int64_t wall_ms() {
  return real_sys::wall_ms();
}
void random(Bytes to) {
  real_sys::random(to);
}

}  // namespace spate::core::sys
