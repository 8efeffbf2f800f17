// Commands and publications of the client protocol. Names are encoding/read or write/what/bytes of
// payload; `allocs/op` is heap allocations per call of operator new.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>

#include "bench/micro/allocations.h"
#include "handlers/client/reader.h"
#include "handlers/client/writer.h"

namespace {

using namespace spate;
using namespace spate::handlers::client;

// An object of one member, as JSON.
std::string payload(std::size_t bytes) {
  constexpr std::string_view kAround = R"({"text":""})";
  return R"({"text":")" + std::string(bytes - kAround.size(), 'x') + R"("})";
}

std::string json_publish(std::size_t bytes) {
  return R"({"publish":{"channel":"chat:index","data":)" + payload(bytes) + R"(},"id":1234})";
}

// A field of text in Protobuf's wire format.
std::string field(char tag, std::string_view text) {
  std::string out(1, tag);
  std::size_t length = text.size();
  for (; length >= 0x80; length >>= 7) out.push_back(static_cast<char>(length | 0x80));
  out.push_back(static_cast<char>(length));
  return out.append(text);
}

std::string protobuf_publish(std::size_t bytes) {
  const std::string publish = field('\x0A', "chat:index") + field('\x12', payload(bytes));
  return field('\0', "\x08\xD2\x09" + field('\x3A', publish)).substr(1);
}

void read_frame(benchmark::State& state, CommandReader& reader, const std::string& frame) {
  Command command;
  const auto operation = [&] {
    reader.begin(as_bytes(frame));
    const bool read = reader.next(command) == ReadStatus::command &&
                      command.method == Method::publish && command.id == 1234;
    benchmark::DoNotOptimize(command);
    return read;
  };
  for (auto _ : state) {
    if (!operation()) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(frame.size()));
  bench::report_allocations(state, operation);
}

void write_publication(benchmark::State& state, MessageWriter& writer, std::size_t bytes) {
  const std::string data = payload(bytes);
  handlers::hub::Publication publication;
  publication.data = data;
  publication.offset = 123456;
  std::string out;
  const auto operation = [&] {
    out.clear();
    writer.publication(out, "chat:index", publication, {});
    benchmark::DoNotOptimize(out);
  };
  for (auto _ : state) operation();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
  bench::report_allocations(state, operation);
}

void judge_json(benchmark::State& state, std::size_t bytes) {
  const std::string data = payload(bytes);
  const auto operation = [&] {
    const bool json = is_json(data);
    if (!json) state.SkipWithError("refused");
  };
  for (auto _ : state) operation();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  bench::report_allocations(state, operation);
}

const bool registered = [] {
  for (const std::size_t bytes : {64UL, 1024UL, 16384UL}) {
    const auto add = [bytes](const std::string& name, auto run) {
      benchmark::RegisterBenchmark((name + "/" + std::to_string(bytes)).c_str(), run);
    };
    add("json/read/publish", [bytes](benchmark::State& state) {
      read_frame(state, *make_json_reader(), json_publish(bytes));
    });
    add("protobuf/read/publish", [bytes](benchmark::State& state) {
      read_frame(state, *make_protobuf_reader(), protobuf_publish(bytes));
    });
    add("json/write/publication",
        [bytes](benchmark::State& state) { write_publication(state, json_writer(), bytes); });
    add("protobuf/write/publication",
        [bytes](benchmark::State& state) { write_publication(state, protobuf_writer(), bytes); });
    add("json/judge/payload", [bytes](benchmark::State& state) { judge_json(state, bytes); });
  }
  return true;
}();

}  // namespace
