// Every row whole, split at every byte, with bytes behind it, and against a PROT_NONE page.
#include "codec/proxy_header.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/guard_page.h"

namespace spate::codec {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(unsigned version_command, unsigned family, std::size_t length, std::string body) {
  return std::string(kSignature) + static_cast<char>(version_command) + static_cast<char>(family) +
         static_cast<char>(length >> 8) + static_cast<char>(length & 0xFF) + std::move(body);
}
std::string v2(unsigned version_command, unsigned family, std::string body = {}) {
  const std::size_t length = body.size();
  return v2(version_command, family, length, std::move(body));
}

const std::string kV4("\xC0\x00\x02\x07\xC6\x33\x64\x01\xC8\x22\x01\xBB", 12);
const std::string kV6 =
    std::string("\x20\x01\x0D\xB8", 4) + std::string(11, '\0') + "\x07" +  // source
    std::string("\x20\x01\x0D\xB8", 4) + std::string(11, '\0') + "\x01" + "\xC8\x22\x01\xBB";
const std::string kUnix = "/run/client" + std::string(97, '\0') + "/run/proxy" + std::string(98, 0);

// What a parser says, as text.
std::string outline(const ProxyHeader& header) {
  switch (header.status) {
    case ProxyParse::need_more:
      return "need more";
    case ProxyParse::bad:
      return std::string(describe(header.error).name);
    case ProxyParse::ok:
      break;
  }
  const std::string at = " at " + std::to_string(header.consumed);
  if (header.source == ProxySource::connection) return "connection" + at;
  if (header.source == ProxySource::unix_domain) return "unix" + at;
  std::string bytes;
  for (std::size_t i = header.address.v4() ? 12 : 0; i < 16; ++i) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", header.address.bytes[i]);
    bytes += hex;
  }
  return bytes + ":" + std::to_string(header.port) + at;
}

struct Row {
  const char* name;
  std::string bytes;
  std::string expect;
};

std::string ip6_text() {
  return "20010db8000000000000000000000007:51234";
}

const Row kRows[] = {
    {"1: IPv4", "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n", "c0000207:51234 at 45"},
    {"1: IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 51234 443\r\n", ip6_text() + " at 46"},
    {"1: IPv4 inside IPv6", "PROXY TCP6 ::ffff:192.0.2.7 ::1 0 65535\r\n", "c0000207:0 at 41"},
    {"1: unknown", "PROXY UNKNOWN\r\n", "connection at 15"},
    {"1: unknown with a rest", "PROXY UNKNOWN a b c d\r\n", "connection at 23"},
    {"1: unknown with much", "PROXY UNKNOWN a b c d e  f\r\n", "connection at 28"},
    {"1: the longest",
     "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 " + std::string(47, 'x') + "\r\n",
     "connection at 107"},
    {"1: a byte too long",
     "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 " + std::string(48, 'x') + "\r\n",
     "line_too_long"},
    {"1: no family", "PROXY \r\n", "bad_line"},
    {"1: another family", "PROXY UDP4 192.0.2.7 198.51.100.1 51234 443\r\n", "bad_line"},
    {"1: lower case", "PROXY tcp4 192.0.2.7 198.51.100.1 51234 443\r\n", "bad_line"},
    {"1: too few words", "PROXY TCP4 192.0.2.7 198.51.100.1 51234\r\n", "bad_line"},
    {"1: too many words", "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443 1\r\n", "bad_line"},
    {"1: two spaces", "PROXY TCP4  192.0.2.7 198.51.100.1 51234 443\r\n", "bad_line"},
    {"1: no source", "PROXY TCP4  198.51.100.1 51234 443\r\n", "bad_address"},
    {"1: IPv6 as IPv4", "PROXY TCP4 ::1 ::1 51234 443\r\n", "bad_address"},
    {"1: IPv4 as IPv6", "PROXY TCP6 192.0.2.7 192.0.2.8 51234 443\r\n", "bad_address"},
    {"1: bad destination", "PROXY TCP4 192.0.2.7 198.51.100.256 51234 443\r\n", "bad_address"},
    {"1: port too large", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", "bad_port"},
    {"1: port with a zero", "PROXY TCP4 192.0.2.7 198.51.100.1 051234 443\r\n", "bad_port"},
    {"1: no port", "PROXY TCP4 192.0.2.7 198.51.100.1 51234 \r\n", "bad_port"},
    {"1: bare line feed", "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\nGET\r\n", "bad_port"},
    {"2: IPv4", v2(0x21, 0x11, kV4), "c0000207:51234 at 28"},
    {"2: IPv6", v2(0x21, 0x21, kV6), ip6_text() + " at 52"},
    {"2: Unix-domain", v2(0x21, 0x31, kUnix), "unix at 232"},
    {"2: unspecified", v2(0x21, 0x00), "connection at 16"},
    {"2: unspecified with a rest", v2(0x21, 0x00, "abc"), "connection at 19"},
    {"2: TLVs are skipped", v2(0x21, 0x11, kV4 + std::string("\x04\x00\x01x\xEE\xFF\xFF", 7)),
     "c0000207:51234 at 35"},
    {"2: LOCAL", v2(0x20, 0x00), "connection at 16"},
    {"2: LOCAL with an address", v2(0x20, 0x11, kV4), "connection at 28"},
    {"2: LOCAL of whatever family", v2(0x20, 0xFF, "abc"), "connection at 19"},
    {"2: the longest", v2(0x21, 0x11, kV4 + std::string(4068, 'x')), "c0000207:51234 at 4096"},
    {"2: a byte too long", v2(0x21, 0x11, 4081, ""), "too_long"},
    {"2: LOCAL is bounded too", v2(0x20, 0x00, 65535, ""), "too_long"},
    {"2: version 1", v2(0x11, 0x11, kV4), "bad_version"},
    {"2: version 3", v2(0x31, 0x11, kV4), "bad_version"},
    {"2: command 2", v2(0x22, 0x11, kV4), "bad_command"},
    {"2: command 15", v2(0x2F, 0x11, kV4), "bad_command"},
    {"2: datagrams", v2(0x21, 0x12, kV4), "bad_family"},
    {"2: no transport", v2(0x21, 0x10, kV4), "bad_family"},
    {"2: family 4", v2(0x21, 0x41, kV4), "bad_family"},
    {"2: transport 3", v2(0x21, 0x03), "bad_family"},
    {"2: too short for IPv4", v2(0x21, 0x11, kV4.substr(1)), "too_short"},
    {"2: too short for IPv6", v2(0x21, 0x21, kV6.substr(1)), "too_short"},
    {"2: too short for Unix-domain", v2(0x21, 0x31, kUnix.substr(1)), "too_short"},
    {"HTTP", "GET / HTTP/1.1\r\n", "no_signature"},
    {"TLS", std::string("\x16\x03\x01\x02\x00", 5), "no_signature"},
    {"HTTP that begins alike", "PUT / HTTP/1.1\r\n", "no_signature"},
    {"a signature with a slip", "\r\n\r\nX", "no_signature"},
};

TEST(ProxyHeader, IsWhatTheSpecificationSays) {
  test::GuardPages pages(8192);
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(outline(parse_proxy_header(pages.copy_to_end(as_bytes(row.bytes)))), row.expect);
    for (const std::string& behind : {std::string("\r\nGET"), std::string(100, '\xFF')})
      EXPECT_EQ(outline(parse_proxy_header(as_bytes(row.bytes + behind))), row.expect);
    const bool good = row.expect.find(" at ") != std::string::npos;
    for (std::size_t bytes = 0; bytes < row.bytes.size(); ++bytes) {
      const Bytes part = pages.copy_to_end(as_bytes(row.bytes).first(bytes));
      const std::string said = outline(parse_proxy_header(part));
      if (said == "need more") continue;
      EXPECT_FALSE(good) << "after " << bytes << ": " << said;
      EXPECT_EQ(said, row.expect) << "after " << bytes;
    }
  }
}

TEST(ProxyHeader, WhatIsWaitedForIsBounded) {
  for (const std::string& start : {std::string("PROXY "), v2(0x21, 0x11, 4080, "")}) {
    std::string bytes = start;
    while (parse_proxy_header(as_bytes(bytes)).status == ProxyParse::need_more) bytes += 'x';
    EXPECT_LE(bytes.size(), kMaxProxyHeaderBytes);
  }
}

}  // namespace
}  // namespace spate::codec
