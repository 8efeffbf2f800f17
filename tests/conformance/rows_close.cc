// The closing handshake: codes, reasons, and what may follow a close frame, which is nothing.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

// §7.4.1 and IANA's registry of WebSocket close codes; 3000-3999 are registered, 4000-4999 private.
constexpr std::uint16_t kLegalCodes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009,
                                         1010, 1011, 1012, 1013, 1014, 3000, 3001,
                                         3500, 3999, 4000, 4001, 4500, 4998, 4999};
// Reserved (1004), never sent (1005, 1006, 1015), below 1000, not registered, beyond the private
// range.
constexpr std::uint16_t kIllegalCodes[] = {
    0,    1,    2,    99,   100,  125,  255,   256,   500,   998,   999,   1004, 1005,
    1006, 1015, 1016, 1017, 1020, 1050, 1099,  1100,  1500,  1999,  2000,  2001, 2500,
    2998, 2999, 5000, 5001, 6000, 9999, 10000, 32767, 32768, 49152, 65534, 65535};

void add_code_rows(Table& table) {
  for (const std::uint16_t code : kLegalCodes) {
    table.add("close/code " + std::to_string(code), "RFC 6455 §7.4",
              [code] { return Case{.script = {send(close_frame(code))}, .expect = closes(code)}; });
    table.add("close/code " + std::to_string(code) + " with a reason", "RFC 6455 §7.4", [code] {
      return Case{.script = {send(text_frame("last") + close_frame(code, "grund: müde"))},
                  .expect = closes(code, {text("last")})};
    });
  }
  for (const std::uint16_t code : kIllegalCodes) {
    table.add("close/illegal code " + std::to_string(code), "RFC 6455 §7.4",
              [code] { return Case{.script = {send(close_frame(code))}, .expect = closes(1002)}; });
  }
  table.add("close/illegal code 1005 with a reason", "RFC 6455 §7.4.1", [] {
    return Case{.script = {send(close_frame(1005, "why"))}, .expect = closes(1002)};
  });
}

void add_payload_rows(Table& table) {
  // §5.5.1: a code is echoed; without one there is nothing to echo, and 1000 says as much.
  table.add("close/without a body", "RFC 6455 §5.5.1", [] {
    return Case{.script = {send(close_frame())}, .expect = closes_with_any({kNoCode, 1000})};
  });
  table.add("close/without a body, after messages", "RFC 6455 §5.5.1", [] {
    return Case{.script = {send(text_frame("a") + binary_frame("b") + close_frame())},
                .expect = closes_with_any({kNoCode, 1000}, {text("a"), binary("b")})};
  });
  for (const int byte : {0x00, 0x03, 0xe8, 0xff}) {
    table.add("close/body of one byte " + std::to_string(byte), "RFC 6455 §5.5.1", [byte] {
      return Case{.script = {send(build_frame(
                      {.opcode = kClose, .payload = std::string(1, static_cast<char>(byte))}))},
                  .expect = closes(1002)};
    });
  }
  for (const std::size_t bytes : {0, 1, 2, 3, 50, 121, 122, 123}) {
    table.add("close/reason of " + std::to_string(bytes) + " bytes", "RFC 6455 §5.5.1", [bytes] {
      return Case{.script = {send(close_frame(1001, text_of(bytes)))}, .expect = closes(1001)};
    });
  }
  for (const std::size_t bytes : {124, 125, 1000}) {
    table.add("close/reason of " + std::to_string(bytes) + " bytes", "RFC 6455 §5.5", [bytes] {
      return Case{.script = {send(close_frame(1001, text_of(bytes)))}, .expect = closes(1002)};
    });
  }
  for (const std::size_t chop : {1, 3}) {
    table.add("close/in " + std::to_string(chop) + "-byte chops", "RFC 6455 §5.5.1", [chop] {
      return Case{.script = {send(close_frame(4321, text_of(123)), chop)}, .expect = closes(4321)};
    });
  }
}

void add_reason_rows(Table& table) {
  struct Reason {
    const char* name;
    std::string bytes;
  };
  static const std::vector<Reason> kInvalid = {
      {"FF", "\xff"},
      {"lone continuation", "fine so far \x80"},
      {"overlong", "\xc0\xaf"},
      {"surrogate", "\xed\xa0\x80"},
      {"over U+10FFFF", "\xf4\x90\x80\x80"},
      {"cut character", "caf\xc3"},
      {"cut four-byte character", "\xf0\x9f\x98"},
      {"Latin-1",
       "m\xfc"
       "de"},
      {"valid, then invalid",
       "κόσμε\xed\xa0\x80"
       "edited"},
      {"invalid in the last byte of 123", std::string(122, 'a') + "\x80"},
  };
  for (const Reason& reason : kInvalid) {
    table.add("close/reason not UTF-8: " + std::string(reason.name), "RFC 6455 §5.5.1", [reason] {
      return Case{.script = {send(close_frame(1000, reason.bytes))}, .expect = closes(1007)};
    });
  }
  table.add("close/reason of four-byte characters", "RFC 6455 §5.5.1", [] {
    return Case{.script = {send(close_frame(1000, repeat("😀", 30)))}, .expect = closes(1000)};
  });
  table.add("close/reason of NULs", "RFC 6455 §5.5.1", [] {
    return Case{.script = {send(close_frame(1000, std::string(10, '\0')))}, .expect = closes(1000)};
  });
}

void add_after_rows(Table& table) {
  struct After {
    const char* name;
    std::string bytes;
  };
  static const std::vector<After> kAfter = {
      {"a message", text_frame("too late")},
      {"a ping", ping_frame("too late")},
      {"a second close", close_frame(1001)},
      {"a frame with reserved bits", build_frame({.rsv1 = true, .payload = "x"})},
      {"an unmasked frame", build_frame({.payload = "x", .masked = false})},
      {"bytes that are no frame", std::string("GET / HTTP/1.1\r\n\r\n")},
      {"half a frame", text_frame("too late").substr(0, 3)},
      {"64 KiB", binary_frame(bytes_of(65536))},
  };
  for (const After& after : kAfter) {
    table.add("close/then " + std::string(after.name), "RFC 6455 §5.5.1", [after] {
      Case out{.script = {send(text_frame("in time") + close_frame(1000) + after.bytes)},
               .expect = closes(1000, {text("in time")})};
      // More than one read may take: whoever closes then leaves bytes unread.
      out.expect.reset_allowed = after.bytes.size() > 16384;
      return out;
    });
  }
  table.add("close/inside a fragmented message", "RFC 6455 §5.5.1", [] {
    return Case{.script = {send(fragment(kText, "never ", false) + close_frame(1000) +
                                fragment(kContinuation, "finished", true))},
                .expect = closes(1000)};
  });
  table.add("close/after a ping, which is answered first", "RFC 6455 §5.5.2", [] {
    return Case{.script = {send(ping_frame("before") + close_frame(1000))},
                .expect = closes(1000, {}, {"before"})};
  });
  table.add("close/then the client's end of stream", "RFC 6455 §7.1.1", [] {
    return Case{.script = {send(close_frame(1000)), half_close()}, .expect = closes(1000)};
  });
  table.add("close/behind replies of 4 MiB", "RFC 6455 §7.1.1", [] {
    // The close frame waits its turn behind them, and TCP closes only when all is sent.
    Case out;
    const std::string payload = bytes_of(65536);
    out.expect = closes(1000, std::vector<Message>(64, binary(payload)));
    out.script = {send(repeat(binary_frame(payload), 64) + close_frame(1000))};
    return out;
  });
  table.add("close/after an error nothing is answered", "RFC 6455 §7.1.7", [] {
    return Case{.script = {send(text_frame("\xff") + text_frame("too late") + ping_frame("x") +
                                close_frame(1000))},
                .expect = closes(1007)};
  });
}

}  // namespace

void add_close_rows(Table& table) {
  add_code_rows(table);
  add_payload_rows(table);
  add_reason_rows(table);
  add_after_rows(table);
}

}  // namespace spate::tests
