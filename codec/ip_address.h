// IP addresses and networks as text and as numbers (RFC 4291 §2.2, RFC 4632 §3.1). One form for
// both families: an IPv4 address is the IPv6 address ::ffff:a.b.c.d, so that a peer of a dual-stack
// socket is the same wherever it is met. Pure functions; no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base.h"

namespace spate::codec {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // network order

  bool v4() const;
  bool operator==(const IpAddress&) const = default;
};

IpAddress ipv4_address(std::span<const std::byte, 4> bytes);
IpAddress ipv6_address(std::span<const std::byte, 16> bytes);

// The whole text: "192.0.2.1", four decimal numbers without leading zeros.
std::optional<IpAddress> parse_ipv4(std::string_view text);
// "2001:db8::1", "::ffff:192.0.2.1"; without brackets, without a zone.
std::optional<IpAddress> parse_ipv6(std::string_view text);

// All addresses that begin with the same bits.
struct IpNetwork {
  IpAddress base;            // zero behind the prefix
  unsigned prefix_bits = 0;  // of 128; an IPv4 network's are 96 more than people write

  bool contains(const IpAddress& address) const;
};

// "10.0.0.0/8", "2001:db8::/32", or an address alone. Nothing when it is neither, or when there is
// a bit set behind the prefix: then one of the two is a slip.
std::optional<IpNetwork> parse_network(std::string_view text);

// A decimal port from 0 to 65535 without leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view text);

}  // namespace spate::codec
