// Messages up to 16 MiB: whole, in fragments, in TCP chops, and in both at once.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

constexpr std::size_t kMiB = 1 << 20;

std::string size_name(std::size_t bytes) {
  if (bytes >= kMiB && bytes % kMiB == 0) return std::to_string(bytes / kMiB) + " MiB";
  if (bytes >= 1024 && bytes % 1024 == 0) return std::to_string(bytes / 1024) + " KiB";
  return std::to_string(bytes) + " B";
}

// `ping_every` > 0: a ping behind each so many fragments.
Case fragmented(const Message& message, std::size_t fragment_bytes, std::size_t chop_bytes,
                std::size_t ping_every = 0) {
  Case out;
  std::string stream;
  stream.reserve(message.payload.size() / fragment_bytes * (fragment_bytes + 14) + 1024);
  std::size_t index = 0;
  for (std::size_t at = 0; at < message.payload.size(); at += fragment_bytes, ++index) {
    stream += build_frame({.fin = at + fragment_bytes >= message.payload.size(),
                           .opcode = at == 0 ? message.opcode : std::uint8_t{kContinuation},
                           .payload = message.payload.substr(at, fragment_bytes),
                           .masking_key = key_of(index)});
    if (ping_every == 0 || index % ping_every != 0) continue;
    stream += ping_frame(std::to_string(index));
    out.expect.pongs.push_back(std::to_string(index));
  }
  out.script = {send(std::move(stream), chop_bytes)};
  out.expect.messages = {message};
  return out;
}

void add_whole_rows(Table& table) {
  for (const std::size_t bytes : {kMiB, 4 * kMiB, 16 * kMiB}) {
    table.add(
        "large/" + size_name(bytes) + " text whole", "RFC 6455 §5.2",
        [bytes] { return fragmented(text(text_of(bytes)), bytes, 0); }, kLargeLimit);
    table.add(
        "large/" + size_name(bytes) + " binary whole", "RFC 6455 §5.2",
        [bytes] { return fragmented(binary(bytes_of(bytes)), bytes, 0); }, kLargeLimit);
  }
  table.add(
      "large/three of 16 MiB in one write", "RFC 6455 §5.4",
      [] {
        const std::string payload = bytes_of(16 * kMiB);
        return Case{.script = {send(repeat(binary_frame(payload), 3))},
                    .expect = stays_open(std::vector<Message>(3, binary(payload)))};
      },
      kLargeLimit);
}

void add_fragmented_rows(Table& table) {
  for (const std::size_t piece :
       {std::size_t{64}, std::size_t{256}, std::size_t{1024}, std::size_t{4096}, std::size_t{16384},
        std::size_t{65536}, std::size_t{262144}, kMiB}) {
    const std::string name = "large/16 MiB %s in " + std::to_string(16 * kMiB / piece) +
                             " fragments of " + size_name(piece);
    const auto named = [&name](const char* kind) {
      return std::string(name).replace(name.find("%s"), 2, kind);
    };
    table.add(
        named("text"), "RFC 6455 §5.4",
        [piece] { return fragmented(text(text_of(16 * kMiB)), piece, 0); }, kLargeLimit);
    table.add(
        named("binary"), "RFC 6455 §5.4",
        [piece] { return fragmented(binary(bytes_of(16 * kMiB)), piece, 0); }, kLargeLimit);
  }
  table.add(
      "large/1 MiB text in fragments of 1 B", "RFC 6455 §5.4",
      [] { return fragmented(text(text_of(kMiB)), 1, 0); }, kLargeLimit);
  table.add(
      "large/16 MiB text in fragments of 64 B, a ping behind each 1000th", "RFC 6455 §5.4",
      [] { return fragmented(text(text_of(16 * kMiB)), 64, 0, 1000); }, kLargeLimit);
  table.add(
      "large/16 MiB binary in fragments of 64 KiB, a ping behind each", "RFC 6455 §5.4",
      [] { return fragmented(binary(bytes_of(16 * kMiB)), 65536, 0, 1); }, kLargeLimit);
}

void add_chop_rows(Table& table) {
  struct Row {
    std::size_t bytes;
    std::size_t chop_bytes;
  };
  static constexpr Row kRows[] = {
      {kMiB, 64},          {kMiB, 997},       {kMiB, 1460},         {4 * kMiB, 256},
      {16 * kMiB, 997},    {16 * kMiB, 4096}, {16 * kMiB, 16384},   {16 * kMiB, 65536},
      {16 * kMiB, 262144}, {16 * kMiB, kMiB}, {16 * kMiB, 1000003},
  };
  for (const Row& row : kRows) {
    table.add(
        "large/" + size_name(row.bytes) + " text in chops of " + size_name(row.chop_bytes),
        "RFC 6455 §5.4",
        [row] { return fragmented(text(text_of(row.bytes)), row.bytes, row.chop_bytes); },
        kLargeLimit);
    table.add(
        "large/" + size_name(row.bytes) + " binary in fragments of 4093 B and chops of " +
            size_name(row.chop_bytes),
        "RFC 6455 §5.4",
        [row] { return fragmented(binary(bytes_of(row.bytes)), 4093, row.chop_bytes); },
        kLargeLimit);
  }
  for (const std::size_t bytes : {1024, 16384, 65535, 65536}) {
    table.add(
        "large/" + size_name(bytes) + " text in fragments of 100 B and chops of 1 B",
        "RFC 6455 §5.4", [bytes] { return fragmented(text(text_of(bytes)), 100, 1); }, kLargeLimit);
  }
}

void add_refusal_rows(Table& table) {
  table.add(
      "large/invalid text in the last byte of 16 MiB", "RFC 6455 §8.1",
      [] {
        std::string payload = std::string(16 * kMiB - 1, 'a') + "\xff";
        return Case{.script = {send(text_frame(std::move(payload)))}, .expect = closes(1007)};
      },
      kLargeLimit);
  table.add(
      "large/invalid text at 8 MiB of a frame that never ends", "RFC 6455 §8.1",
      [] {
        const std::string frame =
            text_frame(std::string(8 * kMiB, 'a') + "\xff" + std::string(kMiB, 'a'));
        return Case{.script = {send(frame.substr(0, frame.size() - kMiB))}, .expect = closes(1007)};
      },
      kLargeLimit);
  table.add(
      "large/reserved bit behind 200,000 fragments", "RFC 6455 §5.2",
      [] {
        std::string stream = fragment(kText, "a", false);
        stream += repeat(fragment(kContinuation, "b", false), 200000);
        stream += build_frame({.rsv1 = true, .opcode = kContinuation, .payload = "c"});
        return Case{.script = {send(std::move(stream))}, .expect = closes(1002)};
      },
      kLargeLimit);
}

}  // namespace

void add_large_rows(Table& table) {
  add_whole_rows(table);
  add_fragmented_rows(table);
  add_chop_rows(table);
  add_refusal_rows(table);
}

}  // namespace spate::tests
