// TLS over the memory transport: what a client sends arrives, whatever the transport below does.
#include "core/tls_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/tls_context.h"
#include "tests/core/recorder.h"
#include "tests/core/tls_client.h"

namespace spate::core {
namespace {

using test::Identity;
using test::make_identity;
using test::MemoryTransport;
using test::Recorder;
using test::TlsClient;
using test::Wire;
using testing::HasSubstr;

TlsCredentials credentials_of(const Identity& identity) {
  return {.pairs = {{"server.pem", identity.certificate, "server.key", identity.key}},
          .client_ca_name = {},
          .client_ca = {}};
}

const Identity& server_identity() {
  static const Identity identity = make_identity("DNS:server.example");
  return identity;
}

class Tls : public testing::Test {
 protected:
  void start(const TlsCredentials& credentials, std::uint64_t ring_bytes = 256 * 1024) {
    stop();
    auto context = TlsContext::create(credentials);
    ASSERT_TRUE(context.ok()) << context.error();
    loop = std::make_unique<test::MemoryLoop>(
        ConnectionTable::Options{.read_ring_bytes = ring_bytes, .outbox_bytes = 64 << 20});
    tls = std::make_unique<TlsTransport>(
        loop->reactor, loop->transport, std::shared_ptr<const TlsContext>(std::move(*context)),
        TlsTransport::Options{.handshake_ns_per_turn = 60'000'000'000, .metrics = metrics.get()});
    echo.bytes_hook = [this](Connection& connection, const ReceiveWindow& window) {
      loop->table.write(connection, window.bytes);
      return Kept{};
    };
    echo.end_hook = [this](Connection& connection) { loop->table.finish(connection); };
  }
  void start() { start(credentials_of(server_identity())); }
  void stop() {
    if (loop != nullptr)
      loop->table.for_each([this](Connection& each) { loop->table.abort(each); });
    loop.reset();
    metrics = std::make_unique<TlsMetrics>();
  }
  ~Tls() override { stop(); }

  Wire& connect() { return loop->connect(echo, tls.get()); }
  // Until nothing moves any more.
  void talk(TlsClient& client) {
    bool moved = true;
    while (moved) {
      moved = client.step();
      loop->settle();
      moved = client.step() || moved;
    }
  }
  std::uint64_t failures(TlsFailure failure) const {
    return metrics->failures[static_cast<std::size_t>(failure)];
  }

  std::unique_ptr<TlsMetrics> metrics;
  Recorder echo;
  std::unique_ptr<test::MemoryLoop> loop;
  std::unique_ptr<TlsTransport> tls;
};

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

TEST_F(Tls, WhatIsSentComesBackInBothVersions) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t bytes : {1u, 20u, 16'383u, 16'384u, 16'385u, 300'000u}) {
      SCOPED_TRACE(bytes);
      Wire& wire = connect();
      TlsClient client(wire, {.version = version});
      client.send(pattern(bytes));
      talk(client);
      EXPECT_EQ(client.received, pattern(bytes));
      client.end();
      talk(client);
      EXPECT_TRUE(client.ended);
      EXPECT_TRUE(wire.server_ended);
    }
  }
  EXPECT_EQ(metrics->handshakes_full, 12u);
  EXPECT_EQ(metrics->handshakes_resumed, 0u);
}

// A ring smaller than a record: what does not fit waits inside, and no event tells of it.
TEST_F(Tls, ARecordLargerThanTheRoomIsReadToItsEnd) {
  start(credentials_of(server_identity()), 8192);
  Wire& wire = connect();
  TlsClient client(wire, {});
  client.send(pattern(100'000));
  talk(client);
  EXPECT_EQ(client.received, pattern(100'000));
}

TEST_F(Tls, WhatIsHeldInsideWaitsForAReaderThatRests) {
  start(credentials_of(server_identity()), 8192);
  std::string got;
  echo.bytes_hook = [&](Connection& connection, const ReceiveWindow& window) {
    got += as_text(window.bytes);
    loop->table.pause_reading(connection);
    return Kept{};
  };
  Wire& wire = connect();
  TlsClient client(wire, {});
  client.send(pattern(16'000));
  talk(client);
  for (int i = 0; i < 100 && got.size() < 16'000; ++i) {
    const std::size_t before = got.size();
    loop->settle();
    EXPECT_EQ(got.size(), before) << "read although it rests";
    loop->table.resume_reading(*wire.connection);
    loop->table.on_turn_end();
    EXPECT_GT(got.size(), before);
  }
  EXPECT_EQ(got, pattern(16'000));
}

TEST_F(Tls, WhatTheKernelDoesNotTakeWaitsAndIsCounted) {
  start();
  for (const std::uint64_t step : {1u, 7u, 5'000u}) {
    SCOPED_TRACE(step);
    Wire& wire = connect();
    TlsClient client(wire, {});
    client.send("x");
    talk(client);
    wire.room = 0;
    const std::string text = pattern(step == 1 ? 2'000 : 200'000);
    client.send(text);
    talk(client);
    EXPECT_EQ(client.received, "x");
    ASSERT_NE(wire.connection->backlog, nullptr);
    for (int i = 0; i < 1'000'000 && client.received.size() < 1 + text.size(); ++i) {
      EXPECT_NE(wire.connection->backlog, nullptr) << "told that all was sent before it was";
      wire.room = step;
      talk(client);
    }
    EXPECT_EQ(client.received, "x" + text);
    EXPECT_EQ(wire.connection->backlog, nullptr);
  }
}

TEST_F(Tls, SmallPiecesShareARecord) {
  start();
  echo.bytes_hook = [this](Connection& connection, const ReceiveWindow&) {
    const auto block = BlockRef::copy(as_bytes(std::string(100, 'p')));
    for (int i = 0; i < 10; ++i) loop->table.write(connection, block, block.bytes());
    return Kept{};
  };
  Wire& wire = connect();
  TlsClient client(wire, {});
  talk(client);
  client.send("go");
  client.step();
  loop->settle();
  EXPECT_EQ(wire.to_client.size(), 1000u + 22u);  // header, type and tag of one record
  talk(client);
  EXPECT_EQ(client.received.size(), 1000u);
}

// A fault at operation 0, 1, 2 … until none is hit any more: short and refused ones change nothing,
// a reset ends the connection and leaves nothing behind.
TEST_F(Tls, EveryOperationBelowMayFail) {
  start();
  const std::string text = pattern(40'000);
  for (const MemoryTransport::Fault fault :
       {MemoryTransport::Fault{.bytes = 1}, MemoryTransport::Fault{.error = EAGAIN},
        MemoryTransport::Fault{.error = ECONNRESET}}) {
    SCOPED_TRACE(fault.error);
    for (std::uint64_t at = 0;; ++at) {
      SCOPED_TRACE(at);
      ASSERT_LT(at, 1000u);
      loop->transport.set_plan(MemoryTransport::only(at, fault));
      Wire& wire = connect();
      TlsClient client(wire, {});
      client.send(text);
      client.end();
      talk(client);
      if (fault.error != ECONNRESET || !wire.reset) {
        EXPECT_EQ(client.received, text);
        // The last operation is our closing alert; a peer that has closed already is not waited
        // for.
        EXPECT_TRUE(client.ended || loop->transport.operations() == at + 1);
      }
      wire.client_ended = true;
      loop->settle();
      EXPECT_TRUE(wire.closed);
      EXPECT_EQ(metrics->sessions, 0u);
      if (loop->transport.operations() <= at) break;
    }
  }
}

TEST_F(Tls, ATicketResumesAtAServerWithTheSameKeys) {
  TlsCredentials credentials = credentials_of(server_identity());
  ASSERT_TRUE(make_ticket_keys(credentials.ticket_keys));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    start(credentials);
    Wire& wire = connect();
    TlsClient first(wire, {.version = version});
    first.send("x");
    talk(first);
    const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> ticket(
        SSL_get1_session(first.tls()), SSL_SESSION_free);
    start(credentials);  // another worker
    TlsClient second(connect(), {.version = version, .resume = ticket.get()});
    second.send("y");
    talk(second);
    EXPECT_EQ(second.received, "y");
    EXPECT_EQ(metrics->handshakes_resumed, 1u);
    ASSERT_TRUE(make_ticket_keys(credentials.ticket_keys));
    start(credentials);
    TlsClient third(connect(), {.version = version, .resume = ticket.get()});
    third.send("z");
    talk(third);
    EXPECT_EQ(third.received, "z");
    EXPECT_EQ(metrics->handshakes_full, 1u);
  }
}

TEST_F(Tls, TheNameAskedForChoosesTheCertificate) {
  const Identity other = make_identity("DNS:*.other.example");
  TlsCredentials credentials = credentials_of(server_identity());
  credentials.pairs.push_back({"other.pem", other.certificate, "other.key", other.key});
  start(credentials);
  const std::pair<const char*, const Identity*> names[] = {{"", &server_identity()},
                                                           {"server.example", &server_identity()},
                                                           {"a.other.example", &other},
                                                           {"nobody.example", &server_identity()}};
  for (const auto& [name, identity] : names) {
    TlsClient client(connect(), {.name = name});
    talk(client);
    ASSERT_TRUE(client.established());
    const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(client.tls()),
                                                            X509_free);
    EXPECT_EQ(X509_cmp(shown.get(), identity->x509.get()), 0) << name;
  }
}

TEST_F(Tls, WhoSpeaksHttpIsToldToSpeakTls) {
  start();
  Wire& wire = connect();
  wire.to_server = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  loop->settle();
  EXPECT_THAT(wire.to_client, HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(wire.to_client, HasSubstr("wss://"));
  const std::size_t body = wire.to_client.find("\r\n\r\n") + 4;
  EXPECT_THAT(wire.to_client,
              HasSubstr("Content-Length: " + std::to_string(wire.to_client.size() - body)));
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(failures(TlsFailure::plain_http), 1u);
}

TEST_F(Tls, NoiseEndsTheConnectionWithAnAlert) {
  start();
  Wire& wire = connect();
  wire.to_server = "SSH-2.0-OpenSSH_9.2\r\n";
  loop->settle();
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(failures(TlsFailure::not_tls), 1u);
}

TEST_F(Tls, OldVersionsAreRefused) {
  start();
  Wire& wire = connect();
  TlsClient client(wire, {.version = TLS1_1_VERSION});
  talk(client);
  EXPECT_FALSE(client.established());
  EXPECT_TRUE(wire.closed);
  EXPECT_EQ(failures(TlsFailure::version), 1u);
}

TEST_F(Tls, ProtocolsWithoutHttp11AreRefused) {
  start();
  TlsClient both(connect(), {.protocols = std::string("\2h2\10http/1.1", 12)});
  talk(both);
  const unsigned char* chosen = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(both.tls(), &chosen, &bytes);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), bytes), "http/1.1");
  TlsClient one(connect(), {.protocols = std::string("\2h2", 3)});
  talk(one);
  EXPECT_FALSE(one.established());
  EXPECT_EQ(failures(TlsFailure::protocol), 1u);
}

TEST_F(Tls, ClientsMustShowACertificateOfTheAuthority) {
  const Identity authority = make_identity("DNS:authority.example");
  const Identity known = make_identity("DNS:client.example", 3600, &authority);
  const Identity stranger = make_identity("DNS:stranger.example");
  TlsCredentials credentials = credentials_of(server_identity());
  credentials.client_ca_name = "ca.pem";
  credentials.client_ca = authority.certificate;
  start(credentials);
  for (const Identity* identity : {&known, &stranger, static_cast<const Identity*>(nullptr)}) {
    Wire& wire = connect();
    TlsClient client(wire, {.identity = identity});
    client.send("hello");
    talk(client);
    EXPECT_EQ(client.received, identity == &known ? "hello" : "");
    EXPECT_EQ(wire.closed, identity != &known);
  }
  EXPECT_EQ(failures(TlsFailure::client_certificate), 2u);
}

TEST_F(Tls, ATruncatedRecordEndsAsAnEnd) {
  start();
  Wire& wire = connect();
  TlsClient client(wire, {});
  talk(client);
  client.send("never read");
  client.step();
  wire.to_server.resize(wire.to_server.size() - 3);
  wire.client_ended = true;
  loop->settle();
  EXPECT_EQ(echo.count("bytes:never read"), 0u);
  EXPECT_TRUE(wire.closed);
}

TEST_F(Tls, AForgedRecordEndsTheConnection) {
  start();
  Wire& wire = connect();
  TlsClient client(wire, {});
  talk(client);
  client.send("forged");
  client.step();
  wire.to_server.back() = static_cast<char>(wire.to_server.back() ^ 1);
  loop->settle();
  EXPECT_EQ(echo.count("bytes:forged"), 0u);
  EXPECT_TRUE(wire.closed);
}

TEST_F(Tls, WhoLeavesInTheMiddleLeavesNothing) {
  start();
  for (std::size_t kept = 0; kept < 300; kept += 13) {
    Wire& wire = connect();
    TlsClient client(wire, {});
    client.step();
    wire.to_server.resize(std::min(kept, wire.to_server.size()));
    wire.client_ended = true;
    loop->settle();
    EXPECT_TRUE(wire.closed) << kept;
    EXPECT_EQ(metrics->sessions, 0u);
  }
}

TEST_F(Tls, WhatIsWrittenBeforeHandsAreShakenWaits) {
  start();
  echo.open_hook = [this](Connection& connection) {
    loop->table.write(connection, as_bytes("full"));
    loop->table.finish(connection);
  };
  Wire& wire = connect();
  loop->settle();
  EXPECT_EQ(wire.to_client, "");
  TlsClient client(wire, {});
  talk(client);
  EXPECT_EQ(client.received, "full");
  EXPECT_TRUE(client.ended);
}

TEST_F(Tls, HandshakesHaveABoundedShareOfATurn) {
  start();
  auto context = TlsContext::create(credentials_of(server_identity()));
  TlsTransport strict(loop->reactor, loop->transport,
                      std::shared_ptr<const TlsContext>(std::move(*context)),
                      {.handshake_ns_per_turn = 1});
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(
        std::make_unique<TlsClient>(loop->connect(echo, &strict), TlsClient::Options{}));
    clients.back()->step();
  }
  // The clock of this loop stands: all of this is one turn.
  EXPECT_TRUE(loop->turn());
  EXPECT_TRUE(loop->turn());
  int answered = 0;
  for (const Wire& wire : loop->wires) answered += wire.to_client.empty() ? 0 : 1;
  EXPECT_EQ(answered, 1);
  loop->table.for_each([this](Connection& each) { loop->table.abort(each); });
}

TEST(TlsContextErrors, NameTheFileAndTheRemedy) {
  const Identity good = server_identity();
  const Identity other = make_identity("DNS:other.example");
  const Identity old = make_identity("DNS:old.example", -3600);
  const auto error_of = [](const TlsPair& pair) {
    const auto made = TlsContext::create({.pairs = {pair}, .client_ca_name = {}, .client_ca = {}});
    return made.ok() ? "none" : made.error();
  };
  EXPECT_THAT(error_of({"c.pem", "nothing", "k.pem", good.key}),
              HasSubstr("c.pem: no certificate in it"));
  EXPECT_THAT(error_of({"c.pem", good.certificate, "k.pem", "nothing"}),
              HasSubstr("k.pem: no private key in it"));
  EXPECT_THAT(error_of({"c.pem", good.certificate, "k.pem", other.key}),
              HasSubstr("k.pem: does not belong to c.pem"));
  EXPECT_THAT(error_of({"c.pem", old.certificate, "k.pem", old.key}),
              HasSubstr("c.pem: expired on "));
  EXPECT_EQ(error_of({"c.pem", good.certificate, "k.pem", good.key}), "none");
  TlsCredentials credentials = credentials_of(good);
  credentials.client_ca_name = "ca.pem";
  credentials.client_ca = "nothing";
  EXPECT_THAT(TlsContext::create(credentials).error(), HasSubstr("ca.pem: no certificate"));
}

}  // namespace
}  // namespace spate::core
