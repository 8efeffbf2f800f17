#include "codec/ip_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace spate::codec {

namespace {

constexpr std::size_t kMappedBytes = 12;  // of ::ffff:0:0, in front of an IPv4 address

// inet_pton is strict, pure and in every libc; it wants a zero at the end.
bool parse(int family, std::string_view text, void* out) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(terminated, text.data(), text.size());
  return ::inet_pton(family, terminated, out) == 1;
}

std::optional<unsigned> parse_number(std::string_view text, unsigned most) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (text.empty() || stop != end || error != std::errc{} || leading_zero || number > most)
    return std::nullopt;
  return number;
}

}  // namespace

bool IpAddress::v4() const {
  for (std::size_t i = 0; i < kMappedBytes; ++i)
    if (bytes[i] != (i < kMappedBytes - 2 ? 0 : 0xFF)) return false;
  return true;
}

IpAddress ipv4_address(std::span<const std::byte, 4> bytes) {
  IpAddress address;
  address.bytes[kMappedBytes - 2] = address.bytes[kMappedBytes - 1] = 0xFF;
  std::memcpy(address.bytes.data() + kMappedBytes, bytes.data(), bytes.size());
  return address;
}

IpAddress ipv6_address(std::span<const std::byte, 16> bytes) {
  IpAddress address;
  std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
  return address;
}

std::optional<IpAddress> parse_ipv4(std::string_view text) {
  std::array<std::byte, 4> bytes;
  if (!parse(AF_INET, text, bytes.data())) return std::nullopt;
  return ipv4_address(bytes);
}

std::optional<IpAddress> parse_ipv6(std::string_view text) {
  IpAddress address;
  if (!parse(AF_INET6, text, address.bytes.data())) return std::nullopt;
  return address;
}

bool IpNetwork::contains(const IpAddress& address) const {
  const unsigned whole = prefix_bits / 8;
  if (std::memcmp(base.bytes.data(), address.bytes.data(), whole) != 0) return false;
  const unsigned rest = prefix_bits % 8;
  return rest == 0 || (base.bytes[whole] ^ address.bytes[whole]) >> (8 - rest) == 0;
}

std::optional<IpNetwork> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  unsigned family_bits = 32;
  std::optional<IpAddress> base = parse_ipv4(host);
  if (!base) {
    family_bits = 128;
    base = parse_ipv6(host);
  }
  if (!base) return std::nullopt;
  IpNetwork network{*base, 128};
  if (slash == std::string_view::npos) return network;
  const std::optional<unsigned> bits = parse_number(text.substr(slash + 1), family_bits);
  if (!bits) return std::nullopt;
  network.prefix_bits = 128 - family_bits + *bits;
  for (unsigned bit = network.prefix_bits; bit < 128; ++bit)
    if ((base->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  return network;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const std::optional<unsigned> port = parse_number(text, 65535);
  if (!port) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

}  // namespace spate::codec
