#include "core/listen_socket.h"

#include <netinet/tcp.h>

#include <cstring>
#include <string>

#include "core/sys.h"

namespace spate::core {

namespace {

Failure<std::string> failure(const Address& address, int error) {
  std::string reason = std::strerror(error);
  if (error == EADDRINUSE)
    reason += ": another process listens there; stop it or choose another port";
  if (error == EADDRNOTAVAIL) reason += ": no interface of this machine has that address";
  if (error == EACCES) reason += ": ports below 1024 need root or CAP_NET_BIND_SERVICE";
  return Failure{"cannot listen on " + format_address(address) + ": " + reason};
}

// A bound socket, or a negative errno.
int bind_socket(const Address& address, bool reuse_port) {
  const int fd = sys::socket(address.storage.ss_family, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  int result = sys::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (result == 0 && reuse_port) result = sys::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (result == 0 && address.storage.ss_family == AF_INET6)
    result = sys::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address.dual_stack ? 0 : 1);
  if (result == 0) result = sys::bind(fd, address.get(), address.bytes);
  if (result == 0) return fd;
  sys::close(fd);
  return result;
}

}  // namespace

Result<bool> claim_address(Address& address) {
  const int fd = bind_socket(address, false);
  if (fd == -EAFNOSUPPORT && address.dual_stack) {
    // No IPv6 in this kernel: any address then means any IPv4 address.
    const std::uint16_t port = address.port();
    address = parse_address("0.0.0.0:" + std::to_string(port)).value();
    return claim_address(address);
  }
  if (fd < 0) return failure(address, -fd);
  int result = sys::listen(fd, 1);
  if (result == 0) {
    Address bound = address;
    bound.bytes = sizeof bound.storage;
    result = sys::getsockname(fd, &bound.storage, &bound.bytes);
    if (result == 0) address.set_port(bound.port());
  }
  sys::close(fd);
  if (result < 0) return failure(address, -result);
  return true;
}

Result<int> listen_at(const Address& address, const ListenOptions& options) {
  const int fd = bind_socket(address, true);
  if (fd < 0) return failure(address, -fd);
  int result = 0;
  if (options.defer_accept_seconds > 0)
    result = sys::setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, options.defer_accept_seconds);
  if (result == 0) result = sys::listen(fd, options.backlog);
  if (result == 0) return fd;
  sys::close(fd);
  return failure(address, -result);
}

}  // namespace spate::core
