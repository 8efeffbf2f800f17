#include "core/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>

namespace spate::core {
namespace {

sockaddr_in& v4(Address& address) {
  return reinterpret_cast<sockaddr_in&>(address.storage);
}
sockaddr_in6& v6(Address& address) {
  return reinterpret_cast<sockaddr_in6&>(address.storage);
}
const sockaddr_in& v4(const Address& address) {
  return reinterpret_cast<const sockaddr_in&>(address.storage);
}
const sockaddr_in6& v6(const Address& address) {
  return reinterpret_cast<const sockaddr_in6&>(address.storage);
}

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kTls = "tls:";
constexpr std::string_view kProxy = "proxy:";

bool digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Schemes and URLs that people try; empty when the text is neither.
std::string refuse_scheme(std::string_view text) {
  if (text.starts_with(kTls))
    return "TLS is for the listeners of clients (--listen); write HOST:PORT";
  if (text.starts_with(kProxy))
    return "the PROXY protocol is for the listeners of clients (--listen); write HOST:PORT";
  if (text.find("://") != std::string_view::npos)
    return "a URL; write the address alone, such as 127.0.0.1:8000";
  return {};
}

Result<Address> parse_v6(std::string_view host, std::uint16_t port) {
  if (host.find('%') != std::string_view::npos)
    return Failure{"a zone in an IPv6 address is not supported; write an address without %"};
  char terminated[INET6_ADDRSTRLEN] = {};
  Address address;
  sockaddr_in6& in = v6(address);
  if (host.size() >= sizeof terminated)
    return Failure{"not an IPv6 address; write it as [::1]:8000"};
  std::memcpy(terminated, host.data(), host.size());
  if (inet_pton(AF_INET6, terminated, &in.sin6_addr) != 1)
    return Failure{"not an IPv6 address; write it as [::1]:8000"};
  if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr))
    return Failure{"IPv4 inside IPv6; write the IPv4 address itself, such as 127.0.0.1:8000"};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  address.bytes = sizeof in;
  return address;
}

Result<Address> parse_v4(std::string_view host, std::uint16_t port) {
  char terminated[INET_ADDRSTRLEN] = {};
  Address address;
  sockaddr_in& in = v4(address);
  const bool fits = host.size() < sizeof terminated;
  if (fits) std::memcpy(terminated, host.data(), host.size());
  if (!fits || inet_pton(AF_INET, terminated, &in.sin_addr) != 1)
    return Failure{"not an IP address; names are not looked up, write one such as 127.0.0.1:8000"};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  address.bytes = sizeof in;
  return address;
}

Result<Address> parse_unix(std::string_view path) {
  Address address;
  auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
  // Relative ones would depend on where the server was started from; '@' names without a file have
  // no mode that says who may connect.
  if (!path.starts_with('/') || path.ends_with('/'))
    return Failure{"not the absolute path of a file; write one such as unix:/run/spate/spate.sock"};
  if (path.size() >= sizeof un.sun_path)
    return Failure{"a path of over " + std::to_string(sizeof un.sun_path - 1) +
                   " bytes, more than a socket's may have; choose a shorter one"};
  // Each would be another name for a path without it, and clashes would not be seen.
  if (path.find("//") != std::string_view::npos || path.find("/./") != std::string_view::npos ||
      path.find("/../") != std::string_view::npos)
    return Failure{"a path with //, /./ or /../ in it; write it without"};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (!digits(text) || error != std::errc{} || end != text.data() + text.size() || port > 65535)
    return Failure{"not a port after the last colon; write one from 0 to 65535"};
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::uint16_t Address::port() const {
  if (storage.ss_family == AF_INET) return ntohs(v4(*this).sin_port);
  return storage.ss_family == AF_INET6 ? ntohs(v6(*this).sin6_port) : std::uint16_t{0};
}

void Address::set_port(std::uint16_t port) {
  if (storage.ss_family == AF_INET) v4(*this).sin_port = htons(port);
  if (storage.ss_family == AF_INET6) v6(*this).sin6_port = htons(port);
}

bool Address::any() const {
  if (storage.ss_family == AF_INET) return v4(*this).sin_addr.s_addr == htonl(INADDR_ANY);
  return storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6(*this).sin6_addr);
}

const char* Address::path() const {
  const bool named = unix_domain() && bytes > offsetof(sockaddr_un, sun_path);
  return named ? reinterpret_cast<const sockaddr_un&>(storage).sun_path : "";
}

Result<Address> parse_address(std::string_view text) {
  if (text.empty()) return Failure{"empty; write HOST:PORT, such as 127.0.0.1:8000"};
  // A NUL would end the text early in inet_pton, and the rest would be ignored.
  if (text.find('\0') != std::string_view::npos)
    return Failure{"not an address; write HOST:PORT, such as 127.0.0.1:8000"};
  if (text.starts_with(kUnix)) return parse_unix(text.substr(kUnix.size()));
  if (std::string refusal = refuse_scheme(text); !refusal.empty()) return Failure{refusal};

  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    if (digits(text))
      return Failure{"a port alone; write 127.0.0.1:PORT, or :PORT for any address"};
    return Failure{"no port; write HOST:PORT, such as 127.0.0.1:8000"};
  }
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (!bracketed && text.front() == '[' && text.back() == ']')
    return Failure{"no port; write [HOST]:PORT, such as [::1]:8000"};
  if (!bracketed && host.find(':') != std::string_view::npos)
    return Failure{"an IPv6 address needs brackets; write it as [::1]:8000"};

  const Result<std::uint16_t> port = parse_port(text.substr(colon + 1));
  if (!port) return Failure{port.error()};
  if (bracketed) return parse_v6(host.substr(1, host.size() - 2), *port);
  if (host.empty() || host == "*") {
    Result<Address> address = parse_v6("::", *port);
    address->dual_stack = true;
    return address;
  }
  return parse_v4(host, *port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  endpoint.proxy = text.starts_with(kProxy);
  if (endpoint.proxy) text.remove_prefix(kProxy.size());
  endpoint.tls = text.starts_with(kTls);
  if (endpoint.tls) text.remove_prefix(kTls.size());
  if (text.starts_with(kTls) || text.starts_with(kProxy))
    return Failure{"proxy: and tls: come once each and in this order; write proxy:tls:HOST:PORT"};
  const Result<Address> address = parse_address(text);
  if (!address) return Failure{address.error()};
  endpoint.address = *address;
  return endpoint;
}

std::string format_endpoint(const Endpoint& endpoint) {
  return std::string(endpoint.proxy ? kProxy : "") + std::string(endpoint.tls ? kTls : "") +
         format_address(endpoint.address);
}

std::string format_address(const Address& address) {
  if (address.dual_stack) return ":" + std::to_string(address.port());
  if (address.unix_domain()) return std::string(kUnix) + address.path();
  return format_address(address.get(), address.bytes);
}

std::string format_address(const sockaddr* address, socklen_t bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address->sa_family == AF_INET && bytes >= sizeof(sockaddr_in)) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(*address);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (address->sa_family == AF_INET6 && bytes >= sizeof(sockaddr_in6)) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(*address);
    const std::string port = ":" + std::to_string(ntohs(in.sin6_port));
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      inet_ntop(AF_INET, in.sin6_addr.s6_addr + 12, text, sizeof text);
      return text + port;
    }
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]" + port;
  }
  return address->sa_family == AF_UNIX ? "unix:" : "(unknown address)";
}

bool overlaps(const Address& one, const Address& other) {
  if (one.unix_domain() || other.unix_domain())
    return one.unix_domain() && other.unix_domain() && std::strcmp(one.path(), other.path()) == 0;
  if (one.port() != other.port() || one.port() == 0) return false;
  if (one.dual_stack || other.dual_stack) {
    // A dual-stack wildcard holds the port in both families.
    return true;
  }
  if (one.storage.ss_family != other.storage.ss_family) return false;
  if (one.any() || other.any()) return true;
  if (one.storage.ss_family == AF_INET) return v4(one).sin_addr.s_addr == v4(other).sin_addr.s_addr;
  return std::memcmp(&v6(one).sin6_addr, &v6(other).sin6_addr, sizeof(in6_addr)) == 0;
}

}  // namespace spate::core
