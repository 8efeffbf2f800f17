#include "codec/forwarded.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/codec/http_outline.h"

namespace spate::codec {
namespace {

// The hops of the lines, as "192.0.2.7 [2001:db8::1]:80 ? …".
std::string hops_of(ForwardedHeader kind, const std::vector<std::string>& lines) {
  std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
  const char* const name = kind == ForwardedHeader::forwarded ? "FORWARDED: " : "x-forwarded-for: ";
  for (const std::string& line : lines) request += name + line + "\r\n";
  const test::ExactBlock block(request + "\r\n");
  HttpHead head;
  if (parse_http_head(block.bytes(), {}, head).status != HttpParse::ok) return "no head";
  std::string said;
  ForwardedHops hops(head, kind);
  for (ForwardedHop hop; hops.next(hop);) {
    char text[INET6_ADDRSTRLEN] = "?";
    const bool v4 = hop.address.v4();
    if (hop.known)
      ::inet_ntop(v4 ? AF_INET : AF_INET6, hop.address.bytes.data() + (v4 ? 12 : 0), text,
                  sizeof text);
    said += (said.empty() ? "" : " ") + (hop.known && !v4 ? "[" + std::string(text) + "]" : text);
    if (hop.port != 0) said += ":" + std::to_string(hop.port);
  }
  ForwardedHop hop;
  EXPECT_FALSE(hops.next(hop)) << "the end is the end";
  return said;
}

struct Row {
  const char* name;
  std::vector<std::string> lines;
  const char* expect;
};

const Row kForRows[] = {
    {"one", {"192.0.2.7"}, "192.0.2.7"},
    {"several", {"192.0.2.7, 198.51.100.1,2001:db8::1"}, "192.0.2.7 198.51.100.1 [2001:db8::1]"},
    {"on several lines", {"192.0.2.7", "198.51.100.1"}, "192.0.2.7 198.51.100.1"},
    {"with ports", {"192.0.2.7:80, [2001:db8::1]:443"}, "192.0.2.7:80 [2001:db8::1]:443"},
    {"in brackets", {"[::1]"}, "[::1]"},
    {"IPv4 inside IPv6", {"::ffff:192.0.2.7"}, "192.0.2.7"},
    {"empty elements", {", ,192.0.2.7,,", ""}, "192.0.2.7"},
    {"nothing", {""}, ""},
    {"hidden", {"unknown, _secret, 192.0.2.7"}, "? ? 192.0.2.7"},
    {"names", {"localhost, example.com:80"}, "? ?"},
    {"no address", {"192.0.2, 1.2.3.4.5, [::1, ::1], 1:2, [::1]80"}, "? ? ? ? ? ?"},
    {"a port that is none",
     {"192.0.2.7:http, 192.0.2.7:, 192.0.2.7:99999"},
     "192.0.2.7 192.0.2.7 192.0.2.7"},
    {"spaces inside", {"192.0.2.7 198.51.100.1"}, "?"},
    {"quotes are of the other header", {"\"192.0.2.7\""}, "?"},
};

const Row kForwardedRows[] = {
    {"one", {"for=192.0.2.7"}, "192.0.2.7"},
    {"case", {"For=192.0.2.7;PROTO=http"}, "192.0.2.7"},
    {"several", {"for=192.0.2.7, for=198.51.100.1"}, "192.0.2.7 198.51.100.1"},
    {"on several lines", {"for=192.0.2.7", "for=198.51.100.1"}, "192.0.2.7 198.51.100.1"},
    {"IPv6 is quoted",
     {"for=\"[2001:db8::1]\",for=\"[2001:db8::2]:4711\""},
     "[2001:db8::1] [2001:db8::2]:4711"},
    {"IPv4 with a port", {"for=\"192.0.2.7:47011\""}, "192.0.2.7:47011"},
    {"a hidden port", {"for=\"192.0.2.7:_http\""}, "192.0.2.7"},
    {"among others", {"by=203.0.113.1;for=192.0.2.7;host=\"a,b;for=9.9.9.9\""}, "192.0.2.7"},
    {"escapes", {"for=\"192\\.0.2.7\""}, "192.0.2.7"},
    {"white space", {" for=192.0.2.7 ; by=\"x\" ,\tfor=198.51.100.1 "}, "192.0.2.7 198.51.100.1"},
    {"hidden", {"for=unknown, for=_secret, for=\"_a:_b\""}, "? ? ?"},
    {"nobody named", {"by=192.0.2.7, proto=http"}, "? ?"},
    {"empty elements", {", for=192.0.2.7,,", ""}, "192.0.2.7"},
    {"empty pairs", {"for=192.0.2.7;;proto=http;"}, "192.0.2.7"},
    {"a value beyond any address", {"for=\"" + std::string(200, '1') + "\""}, "?"},
    {"named twice", {"for=192.0.2.7;for=192.0.2.8, for=192.0.2.9"}, "?"},
    {"without a value", {"for=192.0.2.7, for=, for=192.0.2.9"}, "192.0.2.7 ?"},
    {"without a name", {"=192.0.2.7"}, "?"},
    {"a colon needs quotes", {"for=192.0.2.7:80"}, "?"},
    {"space before the value", {"for= 192.0.2.7"}, "?"},
    {"quotes that do not end take in what a proxy added", {"for=\"1.1.1.1, for=192.0.2.7"}, "?"},
    {"nor behind a backslash", {"for=\"1.1.1.1\\"}, "?"},
    {"the next line is another matter", {"for=\"", "for=192.0.2.7"}, "? 192.0.2.7"},
    {"text behind quotes", {"for=\"192.0.2.7\"x"}, "?"},
};

TEST(Forwarded, XForwardedForIsAListOfAddresses) {
  for (const Row& row : kForRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(hops_of(ForwardedHeader::x_forwarded_for, row.lines), row.expect);
  }
}

TEST(Forwarded, IsWhatTheGrammarSays) {
  for (const Row& row : kForwardedRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(hops_of(ForwardedHeader::forwarded, row.lines), row.expect);
  }
}

TEST(Forwarded, OneHeaderIsNotTheOther) {
  const test::ExactBlock block(
      "GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=192.0.2.7\r\nX-Forwarded-For: "
      "192.0.2.8\r\n\r\n");
  HttpHead head;
  ASSERT_EQ(parse_http_head(block.bytes(), {}, head).status, HttpParse::ok);
  ForwardedHop hop;
  EXPECT_FALSE(ForwardedHops(head, ForwardedHeader::none).next(hop));
  ForwardedHops forwarded(head, ForwardedHeader::forwarded);
  ASSERT_TRUE(forwarded.next(hop));
  EXPECT_EQ(hop.address, parse_ipv4("192.0.2.7"));
  EXPECT_FALSE(forwarded.next(hop));
}

}  // namespace
}  // namespace spate::codec
