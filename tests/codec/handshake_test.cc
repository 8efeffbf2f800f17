#include "codec/handshake.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/http_response.h"
#include "codec/origin.h"
#include "tests/codec/http_ways.h"

namespace spate::codec {

inline void PrintTo(HandshakeError error, std::ostream* out) {
  *out << describe(error).name;
}

namespace {

using enum HandshakeError;

// The example of RFC 6455 §1.2, line by line, so that a row can replace or drop a line.
struct Request {
  std::string request_line = "GET /chat HTTP/1.1";
  std::string upgrade = "Upgrade: websocket";
  std::string connection = "Connection: Upgrade";
  std::string version = "Sec-WebSocket-Version: 13";
  std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  std::string more = "";

  std::string bytes() const {
    std::string text = request_line + "\r\nHost: server.example.com\r\n";
    for (const std::string& line : {upgrade, connection, version, key, more}) {
      if (!line.empty()) text += line + "\r\n";
    }
    return text + "\r\n";
  }
};

struct Row {
  const char* name;
  Request request;
  HandshakeError error;
  int status;
  const char* clause;
};

const Row kRows[] = {
    {"the RFC's example", {}, none, 101, "RFC 6455 §1.2"},
    {"lists and case",
     {.upgrade = "upgrade: h2c, WEBSOCKET", .connection = "connection: keep-alive, UPGRADE"},
     none,
     101,
     "RFC 6455 §4.2.1 (3), (4)"},
    {"lists over two headers",
     {.upgrade = "Upgrade: h2c\r\nUpgrade: websocket",
      .connection = "Connection: keep-alive\r\nConnection: upgrade"},
     none,
     101,
     "RFC 6455 §4.2.1 (3), (4)"},
    {"white space around the key",
     {.key = "Sec-WebSocket-Key: \t AAAAAAAAAAAAAAAAAAAAAA== "},
     none,
     101,
     "RFC 6455 §4.2.1 (5)"},
    {"Content-Length 0", {.more = "Content-Length: 0"}, none, 101, "RFC 6455 §4.1"},
    {"absolute-form",
     {.request_line = "GET http://server.example.com/chat HTTP/1.1"},
     none,
     101,
     "RFC 6455 §4.2.1 (1)"},

    {"POST", {.request_line = "POST /chat HTTP/1.1"}, not_get, 405, "RFC 6455 §4.2.1 (1)"},
    {"HEAD", {.request_line = "HEAD /chat HTTP/1.1"}, not_get, 405, "RFC 6455 §4.2.1 (1)"},
    {"get", {.request_line = "get /chat HTTP/1.1"}, not_get, 405, "RFC 9110 §9.1"},
    {"HTTP/1.0", {.request_line = "GET /chat HTTP/1.0"}, not_http11, 400, "RFC 6455 §4.2.1 (1)"},
    {"no Upgrade", {.upgrade = ""}, upgrade_missing, 426, "RFC 6455 §4.2.1 (3)"},
    {"empty Upgrade", {.upgrade = "Upgrade:"}, upgrade_missing, 426, "RFC 6455 §4.2.1 (3)"},
    {"another Upgrade", {.upgrade = "Upgrade: h2c"}, upgrade_missing, 426, "RFC 6455 §4.2.1 (3)"},
    {"almost websocket",
     {.upgrade = "Upgrade: websockets"},
     upgrade_missing,
     426,
     "RFC 6455 §4.2.1 (3)"},
    {"websocket with a version",
     {.upgrade = "Upgrade: websocket/13"},
     upgrade_missing,
     426,
     "RFC 6455 §4.2.1 (3)"},
    {"no Connection", {.connection = ""}, connection_lacks_upgrade, 400, "RFC 6455 §4.2.1 (4)"},
    {"Connection without upgrade",
     {.connection = "Connection: keep-alive"},
     connection_lacks_upgrade,
     400,
     "RFC 6455 §4.2.1 (4)"},
    {"almost upgrade",
     {.connection = "Connection: upgrades, up grade"},
     connection_lacks_upgrade,
     400,
     "RFC 6455 §4.2.1 (4)"},
    {"no version", {.version = ""}, version_missing, 426, "RFC 6455 §4.2.1 (6)"},
    {"version 8",
     {.version = "Sec-WebSocket-Version: 8"},
     version_unsupported,
     426,
     "RFC 6455 §4.4"},
    {"version 013",
     {.version = "Sec-WebSocket-Version: 013"},
     version_unsupported,
     426,
     "RFC 6455 §4.1 (9)"},
    {"version list",
     {.version = "Sec-WebSocket-Version: 13, 8"},
     version_unsupported,
     426,
     "RFC 6455 §11.3.5"},
    {"version twice",
     {.version = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13"},
     version_unsupported,
     426,
     "RFC 6455 §11.3.5"},
    {"empty version",
     {.version = "Sec-WebSocket-Version:"},
     version_unsupported,
     426,
     "RFC 6455 §4.1 (9)"},
    {"no key", {.key = ""}, key_missing, 400, "RFC 6455 §4.2.1 (5)"},
    {"two keys",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: "
             "dGhlIHNhbXBsZSBub25jZQ=="},
     key_repeated,
     400,
     "RFC 6455 §11.3.1"},
    {"empty key", {.key = "Sec-WebSocket-Key:"}, key_invalid, 400, "RFC 6455 §4.2.1 (5)"},
    {"15 bytes",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"},
     key_invalid,
     400,
     "RFC 6455 §4.2.1 (5)"},
    {"17 bytes",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE="},
     key_invalid,
     400,
     "RFC 6455 §4.2.1 (5)"},
    {"18 bytes",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEy"},
     key_invalid,
     400,
     "RFC 6455 §4.2.1 (5)"},
    {"19 bytes",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEyMw=="},
     key_invalid,
     400,
     "RFC 6455 §4.2.1 (5)"},
    {"no padding",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"},
     key_invalid,
     400,
     "RFC 4648 §3.2"},
    {"not canonical",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="},
     key_invalid,
     400,
     "RFC 4648 §3.5"},
    {"URL alphabet",
     {.key = "Sec-WebSocket-Key: -GhlIHNhbXBsZSBub25jZQ=="},
     key_invalid,
     400,
     "RFC 4648 §4"},
    {"space in the key",
     {.key = "Sec-WebSocket-Key: dGhlIHNhbXBs SBub25jZQ=="},
     key_invalid,
     400,
     "RFC 4648 §3.3"},
    {"extensions", {.more = "Sec-WebSocket-Extensions: a; b=\"c\", d"}, none, 101, "RFC 6455 §9.1"},
    {"malformed extensions",
     {.more = "Sec-WebSocket-Extensions: a; b="},
     extensions_invalid,
     400,
     "RFC 6455 §9.1"},
    {"empty extensions",
     {.more = "Sec-WebSocket-Extensions:"},
     extensions_invalid,
     400,
     "RFC 6455 §9.1"},
    {"Content-Length", {.more = "Content-Length: 5"}, body_announced, 400, "RFC 6455 §4.1"},
    {"chunked body", {.more = "Transfer-Encoding: chunked"}, body_announced, 400, "RFC 6455 §4.1"},
    {"two origins",
     {.more = "Origin: http://a\r\nOrigin: http://a"},
     origin_repeated,
     400,
     "RFC 6454 §7.3"},
    {"subprotocols",
     {.more = "Sec-WebSocket-Protocol: chat, superchat"},
     none,
     101,
     "RFC 6455 §4.1 (10)"},
    {"subprotocols differ by case",
     {.more = "Sec-WebSocket-Protocol: chat, Chat"},
     none,
     101,
     "RFC 6455 §4.1 (10)"},
    {"subprotocol twice",
     {.more = "Sec-WebSocket-Protocol: chat,chat"},
     subprotocol_repeated,
     400,
     "RFC 6455 §4.1 (10)"},
    {"subprotocol twice, two headers",
     {.more = "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c, a"},
     subprotocol_repeated,
     400,
     "RFC 6455 §11.3.4"},
    {"subprotocol is no token",
     {.more = "Sec-WebSocket-Protocol: a b"},
     subprotocol_invalid,
     400,
     "RFC 6455 §4.1 (10)"},
    {"subprotocol with a slash",
     {.more = "Sec-WebSocket-Protocol: a, b/c"},
     subprotocol_invalid,
     400,
     "RFC 6455 §4.1 (10)"},
    {"quoted subprotocol",
     {.more = "Sec-WebSocket-Protocol: \"a\""},
     subprotocol_invalid,
     400,
     "RFC 6455 §4.1 (10)"},
    {"empty subprotocols",
     {.more = "Sec-WebSocket-Protocol:"},
     subprotocol_invalid,
     400,
     "RFC 6455 §4.3"},
    {"only commas",
     {.more = "Sec-WebSocket-Protocol: , ,"},
     subprotocol_invalid,
     400,
     "RFC 6455 §4.3"},
};

// A parsed request whose bytes live as long as it does.
struct Parsed {
  std::string bytes;
  HttpHead head;
  Handshake handshake;
  HandshakeError error;

  explicit Parsed(const Request& request) : bytes(request.bytes()) {
    EXPECT_EQ(parse_http_head(as_bytes(bytes), {}, head).status, HttpParse::ok) << bytes;
    error = check_handshake(head, handshake);
  }
};

TEST(Handshake, EachRuleHasItsErrorAndStatus) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.name) + ", " + row.clause);
    const Parsed parsed(row.request);
    EXPECT_EQ(parsed.error, row.error);
    EXPECT_EQ(describe(parsed.error).status, row.status);
  }
}

// The same rows with the request's bytes against a PROT_NONE page: no rule reads beyond the head.
TEST(Handshake, ReadsNothingBeyondTheHead) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const std::string bytes = row.request.bytes();
    const test::GuardPages pages(bytes.size());
    HttpHead head;
    ASSERT_EQ(parse_http_head(pages.copy_to_end(as_bytes(bytes)), {}, head).status, HttpParse::ok);
    Handshake handshake;
    EXPECT_EQ(check_handshake(head, handshake), row.error);
  }
}

std::vector<std::string> walk(SubprotocolOffers offers) {
  std::vector<std::string> names;
  for (auto name = offers.next(); !name.empty(); name = offers.next()) names.emplace_back(name);
  return names;
}

TEST(Subprotocol, OffersComeInOrderOverAllHeaders) {
  const Parsed parsed(
      {.more = "Sec-WebSocket-Protocol: b , a,\r\nX: y\r\nsec-websocket-protocol:,c"});
  ASSERT_EQ(parsed.error, none);
  EXPECT_EQ(walk(parsed.handshake.offers), (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(walk(Parsed({}).handshake.offers), std::vector<std::string>{});
}

TEST(Subprotocol, TheServersPreferenceWins) {
  const Parsed parsed({.more = "Sec-WebSocket-Protocol: json, protobuf"});
  using Names = std::vector<std::string_view>;
  const auto select = [&parsed](const Names& names) {
    return select_subprotocol(parsed.handshake.offers, names);
  };
  EXPECT_EQ(select({"protobuf", "json"}), "protobuf");
  EXPECT_EQ(select({"xml", "json"}), "json");
  EXPECT_EQ(select({"JSON"}), "");
  EXPECT_EQ(select({}), "");
}

TEST(Subprotocol, MoreThanSixtyFourOffersAreRefused) {
  const auto offer = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += "p" + std::to_string(i) + ",";
    return Parsed({.more = "Sec-WebSocket-Protocol: " + list}).error;
  };
  EXPECT_EQ(offer(64), none);
  EXPECT_EQ(offer(65), subprotocol_invalid);
}

struct OriginRow {
  const char* origin;
  const char* host;
  bool same;
};

const OriginRow kOrigins[] = {
    {"http://example.com", "example.com", true},
    {"https://example.com", "example.com", true},
    {"HTTP://EXAMPLE.com", "example.COM", true},
    {"http://example.com", "example.com:80", true},
    {"https://example.com", "example.com:443", true},
    {"https://example.com:443", "example.com", true},
    {"http://example.com:8000", "example.com:8000", true},
    {"http://[::1]:8000", "[::1]:8000", true},
    {"http://[::1]", "[::1]:80", true},
    {"http://example.com:", "example.com", true},
    {"http://example.com:080", "example.com:80", true},
    {"https://example.com", "example.com:80", false},
    {"http://example.com", "example.com:443", false},
    {"http://example.com:8000", "example.com", false},
    {"http://example.com", "example.com:8000", false},
    {"http://example.com:8000", "example.com:8001", false},
    {"http://example.org", "example.com", false},
    {"http://example.com.evil.org", "example.com", false},
    {"http://evil.org/example.com", "example.com", false},
    {"http://example.com@evil.org", "example.com", false},
    {"http://sub.example.com", "example.com", false},
    {"http://[::1]", "[::2]", false},
    {"null", "null", false},
    {"", "", false},
    {"http://", "", false},
    {"example.com", "example.com", false},
    {"file://example.com", "example.com", false},
    {"chrome-extension://example.com", "example.com", false},
    {"http:/example.com", "example.com", false},
};

TEST(Origin, SameHostAndPort) {
  for (const OriginRow& row : kOrigins) {
    EXPECT_EQ(is_same_origin(row.origin, row.host), row.same) << row.origin << " " << row.host;
  }
}

// The definition, by recursion over every length that a star may take.
bool slow_glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (slow_glob(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  return !text.empty() && pattern.front() == text.front() &&
         slow_glob(pattern.substr(1), text.substr(1));
}

void all_strings(std::string_view alphabet, std::size_t most, std::vector<std::string>& out) {
  out.emplace_back();
  for (std::size_t done = 0, length = 0; length < most; ++length) {
    for (const std::size_t end = out.size(); done < end; ++done) {
      for (const char c : alphabet) out.push_back(out[done] + c);
    }
  }
}

TEST(Glob, AgreesWithItsDefinitionOnAllShortStrings) {
  std::vector<std::string> patterns;
  std::vector<std::string> texts;
  all_strings("ab*", 5, patterns);
  all_strings("ab", 6, texts);
  for (const std::string& pattern : patterns) {
    for (const std::string& text : texts) {
      ASSERT_EQ(glob_match(pattern, text), slow_glob(pattern, text)) << pattern << " " << text;
    }
  }
}

TEST(Glob, Origins) {
  EXPECT_TRUE(glob_match("*", "null"));
  EXPECT_TRUE(glob_match("https://*.example.com", "https://a.b.EXAMPLE.com"));
  EXPECT_TRUE(glob_match("HTTPS://*.example.com", "https://a.example.com"));
  EXPECT_TRUE(glob_match("http://localhost:*", "http://localhost:3000"));
  EXPECT_FALSE(glob_match("https://*.example.com", "https://example.com"));
  EXPECT_FALSE(glob_match("https://*.example.com", "http://a.example.com"));
  EXPECT_FALSE(glob_match("https://*.example.com", "https://a.example.com.evil.org"));
  EXPECT_FALSE(glob_match("https://a.example.com", "https://axexample.com"));
}

// An exponential or cubic matcher would not come back from this.
TEST(Glob, ManyStarsStayCheap) {
  const std::string text(16'000, 'a');
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", text));
  EXPECT_TRUE(glob_match(pattern, text));
}

TEST(Origin, CheckedByPatternsOrSameHost) {
  const Parsed page({.more = "Origin: https://app.example.com"});
  const Parsed own({.more = "Origin: https://server.example.com"});
  const Parsed no_page({});
  const std::string_view globs[] = {"https://other.org", "https://app.*"};
  EXPECT_EQ(check_origin(page.head, page.handshake, {}), origin_refused);
  EXPECT_EQ(check_origin(page.head, page.handshake, globs), none);
  EXPECT_EQ(check_origin(own.head, own.handshake, {}), none);
  EXPECT_EQ(check_origin(own.head, own.handshake, globs), origin_refused);
  EXPECT_EQ(check_origin(no_page.head, no_page.handshake, {}), none);
  EXPECT_EQ(check_origin(no_page.head, no_page.handshake, globs), none);
  EXPECT_EQ(describe(origin_refused).status, 403);
}

// The origin is compared with the host of an absolute-form target when there is one.
TEST(Origin, OfAnAbsoluteFormTarget) {
  const Parsed parsed(
      {.request_line = "GET http://b:81/chat HTTP/1.1", .more = "Origin: http://b:81"});
  EXPECT_EQ(check_origin(parsed.head, parsed.handshake, {}), none);
}

std::string response(const Handshake& handshake, std::string_view subprotocol,
                     std::string_view extensions, std::size_t room) {
  const test::GuardPages pages(room);
  const Bytes out = pages.at_end(room);
  const std::size_t bytes = write_handshake_response(out, handshake, subprotocol, extensions);
  return std::string(as_text(out.first(bytes)));
}

TEST(HandshakeResponse, IsTheRfcsExample) {
  const Parsed parsed({});
  EXPECT_EQ(response(parsed.handshake, {}, {}, kHandshakeResponseBytes),
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "\r\n");
}

TEST(HandshakeResponse, NamesSubprotocolAndExtensions) {
  const Parsed parsed({});
  const std::string text = response(parsed.handshake, "chat", "permessage-deflate; a=1", 512);
  EXPECT_NE(text.find("\r\nSec-WebSocket-Protocol: chat\r\n"), std::string::npos);
  EXPECT_NE(text.find("\r\nSec-WebSocket-Extensions: permessage-deflate; a=1\r\n"),
            std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(HandshakeResponse, FitsIntoItsStatedSizeAndNeverOverflows) {
  const Parsed parsed({});
  const std::string subprotocol(100, 'p');
  const std::string extensions(50, 'e');
  const std::size_t stated = kHandshakeResponseBytes + subprotocol.size() + extensions.size();
  const std::size_t size = response(parsed.handshake, subprotocol, extensions, stated).size();
  ASSERT_GT(size, 0U);
  for (std::size_t room = 0; room < size; ++room) {
    ASSERT_EQ(response(parsed.handshake, subprotocol, extensions, room), "") << room;
  }
  EXPECT_EQ(response(parsed.handshake, subprotocol, extensions, size).size(), size);
}

TEST(HandshakeResponse, CannotBeSplitByASubprotocol) {
  const Parsed parsed({});
  EXPECT_EQ(response(parsed.handshake, "a\r\nSet-Cookie: b", {}, 512), "");
}

TEST(HandshakeErrors, EachHasAClauseAStatusAndARemedy) {
  for (const HandshakeErrorInfo& info : kHandshakeErrors) {
    if (info.error == none) continue;
    SCOPED_TRACE(info.name);
    EXPECT_TRUE(info.clause.starts_with("RFC "));
    EXPECT_GE(info.status, 400);
    EXPECT_TRUE(info.remedy.ends_with('.'));
    std::array<std::byte, kRefusalBytes> out;
    EXPECT_GT(write_refusal(out, {.status = info.status, .remedy = info.remedy}), 0U);
  }
}

}  // namespace
}  // namespace spate::codec
