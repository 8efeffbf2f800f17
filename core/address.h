// Where a listener binds, as people write it: "127.0.0.1:8000", "[::1]:8000", ":8000",
// "unix:/run/spate/clients.sock". Numbers only: a name would need a resolver, whose answer may
// change between the check and the bind.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace spate::core {

struct Address {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  // Both families on one socket: ":8000" and "*:8000". The listener clears IPV6_V6ONLY, and falls
  // back to 0.0.0.0 where the kernel has no IPv6. "[::]:8000" is IPv6 alone.
  bool dual_stack = false;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::uint16_t port() const;  // host byte order; 0 lets the kernel choose
  void set_port(std::uint16_t port);
  bool any() const;  // 0.0.0.0 or [::]
  bool unix_domain() const { return storage.ss_family == AF_UNIX; }
  // Of a Unix-domain address, ended by a zero byte; empty for a peer that did not bind.
  const char* path() const;
};

// The error says what is wrong and what to write instead. A Unix-domain socket has an absolute path
// of at most 107 bytes; "tls:" belongs to an Endpoint.
Result<Address> parse_address(std::string_view text);

// The inverse: parse(format(a)) is a. Also for peers: an IPv4 peer of a dual-stack socket
// (::ffff:192.0.2.1) prints as plain IPv4, a Unix-domain one without a path as "unix:".
std::string format_address(const Address& address);
std::string format_address(const sockaddr* address, socklen_t bytes);

// Where clients connect, and what they speak there, the outermost first: "127.0.0.1:8000",
// "tls:0.0.0.0:8443", "proxy:tls:unix:/run/spate/clients.sock".
struct Endpoint {
  Address address;
  bool tls = false;
  bool proxy = false;  // each connection begins with a PROXY header
};
Result<Endpoint> parse_endpoint(std::string_view text);
std::string format_endpoint(const Endpoint& endpoint);

// Whether two listeners cannot have both: the same port and family, and the same host or either of
// them the wildcard; or the same path. Port 0 never clashes.
bool overlaps(const Address& one, const Address& other);

}  // namespace spate::core
