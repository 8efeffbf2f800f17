// What carries a connection's bytes: plain TCP or the in-memory pipe that tests use. One object
// serves all connections of its kind; what differs per connection is the Link.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <span>

#include "core/base.h"

namespace spate::core {

struct Link {
  int fd = -1;  // -1: not a descriptor; whoever drives the connection says when it is ready
  void* state = nullptr;  // the transport's own, per connection
};

class Transport {
 public:
  // Bytes received into `to` (0 = the peer has sent its last), or a negative errno. -EAGAIN: none
  // now.
  virtual ssize_t recv(Link& link, Bytes to) = 0;
  // Bytes taken from the front of `pieces`, or a negative errno. -EAGAIN: none now.
  virtual ssize_t send(Link& link, std::span<const iovec> pieces) = 0;
  // Nothing more will be sent; the peer sees the end after all that was.
  virtual void shutdown_send(Link& link) = 0;
  virtual void close(Link& link) = 0;

 protected:
  ~Transport() = default;
};

// A non-blocking TCP socket in Link::fd.
class TcpTransport final : public Transport {
 public:
  ssize_t recv(Link& link, Bytes to) override;
  ssize_t send(Link& link, std::span<const iovec> pieces) override;
  void shutdown_send(Link& link) override;
  void close(Link& link) override;
};

}  // namespace spate::core
