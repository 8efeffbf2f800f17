// Every system call that Spate makes, as thin as can be: arguments pass through, and failure comes
// back as a negative errno instead of through a global. Tests link another sys.cc in its place,
// which gives short reads and writes, EAGAIN, ECONNRESET, EMFILE and ENOMEM from a seed.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "core/base.h"

namespace spate::core {

// Which file something is.
struct FileIdentity {
  std::uint32_t type = 0;  // S_IFREG, S_IFSOCK …
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

}  // namespace spate::core

namespace spate::core::sys {

// Sockets. recv/send never raise SIGPIPE and never block (their sockets are non-blocking).
int socket(int family, int type, int protocol);
int bind(int fd, const sockaddr* address, socklen_t bytes);
int listen(int fd, int backlog);
int connect(int fd, const sockaddr* address, socklen_t bytes);
int accept(int fd, sockaddr_storage* peer, socklen_t* bytes);  // non-blocking, close-on-exec
ssize_t recv(int fd, std::byte* to, std::size_t bytes);
ssize_t send(int fd, const std::byte* from, std::size_t bytes);
ssize_t sendmsg(int fd, std::span<const iovec> pieces);
int shutdown(int fd, int how);
int setsockopt(int fd, int level, int name, int value);
int getsockopt(int fd, int level, int name, int* value);
int getsockname(int fd, sockaddr_storage* address, socklen_t* bytes);
int getpeername(int fd, sockaddr_storage* address, socklen_t* bytes);

// Any descriptor.
std::uint64_t descriptor_limit();  // how many this process may hold
ssize_t read(int fd, void* to, std::size_t bytes);
ssize_t write(int fd, const void* from, std::size_t bytes);
int close(int fd);
int open_null();  // a descriptor on /dev/null, close-on-exec
int open_reader(const char* path);
int file_type(int fd);      // S_IFREG, S_IFIFO, S_IFSOCK …
int reopen_writer(int fd);  // the same file through a description of its own, non-blocking
bool await_writable(int fd, std::int64_t timeout_ms);  // or in error, so that a write says which

// Readiness. A negative timeout waits for ever.
int epoll_create();
int epoll_ctl(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t data);
int epoll_wait(int epoll, std::span<epoll_event> events, std::int64_t timeout_ns);

// Processes.
int fork();
[[noreturn]] void exit_now(int code);  // without destructors or buffered output
int getpid();
std::uint32_t cpu_count();  // that this process may use
std::string host_name();    // empty when the kernel has none to tell
int parent_pid();
int kill(int pid, int signal);
// A child that has ended: its pid, and `status` as waitpid gives it; 0 when none has, or a negative
// errno.
int reap(int* status);
int pipe(int* read_end, int* write_end);  // close-on-exec, non-blocking
int event_fd();                           // close-on-exec, non-blocking
int set_affinity(int cpu);                // this process runs there alone
int become_user(const char* name);        // user and groups; -ENOENT: no such user
int poll_readable(int fd);                // 1 readable now, 0 not, or a negative errno
int create_file(const char* path, bool exclusive);
int unlink(const char* path);
int lock_file(int fd);              // alone, until `fd` is closed; -EAGAIN: another process has it
unsigned set_umask(unsigned mask);  // the one before

// Of the path itself: a link at its end is not followed. 0 or a negative errno.
int file_identity(const char* path, FileIdentity* out);

// Signals: blocks those given, and a descriptor that they are read from. read_signal: the next
// one's number, or a negative errno.
int signal_fd(std::initializer_list<int> signals);
int read_signal(int fd);
void hold_signal(int signal);        // it waits until somebody reads it, or ends the hold
void ignore_by_default(int signal);  // ignored from now on, unless somebody handles it

// Memory.
int memfd_create(const char* name);
int ftruncate(int fd, std::uint64_t bytes);
int punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes);
std::byte* reserve(std::size_t bytes);  // address space without memory; null on failure
bool map_shared(std::byte* at, std::size_t bytes, int fd, std::uint64_t offset,
                bool writable = true);
std::byte* map_anonymous(std::size_t bytes);  // zeroed; null on failure
void unmap(std::byte* at, std::size_t bytes);

// Clocks.
std::int64_t monotonic_ns();  // for deadlines
std::int64_t wall_seconds();  // since 1970, for what people and other machines read
std::int64_t wall_ms();
void sleep(std::int64_t ns);  // at the start only

// The kernel's generator: for ids that must not be guessed.
void random(Bytes to);

}  // namespace spate::core::sys
