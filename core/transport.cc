#include "core/transport.h"

#include "core/sys.h"

namespace spate::core {

ssize_t TcpTransport::recv(Link& link, Bytes to) {
  return sys::recv(link.fd, to.data(), to.size());
}

ssize_t TcpTransport::send(Link& link, std::span<const iovec> pieces) {
  // One piece is the rule; send() spares the kernel a msghdr and an iovec to copy in and check.
  if (pieces.size() == 1)
    return sys::send(link.fd, static_cast<const std::byte*>(pieces[0].iov_base), pieces[0].iov_len);
  return sys::sendmsg(link.fd, pieces);
}

void TcpTransport::shutdown_send(Link& link) {
  (void)sys::shutdown(link.fd, SHUT_WR);
}

void TcpTransport::close(Link& link) {
  sys::close(link.fd);
  link.fd = -1;
}

Address TcpTransport::peer(const Link& link) const {
  Address address;
  address.bytes = sizeof address.storage;
  if (sys::getpeername(link.fd, &address.storage, &address.bytes) < 0) return {};
  return address;
}

}  // namespace spate::core
