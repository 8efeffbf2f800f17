// What messages cost, counted and not timed. An echoed one: after warm-up no heap allocation, one
// receive and one send. A publication: a send for each subscriber, and as many allocations for a
// thousand of them as for ten. And what the client protocol's encodings cost. The counts are the
// same on every machine, so a regression shows on the first run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "core/connection_table.h"
#include "core/listener.h"
#include "core/reactor.h"
#include "handlers/client/reader.h"
#include "handlers/client/websocket_endpoint.h"
#include "handlers/client/writer.h"
#include "handlers/hub/log_broker.h"
#include "handlers/session.h"
#include "tests/codec/frames.h"
#include "tests/core/faulty_sys.h"
#include "tests/core/loopback.h"

namespace {
std::uint64_t allocations = 0;
}

// The program is linked with --wrap, so that calls from our own code come here.
extern "C" {
void* __real_malloc(std::size_t bytes);
void* __real_calloc(std::size_t count, std::size_t bytes);
void* __real_realloc(void* block, std::size_t bytes);
void* __real_aligned_alloc(std::size_t alignment, std::size_t bytes);
void* __wrap_malloc(std::size_t bytes) {
  ++allocations;
  return __real_malloc(bytes);
}
void* __wrap_calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __real_calloc(count, bytes);
}
void* __wrap_realloc(void* block, std::size_t bytes) {
  ++allocations;
  return __real_realloc(block, bytes);
}
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __real_aligned_alloc(alignment, bytes);
}
}
void* operator new(std::size_t bytes) {
  if (void* const block = std::malloc(bytes)) return block;
  std::abort();
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace spate::handlers {
namespace {

using test::Call;
using test::sys_faults;

class Echo final : public WebSocketHandler {
  void on_message(WebSocket& socket, const Message& message) override {
    socket.send(message.opcode, message.payload);
  }
};

// A server of echo sessions over real sockets, without the opening handshake, and one client.
class Gates : public testing::Test {
 protected:
  Gates() {
    EXPECT_EQ(reactor.open(), 0);
    EXPECT_TRUE(table.open_ring());
    EXPECT_EQ(listener.start(), 0);
    test::until([&] { reactor.turn(1'000'000); }, [&] { return table.count() == 1; });
  }

  ~Gates() override {
    // The table outlives the session, and would close what is open with nobody there to be told.
    table.for_each([this](core::Connection& connection) { table.abort(connection); });
  }

  // One wake-up of the server for `burst`, and its reply, which is `reply_bytes` long.
  void exchange(const std::string& burst, std::size_t reply_bytes) {
    client.received.clear();
    ASSERT_EQ(client.send(burst), burst.size());
    test::until(
        [&] {
          reactor.turn(1'000'000);
          client.receive();
        },
        [&] { return client.received.size() == reply_bytes; });
  }

  void expect_minimum(const std::string& what, const std::string& burst, std::size_t reply_bytes) {
    SCOPED_TRACE(what);
    constexpr std::uint64_t kRounds = 50;
    for (std::uint64_t i = 0; i < 10; ++i) exchange(burst, reply_bytes);
    client.received.reserve(reply_bytes);
    sys_faults().reset();
    std::uint64_t allocated = 0;
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      client.received.clear();
      ASSERT_EQ(client.send(burst), burst.size());
      const std::uint64_t before = allocations;
      // Loopback delivers before send returns: one turn finds all of it.
      reactor.turn(1'000'000'000);
      allocated += allocations - before;
      test::until([&] { client.receive(); }, [&] { return client.received.size() == reply_bytes; });
    }
    EXPECT_EQ(allocated, 0u) << "heap allocations in " << kRounds << " wake-ups";
    EXPECT_EQ(sys_faults().calls(Call::recv), kRounds);
    EXPECT_EQ(sys_faults().calls(Call::send), kRounds);
    EXPECT_EQ(sys_faults().calls(Call::epoll_wait), kRounds);
    for (const Call other :
         {Call::sendmsg, Call::epoll_ctl, Call::setsockopt, Call::read, Call::write})
      EXPECT_EQ(sys_faults().calls(other), 0u) << static_cast<int>(other);
  }

  static std::size_t reply_bytes(std::size_t payload) {
    return codec::server_header_bytes(payload) + payload;
  }

  test::Door door;
  test::Client client{door};
  core::Reactor reactor{{}};
  core::ConnectionTable table{reactor, {}};
  core::TcpTransport tcp;
  Echo echo;
  Session session{table, echo, {}};
  core::Listener listener{reactor, table, tcp, session, session, door.fd(), {}};
};

TEST_F(Gates, AnEchoedMessageIsOneReceiveOneSendAndNoAllocation) {
  for (const std::size_t payload : {20u, 125u, 126u, 1024u, 16'384u}) {
    const std::string content(payload, 'x');
    expect_minimum("binary of " + std::to_string(payload), test::Frames().binary(content),
                   reply_bytes(payload));
    expect_minimum("text of " + std::to_string(payload), test::Frames().text(content),
                   reply_bytes(payload));
  }
  const std::string greeting =
      "gr\xC3\xBC\xC3\x9F"
      "e, \xE4\xB8\x96\xE7\x95\x8C";
  expect_minimum("text beyond ASCII", test::Frames().text(greeting), reply_bytes(greeting.size()));
}

TEST_F(Gates, ABurstIsOneReceiveOneSendAndNoAllocation) {
  for (const std::size_t payload : {20u, 200u}) {
    test::Frames burst;
    for (int i = 0; i < 32; ++i)
      burst.binary(std::string(payload, static_cast<char>('a' + i % 26)));
    expect_minimum("32 of " + std::to_string(payload), burst, 32 * reply_bytes(payload));
  }
}

// A hub whose clients are real sockets, all of them subscribed to one channel.
class FanoutGates : public testing::Test {
 protected:
  static constexpr std::uint32_t kRounds = 20;

  FanoutGates() {
    EXPECT_EQ(created, 0);
    EXPECT_TRUE(broker.open().ok());
    hub.set_broker(broker);
    EXPECT_EQ(reactor.open(), 0);
    EXPECT_TRUE(table.open_ring());
    EXPECT_EQ(listener.start(), 0);
  }
  ~FanoutGates() override {
    table.for_each([this](core::Connection& connection) { table.abort(connection); });
  }

  void subscribe(std::size_t count) {
    while (subscribers.size() < count) {
      test::Client& client = *subscribers.emplace_back(std::make_unique<test::Client>(door));
      const std::string said = test::Frames().text(R"({"id":1,"connect":{}})"
                                                   "\n"
                                                   R"({"id":2,"subscribe":{"channel":"news"}})");
      EXPECT_EQ(client.send(said), said.size());
      hear(client, R"({"id":2,"subscribe":{)");
    }
  }
  void hear(test::Client& client, const std::string& part) {
    test::until(
        [&] {
          reactor.turn(1'000'000);
          client.receive();
        },
        [&] { return client.received.find(part) != std::string::npos; });
    client.received.clear();
  }
  // One turn with so many publications in it; how many heap blocks it took.
  std::uint64_t publish(int count) {
    const std::uint64_t before = allocations;
    hub::PublishRequest request;
    request.channel = "news";
    request.publication.data = R"({"text":"of some length, so that it is no short string"})";
    for (int i = 0; i < count; ++i)
      clients.publish(*rules.options_of("news"), request, [](const hub::PublishResult&) {});
    do {
      reactor.turn(0);
    } while (!hub.idle());
    return allocations - before;
  }
  // The same for each of so many rounds, after warm-up.
  std::uint64_t allocations_of(std::size_t subscribed, int publications) {
    subscribe(subscribed);
    for (int i = 0; i < 5; ++i) publish(publications);
    for (const auto& client : subscribers) client->receive();
    sys_faults().reset();
    std::uint64_t allocated = 0;
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      allocated += publish(publications);
      for (const auto& client : subscribers) client->receive();
    }
    EXPECT_EQ(sys_faults().calls(Call::send) + sys_faults().calls(Call::sendmsg),
              kRounds * subscribed)
        << publications << " publications to " << subscribed;
    return allocated;
  }

  test::Door door;
  std::vector<std::unique_ptr<test::Client>> subscribers;
  core::Reactor reactor{{}};
  core::ConnectionTable table{reactor, {}};
  core::TcpTransport tcp;
  hub::ChannelRules rules =
      hub::ChannelRules::parse(
          R"({"without_namespace":{"allow_subscribe_for_client":true,"allow_subscribe_for_anonymous":true}})")
          .value();
  hub::NamespaceMetrics space;
  hub::HubMetrics metrics{{&space}};
  hub::ClientMetrics client_metrics;
  client::RpcHandlers rpc;
  const client::ClientOptions options = [] {
    client::ClientOptions anonymous;
    anonymous.anonymous = true;
    return anonymous;
  }();
  std::unique_ptr<client::TokenVerifier> tokens = client::TokenVerifier::create({}).value();
  client::WebSocketEncoder encoder;
  core::LogMemory memory;
  const int created = memory.create(16 << 20);
  hub::Hub hub{reactor, encoder, metrics, {}};
  hub::LogBroker broker{memory, hub, {}};
  client::Clients clients{
      {reactor, hub, broker, rules, *tokens, *tokens, metrics, client_metrics, rpc, options}};
  client::WebSocketTransport transport{table};
  client::WebSocketEndpoint endpoint{clients, transport, {}};
  Session session{table, endpoint, {}};
  core::Listener listener{reactor, table, tcp, session, session, door.fd(), {}};
};

TEST_F(FanoutGates, APublicationIsASendASubscriberAndNoMoreAllocationsForMoreOfThem) {
  const std::uint64_t of_ten = allocations_of(10, 1);
  const std::uint64_t of_many = allocations_of(300, 1);
  EXPECT_EQ(of_ten, of_many);
  EXPECT_LE(of_many, 2 * kRounds) << "a publication should take its block, and little else";
}

TEST_F(FanoutGates, ABurstIsASendASubscriber) {
  const std::uint64_t of_ten = allocations_of(10, 16);
  const std::uint64_t of_many = allocations_of(300, 16);
  EXPECT_EQ(of_ten, of_many);
  EXPECT_LE(of_many, 2 * kRounds) << "a burst should take its block, and little else";
}

// How many heap blocks an operation takes once it has run.
template <typename Operation>
std::uint64_t blocks_of(Operation operation) {
  operation();
  const std::uint64_t before = allocations;
  operation();
  return allocations - before;
}

TEST(EncodingGates, APublicationIsWrittenWithoutAllocation) {
  for (const std::size_t payload : {2u, 64u, 200u, 20'000u}) {
    const std::string data(payload, '1');
    const hub::Tag tag{"key", "value"};
    const hub::Publication publication{
        data, 42, hub::ClientInfo{"user", "client", "{}", {}}, {&tag, 1}};
    for (const client::Encoding encoding : {client::Encoding::json, client::Encoding::protobuf}) {
      std::string out;
      EXPECT_EQ(blocks_of([&] {
                  out.clear();
                  client::writer_of(encoding).publication(out, "chat:index", publication, {});
                }),
                0u)
          << payload;
    }
  }
}

TEST(EncodingGates, AJsonCommandIsReadWithoutAllocation) {
  const std::string frame =
      R"({"publish":{"channel":"chat:\u0061 long name that had to be decoded","data":[)"
      "\n"
      R"({"text":"of more than a few bytes, so that it is no short string"}]},"id":7})";
  const std::unique_ptr<client::CommandReader> reader = client::make_json_reader();
  client::Command command;
  EXPECT_EQ(blocks_of([&] {
              reader->begin(as_bytes(frame));
              EXPECT_EQ(reader->next(command), client::ReadStatus::command);
              EXPECT_EQ(reader->next(command), client::ReadStatus::end);
            }),
            0u);
  EXPECT_EQ(blocks_of([&] { EXPECT_TRUE(client::is_json(frame)); }), 0u);
}

// One for each text beyond fifteen bytes.
TEST(EncodingGates, AProtobufCommandTakesABlockForEachLongText) {
  using namespace std::string_literals;
  const std::string frame = "\x1F\x08\x07\x3A\x1B\x0A\x04news\x12\x13{\"text\":\"12345678\"}"s;
  const std::unique_ptr<client::CommandReader> reader = client::make_protobuf_reader();
  client::Command command;
  EXPECT_EQ(blocks_of([&] {
              reader->begin(as_bytes(frame));
              EXPECT_EQ(reader->next(command), client::ReadStatus::command);
              EXPECT_EQ(reader->next(command), client::ReadStatus::end);
            }),
            1u);
}

}  // namespace
}  // namespace spate::handlers
