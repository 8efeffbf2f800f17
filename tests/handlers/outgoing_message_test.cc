// One message to many connections, compressed once.
#include "handlers/outgoing_message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/handlers/deflated_fixture.h"

namespace spate::test {
namespace {

using namespace std::string_literals;
using codec::Opcode;

class OutgoingMessageTest : public DeflatedFixture {};

TEST_F(OutgoingMessageTest, OneMessageIsCompressedOnceForAllThatHoldItWhole) {
  std::vector<Wire*> wires;
  for (const int bits : {15, 12, 11, 15, 9})
    wires.push_back(&connect({.server_window_bits = static_cast<std::uint8_t>(bits)}));
  const std::string payload = json(1500);  // held whole by a window of 11 bits
  handlers::OutgoingMessage message(Opcode::text, as_bytes(payload));
  for (Wire* const wire : wires)
    loop->table.with(*wire->connection, [&] { socket_of(*wire).send(message); });
  for (Wire* const wire : wires)
    EXPECT_EQ(Peer(false, wire == wires.back() ? 9 : 11).read(wire->to_client),
              std::vector{compressed(payload)});
  EXPECT_EQ(counted().messages[1], 2u) << "once for 11 bits and more, once for 9";
  EXPECT_EQ(session->metrics().messages_sent, 5u);
  EXPECT_EQ(message.deflated(*deflation, 15).data(), message.deflated(*deflation, 11).data());
}

TEST_F(OutgoingMessageTest, WhatIsNotWorthItGoesPlainAndIsTriedOnce) {
  Wire& one = connect();
  Wire& two = connect();
  for (const std::string& payload : {noise(500), "short"s, ""s}) {
    one.to_client.clear();
    two.to_client.clear();
    handlers::OutgoingMessage message(Opcode::binary, as_bytes(payload));
    for (Wire* const wire : {&one, &two})
      loop->table.with(*wire->connection, [&] { socket_of(*wire).send(message); });
    EXPECT_EQ(Peer().read(one.to_client), std::vector{plain(payload, Opcode::binary)});
    EXPECT_EQ(two.to_client, one.to_client);
  }
  EXPECT_EQ(counted().incompressible, 1u);
}

// What a context did not compress must not be referred to by it.
TEST_F(OutgoingMessageTest, ASharedMessageFitsBetweenThoseOfAContext) {
  options.context_takeover = true;
  Wire& wire = connect({.server_context_takeover = true, .client_context_takeover = true});
  Peer peer(true);
  say(wire, peer.frame(json(600, 1)));
  const std::string payload = json(700, 2);
  handlers::OutgoingMessage message(Opcode::text, as_bytes(payload));
  loop->table.with(*wire.connection, [&] { socket_of(wire).send(message); });
  say(wire, peer.frame(json(600, 1)));
  say(wire, peer.frame(json(600, 1)));
  EXPECT_EQ(peer.read(wire.to_client),
            (std::vector{compressed(json(600, 1)), compressed(payload), compressed(json(600, 1)),
                         compressed(json(600, 1))}));
}

TEST_F(SessionFixture, APlainSessionSendsTheSameMessagePlain) {
  Wire& wire = connect();
  const std::string payload = json(1500);
  handlers::OutgoingMessage message(Opcode::text, as_bytes(payload));
  loop->table.with(*wire.connection, [&] { socket_of(wire).send(message); });
  EXPECT_EQ(frames_of(wire.to_client), std::vector{text(payload)});
}

}  // namespace
}  // namespace spate::test
