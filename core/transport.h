// What carries a connection's bytes: a plain socket, TLS over another transport, or the in-memory
// pipe that tests use. One object serves all connections of its kind; what differs per connection
// is the Link.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <span>

#include "core/address.h"
#include "core/base.h"

namespace spate::core {

struct Link {
  int fd = -1;  // -1: not a descriptor; whoever drives the connection says when it is ready
  void* state = nullptr;  // the transport's own, per connection
};

class Transport {
 public:
  // Before anything else; false when there is no memory for it.
  virtual bool open(Link&) { return true; }
  // Bytes received into `to` (0 = the peer has sent its last), or a negative errno. -EAGAIN: none
  // now.
  virtual ssize_t recv(Link& link, Bytes to) = 0;
  // Bytes taken from the front of `pieces`, or a negative errno. -EAGAIN: none now.
  virtual ssize_t send(Link& link, std::span<const iovec> pieces) = 0;
  // Nothing more will be sent; the peer sees the end after all that was.
  virtual void shutdown_send(Link& link) = 0;
  virtual void close(Link& link) = 0;
  // Whose connection it is; without a family when nobody can tell. May cost a system call.
  virtual Address peer(const Link&) const { return {}; }

  // A transport over another one may have to read before it can write, and may hold bytes of which
  // the descriptor tells nothing. Only such a one is asked the two questions below.
  bool layered() const { return layered_; }
  // The events (EPOLLIN, EPOLLOUT) to wait for when `wanted` are. When EPOLLOUT comes and nothing
  // is queued, send() is called without pieces.
  virtual std::uint32_t interest(const Link&, std::uint32_t wanted) const { return wanted; }
  // recv() has something to say although the descriptor is not readable.
  virtual bool holds_input(const Link&) const { return false; }

 protected:
  explicit Transport(bool layered = false) : layered_(layered) {}
  ~Transport() = default;

 private:
  const bool layered_;
};

// A non-blocking stream socket in Link::fd: TCP, or Unix-domain.
class TcpTransport final : public Transport {
 public:
  ssize_t recv(Link& link, Bytes to) override;
  ssize_t send(Link& link, std::span<const iovec> pieces) override;
  void shutdown_send(Link& link) override;
  void close(Link& link) override;
  Address peer(const Link& link) const override;
};

}  // namespace spate::core
