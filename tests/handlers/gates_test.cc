// What an echoed message costs, counted and not timed: after warm-up no heap allocation, one
// receive and one send; and what the client protocol's encodings cost. The counts are the same on
// every machine, so a regression shows on the first run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

#include "core/connection_table.h"
#include "core/listener.h"
#include "core/reactor.h"
#include "handlers/client/reader.h"
#include "handlers/client/writer.h"
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
