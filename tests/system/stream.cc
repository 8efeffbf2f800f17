#include "tests/system/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace spate::tests {
namespace {

class SocketStream : public Stream {
 public:
  explicit SocketStream(int fd) : fd_(fd) {}
  ~SocketStream() override {
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

  // A Unix-domain socket has no RST: its peer sees the end.
  void reset() override {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(fd_);
    fd_ = -1;
  }

 protected:
  int fd_;
};

// OpenSSL on the socket itself; hands were shaken when it is made.
class TlsStream final : public SocketStream {
 public:
  TlsStream(int fd, SSL* tls) : SocketStream(fd), tls_(tls, SSL_free) {}

  Moved read_some(std::span<char> into) override {
    std::size_t bytes = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(tls_.get(), into.data(), into.size(), &bytes);
    return moved(result, bytes);
  }
  Moved write_some(std::string_view bytes) override {
    std::size_t taken = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &taken);
    const Moved outcome = moved(result, taken);
    // The peer has closed: its alert may lie unread, but nothing more can be written.
    return outcome.status == Moved::Status::end ? Moved{Moved::Status::reset} : outcome;
  }
  bool wait(bool to_read, bool to_write, Deadline deadline) override {
    return (to_read && SSL_pending(tls_.get()) > 0) ||
           SocketStream::wait(to_read, to_write, deadline);
  }
  void shutdown_write() override {
    (void)SSL_shutdown(tls_.get());
    SocketStream::shutdown_write();
  }

 private:
  Moved moved(int result, std::size_t bytes) {
    if (result == 1) return {Moved::Status::moved, bytes};
    switch (SSL_get_error(tls_.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return {Moved::Status::would_block};
      case SSL_ERROR_ZERO_RETURN:
        return {Moved::Status::end};
      default:
        return {Moved::Status::reset};
    }
  }

  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
};

SSL_CTX* client_context() {
  static SSL_CTX* const context = [] {
    // OpenSSL writes without MSG_NOSIGNAL.
    ::signal(SIGPIPE, SIG_IGN);
    SSL_CTX* const made = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return made;
  }();
  return context;
}

// Null when hands could not be shaken by the deadline; the socket is closed then.
SSL* shake_hands(int fd, Deadline deadline) {
  SSL* const tls = SSL_new(client_context());
  SSL_set_fd(tls, fd);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(tls);
    if (result == 1) return tls;
    const int error = SSL_get_error(tls, result);
    pollfd entry{fd, static_cast<short>(error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN), 0};
    if ((error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) &&
        ::poll(&entry, 1, poll_timeout_ms(deadline)) == 1)
      continue;
    SSL_free(tls);
    ::close(fd);
    return nullptr;
  }
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr_un at_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

// The socket connected, or -1: refused, or the deadline passed.
template <typename Address>
int connect_by(const Address& address, const TcpOptions& options, Deadline deadline) {
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  const int fd = ::socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const auto set = [fd](int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
  };
  if (to->sa_family != AF_UNIX) set(IPPROTO_TCP, TCP_NODELAY, 1);
  // Before connect(): the window scale is agreed on in the SYN.
  if (options.receive_buffer_bytes > 0) set(SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  if (options.send_buffer_bytes > 0) set(SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  if (!options.source.empty()) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    ::inet_pton(AF_INET, options.source.c_str(), &from.sin_addr);
    ::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from);
  }
  // It fits into any socket's empty buffer.
  const auto begun = [&] {
    ::send(fd, options.first.data(), options.first.size(), MSG_NOSIGNAL);
    return fd;
  };
  if (::connect(fd, to, sizeof address) == 0) return begun();
  pollfd entry{fd, POLLOUT, 0};
  int error = errno;
  if (error == EINPROGRESS && ::poll(&entry, 1, poll_timeout_ms(deadline)) == 1) {
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return begun();
  }
  ::close(fd);
  return -1;
}

using Connector = std::function<std::unique_ptr<Stream>(Deadline)>;

template <typename Address>
Connector plain(const Address& address, const TcpOptions& options) {
  return [address, options](Deadline deadline) -> std::unique_ptr<Stream> {
    const int fd = connect_by(address, options, deadline);
    return fd < 0 ? nullptr : std::make_unique<SocketStream>(fd);
  };
}

template <typename Address>
Connector secure(const Address& address, const TcpOptions& options) {
  return [address, options](Deadline deadline) -> std::unique_ptr<Stream> {
    const int fd = connect_by(address, options, deadline);
    SSL* const tls = fd < 0 ? nullptr : shake_hands(fd, deadline);
    return tls == nullptr ? nullptr : std::make_unique<TlsStream>(fd, tls);
  };
}

}  // namespace

int poll_timeout_ms(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

Endpoint tcp_endpoint(std::uint16_t port, TcpOptions options) {
  return {"127.0.0.1:" + std::to_string(port), plain(loopback(port), options)};
}

Endpoint tls_endpoint(std::uint16_t port, TcpOptions options) {
  return {"127.0.0.1:" + std::to_string(port), secure(loopback(port), options)};
}

Endpoint unix_endpoint(const std::string& path, TcpOptions options) {
  return {"localhost", plain(at_path(path), options)};
}

Endpoint tls_unix_endpoint(const std::string& path, TcpOptions options) {
  return {"localhost", secure(at_path(path), options)};
}

}  // namespace spate::tests
