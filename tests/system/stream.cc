#include "tests/system/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace spate::tests {
namespace {

class TcpStream final : public Stream {
 public:
  explicit TcpStream(int fd) : fd_(fd) {}
  ~TcpStream() override {
    if (fd_ >= 0) ::close(fd_);
  }

  Moved read_some(std::span<char> into) override {
    const ssize_t n = ::recv(fd_, into.data(), into.size(), 0);
    if (n > 0) return {Moved::Status::moved, static_cast<std::size_t>(n)};
    if (n == 0) return {Moved::Status::end};
    if (errno == EAGAIN || errno == EINTR) return {Moved::Status::would_block};
    return {Moved::Status::reset};
  }

  Moved write_some(std::string_view bytes) override {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) return {Moved::Status::moved, static_cast<std::size_t>(n)};
    if (errno == EAGAIN || errno == EINTR) return {Moved::Status::would_block};
    return {Moved::Status::reset};
  }

  bool wait(bool to_read, bool to_write, Deadline deadline) override {
    pollfd entry{fd_, static_cast<short>((to_read ? POLLIN : 0) | (to_write ? POLLOUT : 0)), 0};
    for (;;) {
      const int n = ::poll(&entry, 1, poll_timeout_ms(deadline));
      if (n > 0) return true;
      if (n == 0) return false;
      if (errno != EINTR) return false;
    }
  }

  void shutdown_write() override { ::shutdown(fd_, SHUT_WR); }

  void reset() override {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// The socket connected, or -1: refused, or the deadline passed.
int connect_by(const sockaddr_in& address, const TcpOptions& options, Deadline deadline) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const auto set = [fd](int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  // Before connect(): the window scale is agreed on in the SYN.
  if (options.receive_buffer_bytes > 0) set(SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  if (options.send_buffer_bytes > 0) set(SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  pollfd entry{fd, POLLOUT, 0};
  int error = errno;
  if (error == EINPROGRESS && ::poll(&entry, 1, poll_timeout_ms(deadline)) == 1) {
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return fd;
  }
  ::close(fd);
  return -1;
}

}  // namespace

int poll_timeout_ms(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

Endpoint tcp_endpoint(std::uint16_t port, TcpOptions options) {
  return {"127.0.0.1:" + std::to_string(port),
          [port, options](Deadline deadline) -> std::unique_ptr<Stream> {
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(port);
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            const int fd = connect_by(address, options, deadline);
            if (fd < 0) return nullptr;
            return std::make_unique<TcpStream>(fd);
          }};
}

}  // namespace spate::tests
