// Many messages without waiting: every reply right, none lost or doubled, all in order.
#include <algorithm>

#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

// Small ones mostly, and one in thirty from each greater size, so that windows end everywhere.
std::size_t mixed_size(std::size_t i) {
  static constexpr std::size_t kLarger[] = {125, 126, 127, 1000, 4096, 16384, 65535, 65536};
  if (i % 30 == 29) return kLarger[i / 30 % std::size(kLarger)];
  return (i * 7919) % 97;
}

Case pipelined(const std::vector<std::size_t>& sizes, std::size_t chop_bytes = 0) {
  Case out;
  std::string stream;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const bool is_text = i % 3 != 0;
    Message message = is_text ? text(text_of(sizes[i])) : binary(bytes_of(sizes[i]));
    stream += build_frame(
        {.opcode = message.opcode, .payload = message.payload, .masking_key = key_of(i)});
    out.expect.messages.push_back(std::move(message));
  }
  out.script = {send(stream, chop_bytes)};
  return out;
}

void add_same_size_rows(Table& table) {
  struct Row {
    std::size_t count;
    std::size_t bytes;
  };
  static constexpr Row kRows[] = {{2, 0},      {2, 20},     {32, 20},    {1000, 0},   {1000, 1},
                                  {10000, 20}, {100000, 4}, {2, 125},    {100, 125},  {100, 126},
                                  {100, 127},  {1000, 512}, {500, 1000}, {300, 4096}, {100, 16384},
                                  {64, 65535}, {64, 65536}, {3000, 125}, {3000, 126}};
  for (const Row& row : kRows) {
    table.add(
        "pipeline/" + std::to_string(row.count) + " of " + std::to_string(row.bytes) + " bytes",
        "RFC 6455 §5.4",
        [row] { return pipelined(std::vector<std::size_t>(row.count, row.bytes)); });
  }
}

void add_mixed_rows(Table& table) {
  for (const std::size_t chop : {0, 1, 2, 7, 97, 1009, 4093, 16381, 65521}) {
    // A megabyte in single bytes is a million writes; what they can show, fewer show too.
    const std::size_t count = chop == 1 ? 200 : chop < 10 ? 400 : 2000;
    table.add("pipeline/" + std::to_string(count) + " of mixed sizes" +
                  (chop == 0 ? "" : " in " + std::to_string(chop) + "-byte chops"),
              "RFC 6455 §5.4", [=] {
                std::vector<std::size_t> sizes;
                for (std::size_t i = 0; i < count; ++i) {
                  const std::size_t bytes = mixed_size(i);
                  sizes.push_back(chop != 0 && chop < 10 ? bytes % 5000 : bytes);
                }
                return pipelined(sizes, chop);
              });
  }
  table.add("pipeline/every size from 0 to 1000", "RFC 6455 §5.4", [] {
    std::vector<std::size_t> sizes;
    for (std::size_t bytes = 0; bytes <= 1000; ++bytes) sizes.push_back(bytes);
    return pipelined(sizes);
  });
  table.add("pipeline/every size from 1000 down to 0 in 4-byte chops", "RFC 6455 §5.4", [] {
    std::vector<std::size_t> sizes;
    for (std::size_t bytes = 1000; bytes > 0; bytes -= 4) sizes.push_back(bytes);
    return pipelined(sizes, 4);
  });
  table.add("pipeline/32 MiB against a server that must stop reading", "RFC 6455 §5.4",
            [] { return pipelined(std::vector<std::size_t>(512, 65536)); });
}

void add_mingled_rows(Table& table) {
  table.add("pipeline/messages, fragments, pings and pongs mingled", "RFC 6455 §5.4", [] {
    Case out;
    std::string stream;
    for (std::size_t i = 0; i < 500; ++i) {
      const std::string whole = text_of(std::max(mixed_size(i), std::size_t{2}));
      const std::string ping = std::to_string(i);
      stream += text_frame(whole) + pong_frame(ping) + fragment(kText, whole.substr(0, 1), false) +
                ping_frame(ping) + fragment(kContinuation, whole.substr(1), true);
      out.expect.messages.push_back(text(whole));
      out.expect.messages.push_back(text(whole));
      out.expect.pongs.push_back(ping);
    }
    out.script = {send(stream)};
    return out;
  });
  table.add("pipeline/a hundred bursts, each awaited", "RFC 6455 §5.4", [] {
    Case out;
    for (std::size_t burst = 0; burst < 100; ++burst) {
      std::string stream;
      for (std::size_t i = 0; i <= burst % 32; ++i) {
        const std::string payload = text_of(burst + i);
        stream += text_frame(payload);
        out.expect.messages.push_back(text(payload));
      }
      out.script.push_back(send(stream));
      out.script.push_back(await_messages(out.expect.messages.size()));
    }
    return out;
  });
  table.add("pipeline/an error behind a thousand messages", "RFC 6455 §7.1.7", [] {
    const std::vector<Message> messages(1000, text("answered first"));
    return Case{.script = {send(repeat(text_frame("answered first"), 1000) +
                                build_frame({.rsv2 = true, .payload = "bad"}))},
                .expect = closes(1002, messages)};
  });
}

}  // namespace

void add_pipeline_rows(Table& table) {
  add_same_size_rows(table);
  add_mixed_rows(table);
  add_mingled_rows(table);
}

}  // namespace spate::tests
