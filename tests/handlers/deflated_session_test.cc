// Sessions that negotiated permessage-deflate: RFC 7692 §6 and §7.2, over the memory transport.
#include "handlers/deflated_session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/handlers/deflated_fixture.h"

namespace spate::test {
namespace {

using namespace std::string_literals;
using codec::Opcode;
using handlers::Message;
using handlers::WebSocket;

class DeflatedSessionTest : public DeflatedFixture {};

TEST_F(DeflatedSessionTest, EchoesEverySizeCompressed) {
  session_options.rules.max_message_bytes = 200'000;
  Wire& wire = connect();
  Peer peer;
  for (const std::size_t bytes : {40u, 125u, 126u, 127u, 1000u, 65535u, 65536u, 65537u, 200'000u})
    for (const Opcode opcode : {Opcode::text, Opcode::binary}) {
      wire.to_client.clear();
      say(wire, peer.frame(json(bytes), opcode));
      ASSERT_EQ(peer.read(wire.to_client), std::vector{compressed(json(bytes), opcode)}) << bytes;
      ASSERT_LT(wire.to_client.size(), 40 + bytes / 4);
    }
  EXPECT_EQ(wire.connection->hold, nullptr);
  EXPECT_EQ(counted().messages[0], 18u);
  EXPECT_EQ(counted().messages[1], 18u);
  EXPECT_EQ(counted().plain_bytes[0], counted().plain_bytes[1]);
  EXPECT_LT(counted().compressed_bytes[0], counted().plain_bytes[0] / 4);
  EXPECT_EQ(counted().memory[1], 0u) << "a connection without contexts keeps none";
}

TEST_F(DeflatedSessionTest, PlainAndCompressedMessagesMix) {
  Wire& wire = connect();
  Peer peer;
  Frames short_one, long_one;
  say(wire, std::string(short_one.text("short")) + peer.frame("tiny") +
                std::string(long_one.text(json(500))) + peer.frame(noise(500), Opcode::binary) +
                std::string(Frames().text("")));
  // Sent plain: what is short, and what does not become smaller.
  EXPECT_EQ(peer.read(wire.to_client),
            (std::vector{plain("short"), plain("tiny"), compressed(json(500)),
                         plain(noise(500), Opcode::binary), plain("")}));
  EXPECT_EQ(counted().incompressible, 1u);
  EXPECT_EQ(counted().messages[0], 2u);
  EXPECT_EQ(counted().messages[1], 1u);
}

TEST_F(DeflatedSessionTest, AnEmptyMessageMayBeCompressed) {
  Wire& wire = connect();
  say(wire,
      std::string(Frames().raw(0xC1, "\x00"s)) + std::string(Frames().raw(0xC2, "\x02\x00"s)));
  EXPECT_EQ(Peer().read(wire.to_client), (std::vector{plain(""), plain("", Opcode::binary)}));
}

// A small frame may hold a large message: one that pauses is not followed by others.
TEST_F(DeflatedSessionTest, BehindAPauseNothingIsInflated) {
  Wire& wire = connect();
  Peer peer;
  std::vector<std::string> taken;
  handler.message_hook = [&](WebSocket&, const Message& message) {
    taken.emplace_back(as_text(message.payload));
    loop->table.pause_reading(*wire.connection);
  };
  const std::string last = peer.frame(json(400));
  say(wire, peer.frame(json(1000)) + peer.frame(json(500)) +
                peer.frame(noise(3000), Opcode::binary) + std::string(Frames().text("plain")) +
                last.substr(0, 20));
  wire.to_server = last.substr(20);
  const std::vector<std::string> all{json(1000), json(500), noise(3000), "plain", json(400)};
  for (std::size_t i = 0; i < all.size(); ++i) {
    loop->live(core::ticks_of_ms(10'000));
    ASSERT_EQ(taken.size(), i + 1);
    EXPECT_EQ(taken.back(), all[i]);
    EXPECT_FALSE(wire.closed) << "time rests meanwhile";
    loop->table.resume_reading(*wire.connection);
    loop->settle();
  }
  EXPECT_EQ(taken.size(), all.size());
  EXPECT_EQ(wire.connection->hold, nullptr);
}

// Fragments, with control frames in between, however the bytes come.
TEST_F(DeflatedSessionTest, AnswersAlikeHoweverTheBytesAreCut) {
  Peer peer;
  const std::string message = json(300), payload = peer.deflate(message);
  Frames frames;
  frames.raw(0x41, payload.substr(0, 5)).ping("1").raw(0x00, payload.substr(5, 20));
  frames.raw(0x00, "").ping("2").raw(0x80, payload.substr(25)).text("plain").close(1000, "");
  const std::string bytes = frames;
  const std::vector<Received> expected{plain("1", Opcode::pong), plain("2", Opcode::pong),
                                       compressed(message), plain("plain"),
                                       plain("\x03\xE8", Opcode::close)};
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Wire& wire = connect();
    say(wire, bytes.substr(0, cut));
    say(wire, bytes.substr(cut));
    ASSERT_EQ(peer.read(wire.to_client), expected) << cut;
  }
  Wire& wire = connect();
  for (const char byte : bytes) say(wire, std::string(1, byte));
  EXPECT_EQ(peer.read(wire.to_client), expected);
}

struct Fault {
  const char* name;
  std::string bytes;
  unsigned close_code;
  const char* clause;
};

TEST_F(DeflatedSessionTest, WhatBreaksTheRulesFailsTheConnection) {
  Peer peer;
  const std::string payload = peer.deflate(json(300));
  const std::string half_character = peer.deflate(json(100) + "\xE2\x82");
  const std::string overlong = peer.deflate(json(40000) + "\xC0\xAF" + json(1000));
  const std::vector<Fault> faults{
      {"RSV1 on a continuation", Frames().raw(0x41, "x").raw(0xC0, "y"), 1002, "§6.1"},
      {"RSV1 on a continuation of a plain message", Frames().raw(0x01, "x").raw(0xC0, "y"), 1002,
       "§6.1"},
      {"RSV1 on a ping", Frames().raw(0xC9, "x"), 1002, "§6.1"},
      {"RSV1 on a close", Frames().raw(0xC8, "\x03\xE8"), 1002, "§6.1"},
      {"RSV2", Frames().raw(0xA1, "x"), 1002, "RFC 6455 §5.2"},
      {"RSV1 and RSV3", Frames().raw(0xD1, "x"), 1002, "RFC 6455 §5.2"},
      {"no DEFLATE data", Frames().raw(0xC1, "Hello"), 1007, "§7.2.2"},
      {"an empty payload", Frames().raw(0xC1, ""), 1007, "§7.2.2"},
      {"cut off", Frames().raw(0xC1, payload.substr(0, payload.size() - 1)), 1007, "§7.2.2"},
      {"fragments cut off", Frames().raw(0x41, payload.substr(0, 9)).raw(0x80, ""), 1007, "§7.2.2"},
      {"the tail left on", Frames().raw(0xC1, payload + "\x00\x00\xFF\xFF"s), 1007, "§7.2.1"},
      {"text that is not UTF-8", Frames().raw(0xC1, peer.deflate(json(50) + "\xFF")), 1007,
       "RFC 6455 §8.1"},
      {"text that ends in half a character", Frames().raw(0xC1, half_character), 1007,
       "RFC 6455 §8.1"},
      {"overlong text, far in", Frames().raw(0xC1, overlong), 1007, "RFC 6455 §8.1"},
      {"a byte too long", Frames().raw(0xC2, peer.deflate(std::string(65537, 'x'))), 1009,
       "RFC 6455 §7.4.1"},
      {"a bomb", Frames().raw(0xC2, peer.deflate(std::string(60'000'000, '\0'))), 1009,
       "RFC 6455 §7.4.1"},
      {"too long as it comes", Frames().raw(0xC2, std::string(80'000, 'x')), 1009,
       "RFC 6455 §7.4.1"},
      {"too long and plain", Frames().raw(0x82, std::string(65537, 'x')), 1009, "RFC 6455 §7.4.1"},
  };
  handler.message_hook = [](WebSocket&, const Message&) { FAIL() << "handed to the endpoint"; };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(std::string(fault.name) + " — RFC 7692 " + fault.clause);
    Wire& wire = connect();
    say(wire, fault.bytes);
    const std::vector<Received> received = peer.read(wire.to_client);
    ASSERT_EQ(received.size(), 1u);
    EXPECT_EQ(received[0].opcode, Opcode::close);
    EXPECT_EQ(received[0].payload.substr(0, 2), close_frame(fault.close_code).payload);
    EXPECT_TRUE(wire.server_ended);
  }
  EXPECT_EQ(protocol_errors(*session), faults.size());
}

// As large as may be, of what compression makes larger.
TEST_F(DeflatedSessionTest, TheLimitIsThatOfTheMessage) {
  Wire& wire = connect();
  Peer peer;
  const std::string message = noise(65536);
  ASSERT_GT(peer.deflate(message).size(), 65536u);
  say(wire, peer.frame(message, Opcode::binary) + peer.frame(std::string(65536, 'x')));
  EXPECT_EQ(peer.read(wire.to_client),
            (std::vector{plain(message, Opcode::binary), compressed(std::string(65536, 'x'))}));
}

TEST_F(DeflatedSessionTest, ThePeersWindowIsKept) {
  for (int bits = 9; bits <= 15; ++bits) {
    Wire& wire = connect({.server_window_bits = static_cast<std::uint8_t>(bits)});
    Peer sender, receiver(false, bits);
    // What repeats only beyond the window must not be referred to.
    const std::string message = json(20'000, 5) + json(20'000, 6);
    say(wire, sender.frame(message));
    ASSERT_EQ(receiver.read(wire.to_client), std::vector{compressed(message)}) << bits;
  }
}

TEST_F(DeflatedSessionTest, ContextsAreKeptWhereAgreed) {
  const codec::DeflateTerms both{.server_context_takeover = true,
                                 .client_context_takeover = true,
                                 .server_window_bits = 12,
                                 .client_window_bits = 12};
  options.context_takeover = true;
  Wire& wire = connect(both);
  EXPECT_EQ(counted().memory[1], 0u) << "made with the first message";
  Peer peer(true, 12);
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 3; ++i) {
    wire.to_client.clear();
    say(wire, peer.frame(json(600)));
    ASSERT_EQ(peer.read(wire.to_client), std::vector{compressed(json(600))});
    sizes.push_back(wire.to_client.size());
  }
  EXPECT_LT(sizes[1], sizes[0] / 3);
  // Messages that are sent plain are no part of a context.
  say(wire, Frames().text("short"));
  say(wire, peer.frame(noise(3000), Opcode::binary));
  wire.to_client.clear();
  say(wire, peer.frame(json(600)));
  EXPECT_EQ(peer.read(wire.to_client), std::vector{compressed(json(600))});
  EXPECT_GT(counted().memory[1], 0u);
  EXPECT_LE(counted().memory[1], codec::deflater_bytes(12) + codec::inflater_bytes(12));
}

// The worker's inflater begins anew with every message, also after one that failed.
TEST_F(DeflatedSessionTest, ConnectionsDoNotSeeEachOther) {
  Wire& one = connect();
  Wire& two = connect();
  Peer peer;
  say(one, peer.frame("Hello, Hello, Hello, Hello, Hello"));
  // RFC 7692 §7.2.3.2: refers back to a "Hello" before it.
  say(two, Frames().raw(0xC1, "\xf2\x00\x11\x00\x00"s));
  EXPECT_EQ(peer.read(two.to_client)[0].payload.substr(0, 2), close_frame(1007).payload);
  one.to_client.clear();
  say(one, peer.frame(json(100)));
  EXPECT_EQ(peer.read(one.to_client), std::vector{compressed(json(100))});
}

codec::ExtensionOffers offers_of(codec::HttpHead& head, const std::string& request) {
  EXPECT_EQ(codec::parse_http_head(as_bytes(request), {}, head).status, codec::HttpParse::ok);
  return codec::ExtensionOffers(head);
}

TEST(Deflation, ContextsAreGrantedAsFarAsTheMemoryReaches) {
  const std::string request =
      "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: permessage-deflate; "
      "client_max_window_bits\r\n\r\n";
  codec::HttpHead head;
  const auto offers = offers_of(head, request);
  const std::uint64_t one = codec::deflater_bytes(12) + codec::inflater_bytes(12);
  handlers::Deflation deflation({.context_takeover = true, .memory_bytes = 2 * one + 100});
  std::vector<handlers::DeflatePeer> peers;
  for (const bool granted : {true, true, false, false}) {
    const auto agreement = deflation.negotiate(offers);
    ASSERT_TRUE(agreement);
    EXPECT_EQ(agreement->terms().server_context_takeover, granted);
    EXPECT_EQ(agreement->terms().client_context_takeover, granted);
    peers.push_back(deflation.adopt(agreement->terms()));
  }
  EXPECT_EQ(deflation.metrics().refusals[1], 2u);
  deflation.release(peers[0]);
  EXPECT_TRUE(deflation.negotiate(offers)->terms().server_context_takeover) << "room again";
  for (std::size_t i = 1; i < peers.size(); ++i) deflation.release(peers[i]);
  EXPECT_EQ(deflation.metrics().connections, 0u);
}

TEST(Deflation, ADeclinedOfferIsCounted) {
  handlers::Deflation deflation({});
  codec::HttpHead head;
  const std::string declined =
      "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: permessage-deflate; x\r\n\r\n";
  const std::string none = "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: x\r\n\r\n";
  EXPECT_FALSE(deflation.negotiate(offers_of(head, declined)));
  EXPECT_EQ(deflation.metrics().refusals[0], 1u);
  EXPECT_FALSE(deflation.negotiate(offers_of(head, none)));
  EXPECT_EQ(deflation.metrics().refusals[0], 1u);
}

}  // namespace
}  // namespace spate::test
