#include "handlers/proxy_transport.h"

#include <gtest/gtest.h>

#include <string>

#include "core/log.h"
#include "tests/core/memory_transport.h"
#include "tests/core/recorder.h"

namespace spate::handlers {
namespace {

using test::Wire;

// A loop's transport whose peers have an address.
class From final : public core::Transport {
 public:
  explicit From(core::Transport& below) : below_(below) {}
  ssize_t recv(core::Link& link, Bytes to) override { return below_.recv(link, to); }
  ssize_t send(core::Link& link, std::span<const iovec> pieces) override {
    return below_.send(link, pieces);
  }
  void shutdown_send(core::Link& link) override { below_.shutdown_send(link); }
  void close(core::Link& link) override { below_.close(link); }
  core::Address peer(const core::Link&) const override { return address; }

  core::Address address = core::parse_address("10.0.0.1:80").value();

 private:
  core::Transport& below_;
};

class ProxyTransportTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    core::log::init(core::log::Level::error, core::log::Format::text);
  }
  ProxyTransportTest() {
    protocol.bytes_hook = [this](core::Connection& connection, const core::ReceiveWindow& window) {
      received += as_text(window.bytes);
      peer = peer_of(connection.transport->peer(connection.link)).text();
      loop.table.write(connection, window.bytes);
      return core::Kept{};
    };
  }

  // What the protocol sees of a connection that says so, in pieces of `chop` bytes.
  void say(std::string_view bytes, std::size_t chop) {
    received.clear();
    peer.clear();
    wire = &loop.connect(protocol, &proxy);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(chop, bytes.size()))) {
      wire->to_server += bytes.substr(0, chop);
      loop.settle();
    }
  }

  static constexpr std::string_view kHeader = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n";

  test::Recorder protocol;
  std::string received;
  std::string peer;
  Wire* wire = nullptr;
  test::MemoryLoop loop{{}};
  From from{loop.transport};
  const TrustedProxies trusted{{"10.0.0.0/8"}};
  ProxyTransport proxy{from, trusted};

  ~ProxyTransportTest() override {
    loop.table.for_each([this](core::Connection& each) { loop.table.abort(each); });
  }
};

TEST_F(ProxyTransportTest, WhatFollowsTheHeaderIsTheClients) {
  const std::string all = std::string(kHeader) + "hello";
  for (std::size_t chop = 1; chop <= all.size(); ++chop) {
    say(all, chop);
    EXPECT_EQ(received, "hello") << chop;
    EXPECT_EQ(peer, "192.0.2.7:51234");
    EXPECT_EQ(wire->to_client, "hello");
    EXPECT_FALSE(wire->closed);
  }
  EXPECT_EQ(proxy.metrics().headers_with_client, all.size());
}

TEST_F(ProxyTransportTest, OneWithoutAClientLeavesTheProxy) {
  say("PROXY UNKNOWN\r\nhello", 100);
  EXPECT_EQ(received, "hello");
  EXPECT_EQ(peer, "10.0.0.1:80");
  EXPECT_EQ(proxy.metrics().headers_without, 1u);
}

TEST_F(ProxyTransportTest, BadOneEndsTheConnection) {
  for (const std::size_t chop : {1u, 100u}) {
    say("PROXY TCP4 192.0.2.7\r\nhello", chop);
    EXPECT_EQ(received, "");
    EXPECT_TRUE(wire->closed);
    EXPECT_EQ(wire->to_client, "");
  }
  const auto line = static_cast<std::size_t>(codec::ProxyHeaderError::bad_line) - 1;
  EXPECT_EQ(proxy.metrics().bad_headers[line], 2u);
}

TEST_F(ProxyTransportTest, EndInsteadOfTheRestEndsTheConnection) {
  say(kHeader.substr(0, 10), 10);
  wire->client_ended = true;
  loop.settle();
  EXPECT_TRUE(wire->closed);
  EXPECT_EQ(proxy.metrics().abandoned, 1u);
}

TEST_F(ProxyTransportTest, WhoIsNotTrustedIsNotRead) {
  from.address = core::parse_address("192.0.2.1:80").value();
  wire = &loop.connect(protocol, &proxy);
  EXPECT_TRUE(wire->server_ended) << "told at once";
  wire->to_server = std::string(kHeader) + "hello";
  loop.settle();
  EXPECT_TRUE(wire->closed);
  EXPECT_EQ(received, "");
  EXPECT_EQ(proxy.metrics().refused_peers, 1u);
  EXPECT_EQ(wire->to_server.size(), kHeader.size() + 5);
}

// A fault at each operation below: the client's bytes are seen whole, or the connection is gone.
TEST_F(ProxyTransportTest, FaultsBelowChangeNothing) {
  for (std::uint64_t number = 0; number < 4; ++number) {
    for (const int error : {EAGAIN, ECONNRESET, 0}) {
      loop.transport.set_plan(test::MemoryTransport::only(
          number, {.error = error, .bytes = error == 0 ? 1 : ~std::size_t{0}}));
      say(std::string(kHeader) + "hello", 100);
      if (wire->closed) {
        EXPECT_EQ(error, ECONNRESET);
        continue;
      }
      EXPECT_EQ(received, "hello") << number << " " << error;
      EXPECT_EQ(wire->to_client, "hello");
    }
  }
}

}  // namespace
}  // namespace spate::handlers
