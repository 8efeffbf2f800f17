// Bits and opcodes that only an extension may give a meaning to; none is negotiated here.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

struct Kind {
  const char* name;
  std::uint8_t opcode;
  bool inside_message;
  const char* payload;
};

constexpr Kind kKinds[] = {
    {"text", kText, false, "hello"},
    {"empty text", kText, false, ""},
    {"binary", kBinary, false, "hello"},
    {"continuation", kContinuation, true, "hello"},
    {"ping", kPing, false, "hello"},
    {"pong", kPong, false, "hello"},
    {"close", kClose, false, "\x03\xe8"},
    {"empty close", kClose, false, ""},
    {"ping inside a message", kPing, true, "hello"},
};

void add_bit_rows(Table& table) {
  for (const Kind& kind : kKinds) {
    for (int bits = 1; bits <= 7; ++bits) {
      const std::string rsv =
          std::string(bits & 4 ? "1" : "0") + (bits & 2 ? "1" : "0") + (bits & 1 ? "1" : "0");
      const bool data = kind.opcode == kText || kind.opcode == kBinary;
      Row& row =
          table.add("reserved/rsv " + rsv + " on " + kind.name, "RFC 6455 §5.2", [kind, bits] {
            std::string stream = text_frame("before");
            if (kind.inside_message) stream += fragment(kText, "start", false);
            stream += build_frame({.rsv1 = (bits & 4) != 0,
                                   .rsv2 = (bits & 2) != 0,
                                   .rsv3 = (bits & 1) != 0,
                                   .opcode = kind.opcode,
                                   .payload = kind.payload});
            return Case{.script = {send(stream)}, .expect = closes(1002, {text("before")})};
          });
      row.plain_only = data && bits == 4;  // then a compressed message, of no DEFLATE data
    }
  }
}

void add_opcode_rows(Table& table) {
  static constexpr std::uint8_t kOpcodes[] = {0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF};
  for (const std::uint8_t opcode : kOpcodes) {
    const std::string name = std::string("reserved/opcode ") + "0123456789ABCDEF"[opcode];
    table.add(name + ", empty", "RFC 6455 §5.2", [opcode] {
      return Case{.script = {send(build_frame({.opcode = opcode}))}, .expect = closes(1002)};
    });
    table.add(name + ", with a payload", "RFC 6455 §5.2", [opcode] {
      return Case{.script = {send(build_frame({.opcode = opcode, .payload = "hello"}))},
                  .expect = closes(1002)};
    });
    table.add(name + ", in 1-byte chops", "RFC 6455 §5.2", [opcode] {
      return Case{.script = {send(build_frame({.opcode = opcode, .payload = "hello"}), 1)},
                  .expect = closes(1002)};
    });
    table.add(name + ", not final", "RFC 6455 §5.2", [opcode] {
      return Case{.script = {send(fragment(opcode, "hello", false))}, .expect = closes(1002)};
    });
    table.add(name + ", inside a message", "RFC 6455 §5.2", [opcode] {
      return Case{.script = {send(fragment(kText, "start", false) +
                                  build_frame({.opcode = opcode, .payload = "hello"}))},
                  .expect = closes(1002)};
    });
    table.add(name + ", between messages", "RFC 6455 §5.2", [opcode] {
      return Case{.script = {send(text_frame("before") + build_frame({.opcode = opcode}) +
                                  text_frame("after"))},
                  .expect = closes(1002, {text("before")})};
    });
  }
}

}  // namespace

void add_reserved_rows(Table& table) {
  add_bit_rows(table);
  add_opcode_rows(table);
}

}  // namespace spate::tests
