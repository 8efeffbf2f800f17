// The PROXY protocol's header, versions 1 and 2 (HAProxy's proxy-protocol.txt, §2): what a proxy
// sends first on a connection, to say whose connection it is. Pure; nothing is allocated.
//
//   1:  PROXY TCP4 192.0.2.7 198.51.100.1 51234 443 CRLF             at most 107 bytes
//   2:  | signature, 12 | version, command | family | length, 2 | addresses | TLVs, skipped |
//
// Either it is all there and is consumed, or more bytes are needed, or it is bad; the outcome does
// not depend on how the bytes were split. What a header says of the destination is not kept.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "codec/ip_address.h"
#include "core/base.h"

namespace spate::codec {

// Of either version: a length that says more is refused before anything waits for it.
inline constexpr std::size_t kMaxProxyHeaderBytes = 4096;

enum class ProxyHeaderError : std::uint8_t {
  none,
  no_signature,
  line_too_long,
  bad_line,
  bad_address,
  bad_port,
  bad_version,
  bad_command,
  bad_family,
  too_long,
  too_short,
};

struct ProxyHeaderErrorInfo {
  ProxyHeaderError error;
  std::string_view name;  // the enumerator, for metric labels
  std::string_view what;  // for the log
};

inline constexpr auto kProxyHeaderErrors = std::to_array<ProxyHeaderErrorInfo>({
    {ProxyHeaderError::none, "none", ""},
    {ProxyHeaderError::no_signature, "no_signature", "it does not begin as one of version 1 or 2"},
    {ProxyHeaderError::line_too_long, "line_too_long", "version 1: no line end in 107 bytes"},
    {ProxyHeaderError::bad_line, "bad_line",
     "version 1: not TCP4, TCP6 or UNKNOWN with two addresses and two ports"},
    {ProxyHeaderError::bad_address, "bad_address", "version 1: not an address of its family"},
    {ProxyHeaderError::bad_port, "bad_port", "version 1: not a port"},
    {ProxyHeaderError::bad_version, "bad_version", "a binary one whose version is not 2"},
    {ProxyHeaderError::bad_command, "bad_command", "version 2: neither LOCAL nor PROXY"},
    {ProxyHeaderError::bad_family, "bad_family",
     "version 2: not a stream over IPv4, IPv6 or a Unix-domain socket"},
    {ProxyHeaderError::too_long, "too_long", "version 2: longer than 4096 bytes"},
    {ProxyHeaderError::too_short, "too_short", "version 2: shorter than its addresses"},
});

constexpr const ProxyHeaderErrorInfo& describe(ProxyHeaderError error) {
  return kProxyHeaderErrors[static_cast<std::size_t>(error)];
}

static_assert(
    [] {
      for (std::size_t i = 0; i < kProxyHeaderErrors.size(); ++i)
        if (static_cast<std::size_t>(kProxyHeaderErrors[i].error) != i) return false;
      return kProxyHeaderErrors.back().error == ProxyHeaderError::too_short;
    }(),
    "the table has one row per error, in the order of the enum");

// Whose connection it is.
enum class ProxySource : std::uint8_t {
  connection,  // the proxy's own (LOCAL: its health check), or it does not know: take the socket's
  ip,
  unix_domain,
};

enum class ProxyParse : std::uint8_t { ok, need_more, bad };

struct [[nodiscard]] ProxyHeader {
  ProxyParse status = ProxyParse::bad;
  ProxyHeaderError error = ProxyHeaderError::none;  // only when bad
  std::size_t consumed = 0;                         // only when ok, as what follows
  ProxySource source = ProxySource::connection;
  IpAddress address{};  // only of ip
  std::uint16_t port = 0;
};

// Parses the header at the start of `input`. After need_more call again with the same bytes and
// more behind them; they are fewer than kMaxProxyHeaderBytes.
ProxyHeader parse_proxy_header(ConstBytes input);

}  // namespace spate::codec
