#include "handlers/client_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <vector>

#include "tests/codec/http_outline.h"

namespace spate::handlers {
namespace {

// Somebody at an address; carries nothing.
class Somebody final : public core::Transport {
 public:
  explicit Somebody(const core::Address& address) : address_(address) {}
  ssize_t recv(core::Link&, Bytes) override { return -EAGAIN; }
  ssize_t send(core::Link&, std::span<const iovec>) override { return -EAGAIN; }
  void shutdown_send(core::Link&) override {}
  void close(core::Link&) override {}
  core::Address peer(const core::Link&) const override { return address_; }

 private:
  core::Address address_;
};

core::Address address(const std::string& text) {
  if (text != "unix:") return core::parse_address(text).value();
  core::Address out;
  out.storage.ss_family = AF_UNIX;
  out.bytes = sizeof out.storage.ss_family;
  return out;
}

TEST(Peer, IsTheSameInEitherForm) {
  for (const char* text : {"192.0.2.7:51234", "[2001:db8::7]:51234", "unix:"})
    EXPECT_EQ(peer_of(address(text)).text(), text);
  EXPECT_EQ(peer_of({}).kind, Peer::Kind::unknown);
  EXPECT_EQ(peer_of(address_of(peer_of(address("192.0.2.7:1")))), peer_of(address("192.0.2.7:1")));
  Peer peer = peer_of(address("192.0.2.7:1"));
  peer.port = 0;
  EXPECT_EQ(peer.text(), "192.0.2.7");
  peer = peer_of(address("[::1]:1"));
  peer.port = 0;
  EXPECT_EQ(peer.text(), "[::1]");
}

TEST(TrustedProxies, AreThoseThatWereNamed) {
  const TrustedProxies proxies({"10.0.0.0/8", "::1"});
  EXPECT_TRUE(proxies.trusts(peer_of(address("10.1.2.3:1"))));
  EXPECT_TRUE(proxies.trusts(peer_of(address("[::1]:1"))));
  EXPECT_FALSE(proxies.trusts(peer_of(address("11.0.0.0:1"))));
  EXPECT_FALSE(proxies.trusts(peer_of(address("unix:"))));
  EXPECT_FALSE(proxies.trusts({}));
  EXPECT_TRUE(TrustedProxies({"unix"}).trusts(peer_of(address("unix:"))));
  EXPECT_FALSE(TrustedProxies().trusts(peer_of(address("127.0.0.1:1"))));
  // Even where all addresses are trusted, somebody without one is not.
  EXPECT_FALSE(TrustedProxies({"::/0"}).trusts({}));
  for (const char* text : {"10.0.0.0/8", "::1", "unix"})
    EXPECT_EQ(TrustedProxies::check(text), "") << text;
  for (const char* text : {"", "localhost", "10.0.0.1/8", "Unix", "unix:/x", "127.0.0.1:80"})
    EXPECT_NE(TrustedProxies::check(text), "") << text;
}

struct Row {
  const char* name;
  const char* peer;
  std::vector<std::string> lines;  // of X-Forwarded-For
  const char* client;
};

// Trusted: 10.0.0.0/8, 2001:db8::/32 and unix.
const Row kRows[] = {
    {"no header", "10.0.0.1:80", {}, "10.0.0.1:80"},
    {"the client of one proxy", "10.0.0.1:80", {"192.0.2.7"}, "192.0.2.7"},
    {"with its port", "10.0.0.1:80", {"192.0.2.7:99"}, "192.0.2.7:99"},
    {"over a Unix-domain socket", "unix:", {"192.0.2.7"}, "192.0.2.7"},
    {"of several proxies", "10.0.0.1:80", {"192.0.2.7, 2001:db8::1, 10.0.0.2"}, "192.0.2.7"},
    {"a proxy before the client is its claim", "10.0.0.1:80", {"10.9.9.9, 192.0.2.7"}, "192.0.2.7"},
    {"claims before it are worth nothing",
     "10.0.0.1:80",
     {"9.9.9.9, 192.0.2.7, 10.0.0.2"},
     "192.0.2.7"},
    {"on lines of their own", "10.0.0.1:80", {"9.9.9.9", "192.0.2.7", "10.0.0.2"}, "192.0.2.7"},
    {"a client among the trusted", "10.0.0.1:80", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
    {"hidden, it is the proxy", "10.0.0.1:80", {"9.9.9.9, unknown"}, "10.0.0.1:80"},
    {"hidden from a proxy further out", "10.0.0.1:80", {"9.9.9.9, unknown, 10.0.0.2"}, "10.0.0.2"},
    {"nor does what it hid reach around",
     "10.0.0.1:80",
     {"9.9.9.9, x, 10.0.0.3, 10.0.0.2"},
     "10.0.0.3"},
    {"nobody trusted", "192.0.2.1:80", {"9.9.9.9"}, "192.0.2.1:80"},
};

TEST(ClientOf, IsTheLastOneThatNoProxyVouchesForAsAProxy) {
  const ClientRules rules{TrustedProxies({"10.0.0.0/8", "2001:db8::/32", "unix"}),
                          codec::ForwardedHeader::x_forwarded_for};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    std::string request = "GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=8.8.8.8\r\n";
    for (const std::string& line : row.lines) request += "X-Forwarded-For: " + line + "\r\n";
    const test::ExactBlock block(request + "\r\n");
    codec::HttpHead head;
    ASSERT_EQ(codec::parse_http_head(block.bytes(), {}, head).status, codec::HttpParse::ok);
    Somebody transport(address(row.peer));
    core::Connection connection;
    connection.transport = &transport;
    EXPECT_EQ(client_of(connection, head, rules).text(), row.client);
    EXPECT_EQ(RequestPeer(connection, head, rules)().text(), row.client);
    ClientRules none = rules;
    none.header = codec::ForwardedHeader::none;
    EXPECT_EQ(client_of(connection, head, none).text(), row.peer);
  }
}

}  // namespace
}  // namespace spate::handlers
