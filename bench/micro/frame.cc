// Frames: headers alone, and messages through the decoder with their replies built in place, as an
// echo session drives it. `decode_echo/20/32` is 32 messages of 20 bytes in one window; time is per
// message.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/micro/allocations.h"
#include "codec/frame.h"
#include "codec/message_decoder.h"
#include "tests/codec/frames.h"

namespace {

using namespace spate;         // NOLINT
using namespace spate::codec;  // NOLINT

void parse_header(benchmark::State& state) {
  const std::string wire = test::Frames().binary(std::string(state.range(0), 'x'));
  const ConstBytes bytes = as_bytes(wire);
  const auto parse = [&] {
    FrameHeader header;
    benchmark::DoNotOptimize(parse_frame_header(bytes, 0, header));
    benchmark::DoNotOptimize(header);
  };
  for (auto _ : state) parse();
  bench::report_allocations(state, parse);
}
BENCHMARK(parse_header)->Arg(20)->Arg(1024)->Arg(70'000);

void build_header(benchmark::State& state) {
  std::array<std::byte, kMaxServerHeaderBytes> to;
  const auto bytes = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(build_server_header(to.data(), Opcode::binary, bytes));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(build_header)->Arg(20)->Arg(1024)->Arg(70'000);

// Payload bytes, messages in a window.
void decode_echo(benchmark::State& state) {
  test::Frames frames;
  for (std::int64_t i = 0; i < state.range(1); ++i) frames.binary(std::string(state.range(0), 'x'));
  const std::string wire = frames;
  std::vector<std::byte> window(16 + wire.size());
  const FrameRules rules{.max_message_bytes = 1 << 20};
  const auto pass = [&] {
    std::memcpy(window.data() + 16, wire.data(), wire.size());  // decoding unmasks it
    DecoderState decoder_state{};
    MessageDecoder decoder(rules, decoder_state, {window.data() + 16, wire.size()}, window.data());
    for (;;) {
      const Event event = decoder.next();
      if (event.kind != EventKind::message) break;
      const std::size_t header = server_header_bytes(event.payload.size());
      std::byte* const room = decoder.room_before(event.payload, header);
      build_server_header(room, event.opcode, event.payload.size());
      decoder.keep_until(event.payload.data() + event.payload.size());
    }
    benchmark::ClobberMemory();
  };
  for (auto _ : state) pass();
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
  bench::report_allocations(state, pass);
}
BENCHMARK(decode_echo)
    ->Args({20, 1})
    ->Args({20, 32})
    ->Args({1024, 1})
    ->Args({1024, 32})
    ->Args({16384, 1});

// What decode_echo pays for its input: subtract it.
void decode_echo_refill(benchmark::State& state) {
  test::Frames frames;
  for (std::int64_t i = 0; i < state.range(1); ++i) frames.binary(std::string(state.range(0), 'x'));
  const std::string wire = frames;
  std::vector<std::byte> window(16 + wire.size());
  for (auto _ : state) {
    std::memcpy(window.data() + 16, wire.data(), wire.size());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(decode_echo_refill)->Args({20, 1})->Args({20, 32})->Args({1024, 32})->Args({16384, 1});

}  // namespace
