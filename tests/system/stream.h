// A connection as tests see it: non-blocking bytes both ways, under an absolute deadline. It is the
// seam between what a test says and what carries it: the suites speak to a Stream, a Connector
// makes one. One thread uses a Stream.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace spate::tests {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

inline Deadline within(std::chrono::milliseconds time) {
  return Clock::now() + time;
}

// Milliseconds until the deadline as poll() takes them: rounded up, never negative.
int poll_timeout_ms(Deadline deadline);

struct Moved {
  enum class Status { moved, would_block, end, reset };
  Status status;
  std::size_t bytes = 0;
};

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  // `end` is the peer's orderly end of stream; `reset` its abrupt one.
  virtual Moved read_some(std::span<char> into) = 0;
  // `reset` when the peer takes no more, for whatever reason.
  virtual Moved write_some(std::string_view bytes) = 0;
  // True when read_some or write_some, as asked for, would not block; false at the deadline.
  virtual bool wait(bool to_read, bool to_write, Deadline deadline) = 0;
  // No more bytes from us; the peer sees the end of stream and can still send.
  virtual void shutdown_write() = 0;
  // Ends both directions at once, abruptly (TCP: RST).
  virtual void reset() = 0;
};

struct Endpoint {
  std::string host;  // as it stands in a Host header: "127.0.0.1:8000"
  // Null when the connection could not be made by the deadline.
  std::function<std::unique_ptr<Stream>(Deadline)> connect;
};

struct TcpOptions {
  int receive_buffer_bytes = 0;  // SO_RCVBUF; 0 = the kernel's default
  int send_buffer_bytes = 0;     // SO_SNDBUF
  std::string source = {};       // the IPv4 address to connect from; empty: the kernel's choice
  std::string first = {};        // sent before anything else, TLS included: a proxy's header
};

// 127.0.0.1:port with TCP_NODELAY, so that each write leaves as its own segment when the window
// allows.
Endpoint tcp_endpoint(std::uint16_t port, TcpOptions options = {});

// The same with TLS inside; the server's certificate is not judged.
Endpoint tls_endpoint(std::uint16_t port, TcpOptions options = {});

// A Unix-domain socket at `path`.
Endpoint unix_endpoint(const std::string& path, TcpOptions options = {});
Endpoint tls_unix_endpoint(const std::string& path, TcpOptions options = {});

}  // namespace spate::tests
