// Ping and pong, alone, in crowds, and between the fragments of a message.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

void add_ping_rows(Table& table) {
  for (std::size_t bytes = 0; bytes <= 125; ++bytes) {
    table.add("control/ping of " + std::to_string(bytes) + " bytes", "RFC 6455 §5.5.3", [bytes] {
      return Case{.script = {send(ping_frame(bytes_of(bytes)))},
                  .expect = stays_open({}, {bytes_of(bytes)})};
    });
  }
  for (const std::size_t chop : {1, 2, 3, 5, 7, 64}) {
    table.add("control/pings of 0 to 125 bytes in " + std::to_string(chop) + "-byte chops",
              "RFC 6455 §5.5.3", [chop] {
                Case out;
                std::string stream;
                for (std::size_t bytes = 0; bytes <= 125; ++bytes) {
                  stream += ping_frame(bytes_of(bytes));
                  out.expect.pongs.push_back(bytes_of(bytes));
                }
                out.script = {send(stream, chop)};
                return out;
              });
  }
  for (const std::size_t count : {2, 10, 100, 1000, 20000}) {
    table.add("control/" + std::to_string(count) + " pings in one write", "RFC 6455 §5.5.3",
              [count] {
                Case out;
                std::string stream;
                for (std::size_t i = 0; i < count; ++i) {
                  stream += ping_frame(std::to_string(i));
                  out.expect.pongs.push_back(std::to_string(i));
                }
                out.script = {send(stream)};
                return out;
              });
  }
  table.add("control/ping that is not UTF-8", "RFC 6455 §5.5.2", [] {
    return Case{.script = {send(ping_frame("\xff\xfe\xc0\x80"))},
                .expect = stays_open({}, {"\xff\xfe\xc0\x80"})};
  });
  table.add("control/ping before and after a message", "RFC 6455 §5.5.2", [] {
    return Case{
        .script = {send(ping_frame("before") + text_frame("message") + ping_frame("after"))},
        .expect = stays_open({text("message")}, {"before", "after"})};
  });
  table.add("control/ping, its answer awaited, a hundred times", "RFC 6455 §5.5.3", [] {
    Case out;
    for (int i = 0; i < 100; ++i) {
      out.script.push_back(send(ping_frame(std::to_string(i))));
      out.script.push_back(await_pong(std::to_string(i)));
      out.expect.pongs.push_back(std::to_string(i));
    }
    return out;
  });
}

void add_pong_rows(Table& table) {
  for (const std::size_t bytes : {0, 1, 124, 125}) {
    table.add("control/unsolicited pong of " + std::to_string(bytes) + " bytes", "RFC 6455 §5.5.3",
              [bytes] {
                return Case{.script = {send(pong_frame(bytes_of(bytes)))}, .expect = stays_open()};
              });
  }
  table.add("control/1000 unsolicited pongs, then a message", "RFC 6455 §5.5.3", [] {
    return Case{.script = {send(repeat(pong_frame("nobody asked"), 1000) + text_frame("message"))},
                .expect = stays_open({text("message")})};
  });
  table.add("control/unsolicited pong between fragments", "RFC 6455 §5.5.3", [] {
    return Case{.script = {send(fragment(kText, "one, ", false) + pong_frame("x") +
                                fragment(kContinuation, "two", true))},
                .expect = stays_open({text("one, two")})};
  });
  table.add("control/pong that is not UTF-8", "RFC 6455 §5.5.3", [] {
    return Case{.script = {send(pong_frame("\xff\xfe\xc0\x80"))}, .expect = stays_open()};
  });
}

void add_between_fragments_rows(Table& table) {
  for (const std::size_t bytes : {0, 1, 125}) {
    table.add(
        "control/ping of " + std::to_string(bytes) + " bytes between fragments, answered there",
        "RFC 6455 §5.4", [bytes] {
          return Case{
              .script = {send(fragment(kText, "one, ", false) + ping_frame(bytes_of(bytes))),
                         await_pong(bytes_of(bytes)), send(fragment(kContinuation, "two", true))},
              .expect = stays_open({text("one, two")}, {bytes_of(bytes)})};
        });
  }
  table.add("control/ping after each of 100 fragments", "RFC 6455 §5.4", [] {
    Case out;
    std::string stream;
    std::string whole;
    for (int i = 0; i < 100; ++i) {
      const std::string piece = text_of(static_cast<std::size_t>(i));
      stream += fragment(i == 0 ? kText : kContinuation, piece, i == 99);
      stream += ping_frame(std::to_string(i));
      whole += piece;
      out.expect.pongs.push_back(std::to_string(i));
    }
    out.script = {send(stream)};
    out.expect.messages = {text(whole)};
    return out;
  });
  table.add("control/ten pings between two fragments", "RFC 6455 §5.4", [] {
    Case out;
    std::string stream = fragment(kBinary, "one, ", false);
    for (int i = 0; i < 10; ++i) {
      stream += ping_frame(std::to_string(i));
      out.expect.pongs.push_back(std::to_string(i));
    }
    out.script = {send(stream + fragment(kContinuation, "two", true))};
    out.expect.messages = {binary("one, two")};
    return out;
  });
  table.add("control/ping inside a multi-byte character", "RFC 6455 §5.4", [] {
    return Case{.script = {send(fragment(kText, "\xf0\x9f", false) + ping_frame("\xf0")),
                           await_pong("\xf0"), send(fragment(kContinuation, "\x98\x80", true))},
                .expect = stays_open({text("😀")}, {"\xf0"})};
  });
}

void add_illegal_control_rows(Table& table) {
  struct Kind {
    const char* name;
    std::uint8_t opcode;
  };
  static constexpr Kind kKinds[] = {{"ping", kPing}, {"pong", kPong}, {"close", kClose}};
  for (const Kind& kind : kKinds) {
    const std::uint8_t opcode = kind.opcode;
    const std::string code = opcode == kClose ? std::string("\x03\xe8") : std::string("ok");
    for (const std::size_t bytes : {126, 127, 1000, 65536}) {
      table.add("control/" + std::string(kind.name) + " of " + std::to_string(bytes) + " bytes",
                "RFC 6455 §5.5", [opcode, bytes, code] {
                  return Case{
                      .script = {send(build_frame(
                          {.opcode = opcode, .payload = code + std::string(bytes - 2, 'x')}))},
                      .expect = closes(1002)};
                });
    }
    table.add("control/" + std::string(kind.name) + " of 126 bytes, header alone", "RFC 6455 §5.5",
              [opcode] {
                return Case{
                    .script = {send(build_header({.opcode = opcode, .announced_length = 126}))},
                    .expect = closes(1002)};
              });
    for (const bool empty : {true, false}) {
      const std::string payload = empty ? "" : code;
      const std::string name = std::string(kind.name) + (empty ? ", empty" : "");
      table.add("control/fragmented " + name, "RFC 6455 §5.5", [opcode, payload] {
        return Case{.script = {send(fragment(opcode, payload, false))}, .expect = closes(1002)};
      });
      table.add("control/fragmented " + name + ", with its continuation", "RFC 6455 §5.5",
                [opcode, payload] {
                  return Case{.script = {send(fragment(opcode, payload, false) +
                                              fragment(kContinuation, "rest", true))},
                              .expect = closes(1002)};
                });
      table.add(
          "control/fragmented " + name + " inside a message", "RFC 6455 §5.5", [opcode, payload] {
            return Case{
                .script = {send(fragment(kText, "one", false) + fragment(opcode, payload, false) +
                                fragment(kContinuation, "two", true))},
                .expect = closes(1002)};
          });
    }
  }
}

}  // namespace

void add_control_rows(Table& table) {
  add_ping_rows(table);
  add_pong_rows(table);
  add_between_fragments_rows(table);
  add_illegal_control_rows(table);
}

}  // namespace spate::tests
