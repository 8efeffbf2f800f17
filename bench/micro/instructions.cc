// What each path costs in instructions, allocations and system calls: figures that are the same on
// every run, so that a regression of a few per cent shows at once. tools/instructions runs this
// under callgrind, which counts inside measure() only, and compares.
//
// Prints the compiler, then a line a case: its name, the operations in it, and the heap allocations
// that one made.
// callgrind hides AVX-512 and SHA-NI from the program; `make bench` times those.
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "codec/accept_key.h"
#include "codec/handshake.h"
#include "codec/http_body.h"
#include "codec/http_head.h"
#include "codec/mask.h"
#include "codec/message_decoder.h"
#include "codec/sha1.h"
#include "codec/utf8.h"
#include "core/connection_table.h"
#include "core/listener.h"
#include "core/reactor.h"
#include "handlers/session.h"
#include "tests/codec/frames.h"
#include "tests/core/loopback.h"

namespace {
std::uint64_t allocations = 0;
}

// The C library's own allocator, counted.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(block, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
}

namespace spate {
namespace {

constexpr int kWarmUps = 4, kRuns = 16;

// `prepare` makes the input anew and is not counted; `run` makes `operations` of what the case is
// named after.
template <typename Prepare, typename Run>
void measure(const std::string& name, std::size_t operations, Prepare prepare, Run run) {
  for (int i = 0; i < kWarmUps; ++i) {
    prepare();
    run();
  }
  std::uint64_t made = 0;
  CALLGRIND_ZERO_STATS;
  for (int i = 0; i < kRuns; ++i) {
    prepare();
    const std::uint64_t before = allocations;
    CALLGRIND_TOGGLE_COLLECT;
    run();
    CALLGRIND_TOGGLE_COLLECT;
    made += allocations - before;
  }
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  const double all = static_cast<double>(kRuns * operations);
  std::printf("%s %zu %g\n", name.c_str(), kRuns * operations, static_cast<double>(made) / all);
}

// Many in a row, so that switching the collection on and off does not count.
template <typename Run>
void measure(const std::string& name, Run run) {
  constexpr std::size_t kRow = 64;
  measure(
      name, kRow, [] {},
      [&] {
        for (std::size_t i = 0; i < kRow; ++i) run();
      });
}

// A result that the compiler must make.
template <typename Value>
void keep(const Value& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

void require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "instructions: %s\n", what);
  std::exit(1);
}

std::string text_of(std::string_view pattern, std::size_t bytes) {
  std::string text;
  while (text.size() + pattern.size() <= bytes) text += pattern;
  text.resize(bytes, '.');
  return text;
}

constexpr std::string_view kMixed =
    "plain words, d\xc3\xa9j\xc3\xa0 vu, \xe2\x82\xac 20, \xe6\xbc\xa2\xe5\xad\x97, "
    "\xf0\x9f\x98\x80 ";

// --- Kernels, each that this CPU (as callgrind shows it) can run.

void kernels() {
  std::vector<std::byte> buffer(65536 + 16, std::byte{'x'});
  for (const codec::MaskKernel& kernel : codec::mask_kernels())
    for (const std::size_t bytes : {20u, 125u, 1024u, 65536u})
      measure("unmask/" + std::string(kernel.name) + "/" + std::to_string(bytes), [&] {
        keep(kernel.unmask(buffer.data() + 2, buffer.data() + 6, bytes, 0x3d21fa37));
      });
  for (const codec::Utf8Kernel& kernel : codec::utf8_kernels())
    for (const auto& [kind, pattern] :
         {std::pair{"ascii", std::string_view("plain words ")}, std::pair{"mixed", kMixed}})
      for (const std::size_t bytes : {20u, 1024u, 65536u}) {
        const std::string text = text_of(pattern, bytes);
        measure("utf8/" + std::string(kernel.name) + "/" + kind + "/" + std::to_string(bytes), [&] {
          codec::Utf8State state;
          require(codec::utf8_validate(kernel, state, as_bytes(text)), "the text is valid");
        });
      }
  const std::string block(60, 'k');
  for (const codec::Sha1Kernel& kernel : codec::sha1_kernels())
    measure("sha1/" + std::string(kernel.name) + "/60",
            [&] { keep(codec::sha1(kernel, as_bytes(block))); });
  measure("accept_key", [] { keep(codec::accept_key("dGhlIHNhbXBsZSBub25jZQ==")); });
}

// --- HTTP.

constexpr std::string_view kUpgrade =
    "GET /connection/websocket HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\n"
    "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://chat.example.com\r\n"
    "Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

void http() {
  codec::HttpHead head;
  const auto parse = [&](std::string_view text) {
    const auto result = codec::parse_http_head(as_bytes(text), {}, head);
    require(result.status == codec::HttpParse::ok, "the head is whole");
  };
  measure("http_head/health", [&] { parse("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"); });
  measure("http_head/upgrade", [&] { parse(kUpgrade); });
  measure("handshake/whole", [&] {
    std::array<std::byte, codec::kHandshakeResponseBytes> out;
    codec::Handshake request;
    parse(kUpgrade);
    require(codec::check_handshake(head, request) == codec::HandshakeError::none, "an upgrade");
    keep(codec::write_handshake_response(out, request));
  });
  std::string chunks;
  for (int i = 0; i < 16; ++i) chunks += "40\r\n" + std::string(64, 'x') + "\r\n";
  chunks += "0\r\n\r\n";
  codec::HttpHead chunked;
  chunked.body = codec::HttpBodyFraming::chunked;
  measure("http_body/chunk/64", [&] {
    codec::HttpBodyDecoder decoder;
    (void)decoder.start(chunked, {});
    ConstBytes input = as_bytes(chunks);
    auto result = decoder.next(input);
    while (result.status == codec::HttpBodyStatus::data) {
      input = input.subspan(result.consumed);
      result = decoder.next(input);
    }
    require(result.status == codec::HttpBodyStatus::done, "the body is whole");
  });
}

// --- Frames to messages, with the replies built in place.

void decode(const std::string& name, const std::string& wire, std::size_t messages) {
  std::vector<std::byte> window(16 + wire.size());
  const codec::FrameRules rules{.max_message_bytes = 1 << 20};
  measure(
      "decode/" + name, messages,
      [&] { std::memcpy(window.data() + 16, wire.data(), wire.size()); },  // decoding unmasks it
      [&] {
        codec::DecoderState state{};
        codec::MessageDecoder decoder(rules, state, {window.data() + 16, wire.size()},
                                      window.data());
        std::size_t decoded = 0;
        for (;;) {
          const codec::Event event = decoder.next();
          if (event.kind != codec::EventKind::message) break;
          const std::size_t header = codec::server_header_bytes(event.payload.size());
          codec::build_server_header(decoder.room_before(event.payload, header), event.opcode,
                                     event.payload.size());
          decoder.keep_until(event.payload.data() + event.payload.size());
          ++decoded;
        }
        require(decoded == messages, "every message is decoded");
      });
}

test::Frames burst(std::size_t count, std::size_t bytes) {
  test::Frames frames;
  for (std::size_t i = 0; i < count; ++i) frames.binary(std::string(bytes, 'x'));
  return frames;
}

void decoding() {
  decode("binary/20/1", burst(1, 20), 1);
  decode("binary/20/32", burst(32, 20), 32);
  decode("binary/1024/1", burst(1, 1024), 1);
  decode("binary/16384/1", burst(1, 16384), 1);
  decode("text/20/1", test::Frames().text(text_of("plain words ", 20)), 1);
  decode("text/1024/1", test::Frames().text(text_of("plain words ", 1024)), 1);
  decode("text_mixed/1024/1", test::Frames().text(text_of(kMixed, 1024)), 1);
  decode("fragments/1024/4",
         test::Frames()
             .first(std::string(256, 'x'))
             .more(std::string(256, 'x'))
             .more(std::string(256, 'x'))
             .last(std::string(256, 'x')),
         1);
}

// --- Echo: a wake-up of the whole server, over real sockets.

class EchoHandler final : public handlers::WebSocketHandler {
  void on_message(handlers::WebSocket& socket, const handlers::Message& message) override {
    socket.send(message.opcode, message.payload);
  }
};

class EchoServer {
 public:
  EchoServer() {
    require(reactor_.open() == 0 && table_.open_ring() && listener_.start() == 0, "a server");
    while (table_.count() == 0) reactor_.turn(0);
  }

  void echo(const std::string& name, const std::string& wire, std::size_t messages,
            std::size_t reply_bytes) {
    measure(
        "echo/" + name, messages,
        [&] {
          client_.receive();
          client_.received.clear();
          require(client_.send(wire) == wire.size(), "the client sends");
        },
        [&] { reactor_.turn(0); });  // loopback has delivered: one turn finds all of it
    client_.receive();
    require(client_.received.size() == reply_bytes, "one wake-up answers the whole burst");
  }

 private:
  test::Door door_;
  test::Client client_{door_};
  core::Reactor reactor_{{}};
  core::ConnectionTable table_{reactor_, {}};
  core::TcpTransport tcp_;
  EchoHandler handler_;
  handlers::Session session_{table_, handler_, {}};
  core::Listener listener_{reactor_, table_, tcp_, session_, session_, door_.fd(), {}};
};

void echoing() {
  EchoServer server;
  for (const std::size_t bytes : {20u, 1024u, 16384u})
    server.echo("binary/" + std::to_string(bytes) + "/1", burst(1, bytes), 1,
                codec::server_header_bytes(bytes) + bytes);
  server.echo("binary/20/32", burst(32, 20), 32, 32 * 22);
  server.echo("text/20/1", test::Frames().text(text_of("plain words ", 20)), 1, 22);
}

}  // namespace
}  // namespace spate

int main() {
  std::puts(__VERSION__);
  spate::kernels();
  spate::http();
  spate::decoding();
  spate::echoing();
}
