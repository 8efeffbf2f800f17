// Whose connection or request it is, behind whatever proxies: the peer of the socket, unless that
// is a proxy of --trusted-proxies, which says for whom it speaks: by a PROXY header on a listener
// that has them (proxy_transport.h), or by a header of each request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/forwarded.h"
#include "codec/ip_address.h"
#include "core/address.h"
#include "core/connection.h"

namespace spate::handlers {

struct Peer {
  enum class Kind : std::uint8_t {
    unknown,      // it has gone before it was asked for
    ip,           // IPv4 in IPv6's form
    unix_domain,  // a process of this machine, or of the proxy's; it has no address, and is nobody
                  // whom a limit by address could count: who may connect is the file's mode
  };
  Kind kind = Kind::unknown;
  codec::IpAddress ip{};
  std::uint16_t port = 0;  // 0: not known

  // "192.0.2.7:51234", "[2001:db8::7]:51234", without the port when it is not known; "unix:".
  std::string text() const;
  bool operator==(const Peer&) const = default;
};

Peer peer_of(const core::Address& address);
core::Address address_of(const Peer& peer);

// Of --trusted-proxies.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  // Texts that check_proxy() takes.
  explicit TrustedProxies(const std::vector<std::string>& texts);

  bool trusts(const Peer& peer) const;

  // "10.0.0.0/8", "::1" or "unix". Empty, or what is wrong and what to write instead.
  static std::string check(std::string_view text);
  // "unix" is for the peers of Unix-domain listeners.
  static constexpr std::string_view kUnix = "unix";

 private:
  std::vector<codec::IpNetwork> networks_;
  bool unix_domain_ = false;
};

struct ClientRules {
  TrustedProxies proxies{};
  // The one header that the proxies write. Another one, which they pass on, may be anybody's.
  codec::ForwardedHeader header = codec::ForwardedHeader::none;
};

// The client of a request: from the connection's peer outwards, each trusted proxy is believed when
// it says whom it was called by. What it does not say, or hides, ends at the proxy itself. One
// system call; the head is walked when the peer is trusted.
Peer client_of(const core::Connection& connection, const codec::HttpHead& head,
               const ClientRules& rules);

// The same, found out when it is asked for: `request.peer()`.
class RequestPeer {
 public:
  RequestPeer(const core::Connection& connection, const codec::HttpHead& head,
              const ClientRules& rules)
      : connection_(connection), head_(head), rules_(rules) {}

  Peer operator()() const { return client_of(connection_, head_, rules_); }

 private:
  const core::Connection& connection_;
  const codec::HttpHead& head_;
  const ClientRules& rules_;
};

}  // namespace spate::handlers
