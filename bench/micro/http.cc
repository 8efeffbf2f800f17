// HTTP heads and the opening handshake. Names are unit/what/bytes; `allocs` is heap allocations per
// call.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "bench/micro/allocations.h"
#include "codec/handshake.h"
#include "codec/http_body.h"
#include "codec/http_head.h"
#include "codec/http_response.h"

namespace {

using namespace spate;

// What Chrome sends when a page opens a WebSocket.
constexpr std::string_view kBrowser =
    "GET /connection/websocket HTTP/1.1\r\n"
    "Host: chat.example.com\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\n"
    "Upgrade: websocket\r\n"
    "Origin: https://chat.example.com\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "\r\n";

constexpr std::string_view kMinimal = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

// 40 headers, among them a cookie of 4 KiB: about 6 KiB.
std::string large_head() {
  std::string head = "POST /api/publish?" + std::string(200, 'q') + " HTTP/1.1\r\nHost: a\r\n";
  head += "Cookie: session=" + std::string(4096, 'c') + "\r\nContent-Length: 1000\r\n";
  for (int i = 0; i < 37; ++i) {
    head += "X-Header-" + std::to_string(i) + ": the value of header " + std::to_string(i) + "\r\n";
  }
  return head + "\r\n";
}

// `operation` says whether it went as it should.
template <typename Operation>
void measure(benchmark::State& state, std::size_t bytes_per_call, Operation operation) {
  for (auto _ : state) {
    if (!operation()) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes_per_call));
  bench::report_allocations(state, operation);
}

void parse_head(benchmark::State& state, const std::string& bytes) {
  codec::HttpHead head;
  measure(state, bytes.size(), [&] {
    const auto result = codec::parse_http_head(as_bytes(bytes), {}, head);
    benchmark::DoNotOptimize(head);
    return result.status == codec::HttpParse::ok;
  });
}

// The head a byte at a time, as the slowest peer sends it: must grow with its length, not its
// square.
void drip_head(benchmark::State& state, const std::string& bytes) {
  codec::HttpHead head;
  const std::string_view text = bytes;
  measure(state, bytes.size(), [&] {
    codec::HttpHeadResult result{};
    for (std::size_t length = 1; length <= text.size(); ++length) {
      result = codec::parse_http_head(as_bytes(text.substr(0, length)), {}, head, result.scanned);
    }
    return result.status == codec::HttpParse::ok;
  });
}

void check_handshake(benchmark::State& state, const std::string& bytes) {
  codec::HttpHead head;
  (void)codec::parse_http_head(as_bytes(bytes), {}, head);
  measure(state, bytes.size(), [&] {
    codec::Handshake request;
    const auto error = codec::check_handshake(head, request);
    benchmark::DoNotOptimize(request);
    return error == codec::HandshakeError::none;
  });
}

// From the request's bytes to those of the 101.
void whole_handshake(benchmark::State& state, const std::string& bytes) {
  codec::HttpHead head;
  std::array<std::byte, codec::kHandshakeResponseBytes> out;
  measure(state, bytes.size(), [&] {
    codec::Handshake request;
    const auto result = codec::parse_http_head(as_bytes(bytes), {}, head);
    const bool accepted = result.status == codec::HttpParse::ok &&
                          codec::check_handshake(head, request) == codec::HandshakeError::none &&
                          codec::check_origin(head, request, {}) == codec::HandshakeError::none;
    const std::size_t written = codec::write_handshake_response(out, request);
    benchmark::DoNotOptimize(out);
    return accepted && written > 0;
  });
}

void write_refusal(benchmark::State& state) {
  std::array<std::byte, codec::kRefusalBytes> out;
  const auto& info = codec::describe(codec::HttpError::bare_lf);
  measure(state, 0, [&] {
    const auto bytes = codec::write_refusal(out, {.status = info.status, .remedy = info.remedy});
    benchmark::DoNotOptimize(out);
    return bytes > 0;
  });
}

void decode_chunked(benchmark::State& state, std::size_t chunk) {
  constexpr std::size_t kChunks = 64;
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", chunk);
  std::string bytes;
  for (std::size_t i = 0; i < kChunks; ++i) bytes += size + std::string(chunk, 'x') + "\r\n";
  bytes += "0\r\n\r\n";
  codec::HttpHead head;
  head.body = codec::HttpBodyFraming::chunked;
  measure(state, bytes.size(), [&] {
    codec::HttpBodyDecoder decoder;
    (void)decoder.start(head, {});
    ConstBytes input = as_bytes(bytes);
    auto result = decoder.next(input);
    while (result.status == codec::HttpBodyStatus::data) {
      input = input.subspan(result.consumed);
      result = decoder.next(input);
    }
    return result.status == codec::HttpBodyStatus::done;
  });
}

const bool registered = [] {
  const auto add = [](const std::string& name, auto run, const std::string& bytes) {
    benchmark::RegisterBenchmark((name + "/" + std::to_string(bytes.size())).c_str(),
                                 [run, bytes](benchmark::State& state) { run(state, bytes); });
  };
  add("http_head/minimal", parse_head, std::string(kMinimal));
  add("http_head/browser", parse_head, std::string(kBrowser));
  add("http_head/large", parse_head, large_head());
  add("http_head_drip/browser", drip_head, std::string(kBrowser));
  add("http_head_drip/large", drip_head, large_head());
  add("handshake/check", check_handshake, std::string(kBrowser));
  add("handshake/whole", whole_handshake, std::string(kBrowser));
  benchmark::RegisterBenchmark("http_response/refusal", write_refusal);
  for (const std::size_t chunk : {16UL, 4096UL}) {
    benchmark::RegisterBenchmark(
        ("http_body/chunk/" + std::to_string(chunk)).c_str(),
        [chunk](benchmark::State& state) { decode_chunked(state, chunk); });
  }
  return true;
}();

}  // namespace
