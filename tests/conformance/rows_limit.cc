// --max-message-bytes: what is at the limit passes; what goes beyond is refused by its header
// alone, so that no byte of it need be kept (§10.4, and code 1009 of §7.4.1).
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

struct Limit {
  const Profile* profile;
  std::size_t bytes;
};

constexpr Limit kLimits[] = {{&kSmallLimit, 100}, {&kStandard, 65536}, {&kLargeLimit, 16777216}};

// Only the header goes out.
Case refused_header(const std::string& before, std::uint8_t opcode, std::uint64_t announced,
                    bool fin = true) {
  return {
      .script = {send(before +
                      build_header({.fin = fin, .opcode = opcode, .announced_length = announced}))},
      .expect = closes(1009)};
}

void add_whole_rows(Table& table, const Limit& limit, const std::string& prefix) {
  const std::size_t bytes = limit.bytes;
  for (const std::size_t under : {bytes - 1, bytes}) {
    table.add(
        prefix + "message of " + std::to_string(under), "RFC 6455 §10.4",
        [under] {
          return Case{.script = {send(text_frame(text_of(under)))},
                      .expect = stays_open({text(text_of(under))})};
        },
        *limit.profile);
  }
  const std::uint64_t beyond[] = {bytes + 1,
                                  2 * bytes,
                                  std::uint64_t{1} << 31,
                                  std::uint64_t{1} << 32,
                                  (std::uint64_t{1} << 32) + bytes,
                                  (std::uint64_t{1} << 63) - 1};
  for (const std::uint64_t over : beyond) {
    table.add(
        prefix + "header of " + std::to_string(over), "RFC 6455 §7.4.1",
        [over] { return refused_header("", kBinary, over); }, *limit.profile);
  }
  table.add(
      prefix + "header of one too many, first fragment", "RFC 6455 §7.4.1",
      [bytes] { return refused_header("", kText, bytes + 1, false); }, *limit.profile);
  table.add(
      prefix + "header of one too many, in 1-byte chops", "RFC 6455 §7.4.1",
      [bytes] {
        return Case{.script = {send(build_header({.announced_length = bytes + 1}), 1)},
                    .expect = closes(1009)};
      },
      *limit.profile);
  table.add(
      prefix + "message of one too many, sent whole", "RFC 6455 §7.4.1",
      [bytes] {
        Case out{.script = {send(text_frame(text_of(bytes + 1)))}, .expect = closes(1009)};
        out.expect.reset_allowed = true;
        return out;
      },
      *limit.profile);
}

void add_sum_rows(Table& table, const Limit& limit, const std::string& prefix) {
  const std::size_t bytes = limit.bytes;
  table.add(
      prefix + "fragments that add up to it", "RFC 6455 §10.4",
      [bytes] {
        const std::string whole = bytes_of(bytes);
        return Case{.script = {send(fragment(kBinary, whole.substr(0, bytes / 3), false) +
                                    fragment(kContinuation, whole.substr(bytes / 3), true))},
                    .expect = stays_open({binary(whole)})};
      },
      *limit.profile);
  table.add(
      prefix + "fragments that add up to it, then an empty one", "RFC 6455 §10.4",
      [bytes] {
        const std::string whole = bytes_of(bytes);
        return Case{
            .script = {send(fragment(kBinary, whole, false) + fragment(kContinuation, "", true))},
            .expect = stays_open({binary(whole)})};
      },
      *limit.profile);
  for (const std::size_t first : {std::size_t{1}, bytes / 2, bytes - 1, bytes}) {
    table.add(
        prefix + "continuation header of one too many after " + std::to_string(first),
        "RFC 6455 §7.4.1",
        [=] {
          return refused_header(fragment(kBinary, bytes_of(first), false), kContinuation,
                                bytes - first + 1);
        },
        *limit.profile);
  }
  table.add(
      prefix + "continuation header whose sum wraps 64 bits", "RFC 6455 §7.4.1",
      [] {
        return refused_header(fragment(kBinary, bytes_of(50), false), kContinuation,
                              (std::uint64_t{1} << 63) - 1);
      },
      *limit.profile);
  table.add(
      prefix + "the sum starts anew with each message", "RFC 6455 §10.4",
      [bytes] {
        const std::string half = bytes_of(bytes / 2);
        const std::string message =
            fragment(kBinary, half, false) + fragment(kContinuation, half, true);
        return Case{
            .script = {send(message + message + message)},
            .expect = stays_open({binary(half + half), binary(half + half), binary(half + half)})};
      },
      *limit.profile);
}

}  // namespace

void add_limit_rows(Table& table) {
  for (const Limit& limit : kLimits) {
    const std::string prefix = "limit/" + std::to_string(limit.bytes) + "/";
    add_whole_rows(table, limit, prefix);
    add_sum_rows(table, limit, prefix);
  }
  table.add(
      "limit/100/100 messages of 100 bytes in one write", "RFC 6455 §10.4",
      [] {
        return Case{.script = {send(repeat(text_frame(text_of(100)), 100))},
                    .expect = stays_open(std::vector<Message>(100, text(text_of(100))))};
      },
      kSmallLimit);
  table.add(
      "limit/100/a ping of 125 bytes is no message", "RFC 6455 §5.5",
      [] {
        return Case{.script = {send(ping_frame(bytes_of(125)))},
                    .expect = stays_open({}, {bytes_of(125)})};
      },
      kSmallLimit);
  table.add(
      "limit/100/a ping of 125 bytes inside a message at the limit", "RFC 6455 §5.5",
      [] {
        return Case{.script = {send(fragment(kText, text_of(100), false) +
                                    ping_frame(bytes_of(125)) + fragment(kContinuation, "", true))},
                    .expect = stays_open({text(text_of(100))}, {bytes_of(125)})};
      },
      kSmallLimit);
  table.add(
      "limit/100/a close reason of 123 bytes is no message", "RFC 6455 §5.5",
      [] {
        return Case{.script = {send(close_frame(1000, text_of(123)))}, .expect = closes(1000)};
      },
      kSmallLimit);
  table.add("limit/65536/replies before the refusal", "RFC 6455 §7.4.1", [] {
    return Case{.script = {send(text_frame("one") + text_frame("two") +
                                build_header({.announced_length = 65537}))},
                .expect = closes(1009, {text("one"), text("two")})};
  });
}

}  // namespace spate::tests
