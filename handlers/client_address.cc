#include "handlers/client_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace spate::handlers {

std::string Peer::text() const {
  std::string text = core::format_address(address_of(*this));
  if (kind == Kind::ip && port == 0) text.resize(text.rfind(':'));
  return text;
}

Peer peer_of(const core::Address& address) {
  if (address.unix_domain()) return {.kind = Peer::Kind::unix_domain};
  Peer peer{.kind = Peer::Kind::ip, .port = address.port()};
  if (address.storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address.storage);
    peer.ip = codec::ipv4_address(std::as_bytes(std::span<const in_addr, 1>(&in.sin_addr, 1)));
  } else if (address.storage.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address.storage);
    peer.ip = codec::ipv6_address(std::as_bytes(std::span<const in6_addr, 1>(&in.sin6_addr, 1)));
  } else {
    return {};
  }
  return peer;
}

core::Address address_of(const Peer& peer) {
  core::Address address;
  if (peer.kind == Peer::Kind::unix_domain) {
    address.storage.ss_family = AF_UNIX;
    address.bytes = sizeof address.storage.ss_family;
  } else if (peer.kind == Peer::Kind::ip) {
    auto& in = reinterpret_cast<sockaddr_in6&>(address.storage);
    in.sin6_family = AF_INET6;
    std::memcpy(&in.sin6_addr, peer.ip.bytes.data(), sizeof in.sin6_addr);
    address.bytes = sizeof in;
    address.set_port(peer.port);
  }
  return address;
}

TrustedProxies::TrustedProxies(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (text == kUnix)
      unix_domain_ = true;
    else
      networks_.push_back(codec::parse_network(text).value());
  }
}

bool TrustedProxies::trusts(const Peer& peer) const {
  if (peer.kind == Peer::Kind::unix_domain) return unix_domain_;
  return peer.kind == Peer::Kind::ip &&
         std::ranges::any_of(networks_, [&](const auto& each) { return each.contains(peer.ip); });
}

std::string TrustedProxies::check(std::string_view text) {
  if (text == kUnix || codec::parse_network(text)) return {};
  return "not an address, nor a network without bits behind its prefix; write 192.0.2.1, "
         "10.0.0.0/8, 2001:db8::/32, or unix for the peers of Unix-domain listeners";
}

// One pass from the farthest hop to the nearest, though trust goes the other way: what counts is
// the last hop that is not a trusted proxy, and hops before it nobody vouches for.
Peer client_of(const core::Connection& connection, const codec::HttpHead& head,
               const ClientRules& rules) {
  const Peer peer = peer_of(connection.transport->peer(connection.link));
  if (rules.header == codec::ForwardedHeader::none || !rules.proxies.trusts(peer)) return peer;
  Peer client;
  codec::ForwardedHops hops(head, rules.header);
  for (codec::ForwardedHop hop; hops.next(hop);) {
    if (!hop.known) {
      client = {};
      continue;
    }
    const Peer next{.kind = Peer::Kind::ip, .ip = hop.address, .port = hop.port};
    if (client.kind == Peer::Kind::unknown || !rules.proxies.trusts(next)) client = next;
  }
  return client.kind == Peer::Kind::unknown ? peer : client;
}

}  // namespace spate::handlers
