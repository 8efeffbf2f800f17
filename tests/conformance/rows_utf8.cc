// UTF-8 in text messages: valid at every split, invalid wherever it can hide, and refused at the
// first byte that no valid text could have there (§8.1), before the frame that holds it is
// complete.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

bool between(unsigned char byte, unsigned low, unsigned high) {
  return byte >= low && byte <= high;
}

// The oracle: Unicode's table 3-7, read byte by byte. How many bytes at the front of `text` could
// begin a well-formed text, and whether they end between characters.
struct Prefix {
  std::size_t bytes;
  bool complete;
};

Prefix valid_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    std::size_t more = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (lead <= 0x7f) {
    } else if (between(lead, 0xc2, 0xdf)) {
      more = 1;
    } else if (between(lead, 0xe0, 0xef)) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (between(lead, 0xf0, 0xf4)) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return {at, true};
    }
    for (std::size_t i = 1; i <= more; ++i) {
      if (at + i == text.size()) return {at + i, false};
      if (!between(static_cast<unsigned char>(text[at + i]), low, high)) return {at + i, false};
      low = 0x80;
      high = 0xbf;
    }
    at += more + 1;
  }
  return {at, true};
}

struct Sample {
  const char* name;
  std::string bytes;
};

const std::vector<Sample>& valid_samples() {
  static const std::vector<Sample> samples = {
      {"U+0000", std::string(1, '\0')}, {"U+007F", "\x7f"},
      {"U+0080", "\xc2\x80"},           {"U+07FF", "\xdf\xbf"},
      {"U+0800", "\xe0\xa0\x80"},       {"U+D7FF", "\xed\x9f\xbf"},
      {"U+E000", "\xee\x80\x80"},       {"U+FEFF", "\xef\xbb\xbf"},
      {"U+FFFD", "\xef\xbf\xbd"},       {"U+FFFE", "\xef\xbf\xbe"},
      {"U+FFFF", "\xef\xbf\xbf"},       {"U+10000", "\xf0\x90\x80\x80"},
      {"U+1FFFE", "\xf0\x9f\xbf\xbe"},  {"U+3FFFF", "\xf0\xbf\xbf\xbf"},
      {"U+40000", "\xf1\x80\x80\x80"},  {"U+FFFFF", "\xf3\xbf\xbf\xbf"},
      {"U+100000", "\xf4\x80\x80\x80"}, {"U+10FFFF", "\xf4\x8f\xbf\xbf"},
  };
  return samples;
}

void add_valid_rows(Table& table) {
  for (const Sample& sample : valid_samples()) {
    table.add("utf8/valid/" + std::string(sample.name), "RFC 6455 §8.1", [sample] {
      Case out;
      std::string stream;
      for (std::size_t lead = 0; lead < 70; ++lead) {
        const std::string payload = std::string(lead, 'a') + sample.bytes + std::string(70, 'b');
        stream += text_frame(payload);
        out.expect.messages.push_back(text(payload));
      }
      out.script = {send(stream)};
      return out;
    });
    for (std::size_t cut = 1; cut < sample.bytes.size(); ++cut) {
      const std::string at = " cut at byte " + std::to_string(cut);
      table.add("utf8/valid/" + std::string(sample.name) + at + " between fragments",
                "RFC 6455 §5.6", [=] {
                  const std::string payload = "ab" + sample.bytes + "cd";
                  return Case{
                      .script = {send(fragment(kText, payload.substr(0, cut + 2), false)),
                                 send(ping_frame("apart")), await_pong("apart"),
                                 send(fragment(kContinuation, payload.substr(cut + 2), true))},
                      .expect = stays_open({text(payload)}, {"apart"})};
                });
      table.add("utf8/valid/" + std::string(sample.name) + at + " between reads", "RFC 6455 §8.1",
                [=] {
                  const std::string payload = "ab" + sample.bytes + "cd";
                  const std::string frame = text_frame(payload);
                  const std::size_t end = frame.size() - payload.size() + 2 + cut;
                  return Case{.script = {send(ping_frame("apart") + frame.substr(0, end)),
                                         await_pong("apart"), send(frame.substr(end))},
                              .expect = stays_open({text(payload)}, {"apart"})};
                });
    }
  }
  for (const std::size_t chop : {1, 2, 3, 5, 1009}) {
    table.add("utf8/valid/65536 bytes of mixed text in " + std::to_string(chop) + "-byte chops",
              "RFC 6455 §8.1", [chop] {
                return Case{.script = {send(text_frame(text_of(65536)), chop)},
                            .expect = stays_open({text(text_of(65536))})};
              });
  }
  table.add("utf8/valid/state starts anew with each message", "RFC 6455 §8.1", [] {
    return Case{.script = {send(text_frame("€") + binary_frame("\xe2\x82") + text_frame("€") +
                                fragment(kBinary, "\xff", false) +
                                fragment(kContinuation, "\xc0", true) + text_frame("😀"))},
                .expect = stays_open(
                    {text("€"), binary("\xe2\x82"), text("€"), binary("\xff\xc0"), text("😀")})};
  });
}

const std::vector<Sample>& invalid_samples() {
  static const std::vector<Sample> samples = {
      {"lone continuation 80", "\x80"},
      {"lone continuation BF", "\xbf"},
      {"two continuations", "\x80\xbf"},
      {"continuation after a character", "\xc3\xa9\xa9"},
      {"lead C2, then ASCII", "\xc2 "},
      {"lead E2, then ASCII", "\xe2 "},
      {"lead E2 82, then ASCII", "\xe2\x82 "},
      {"lead F0 9F 98, then ASCII", "\xf0\x9f\x98 "},
      {"lead C3, then lead C3", "\xc3\xc3"},
      {"overlong slash of 2", "\xc0\xaf"},
      {"overlong slash of 3", "\xe0\x80\xaf"},
      {"overlong slash of 4", "\xf0\x80\x80\xaf"},
      {"overlong slash of 5", "\xf8\x80\x80\x80\xaf"},
      {"overlong slash of 6", "\xfc\x80\x80\x80\x80\xaf"},
      {"overlong NUL", std::string("\xc0\x80")},
      {"greatest overlong of 2", "\xc1\xbf"},
      {"greatest overlong of 3", "\xe0\x9f\xbf"},
      {"greatest overlong of 4", "\xf0\x8f\xbf\xbf"},
      {"surrogate D800", "\xed\xa0\x80"},
      {"surrogate DB7F", "\xed\xad\xbf"},
      {"surrogate DFFF", "\xed\xbf\xbf"},
      {"surrogate pair", "\xed\xa0\x80\xed\xb0\x80"},
      {"U+110000", "\xf4\x90\x80\x80"},
      {"U+13FFFF", "\xf4\xbf\xbf\xbf"},
      {"U+140000", "\xf5\x80\x80\x80"},
      {"five bytes", "\xf8\x88\x80\x80\x80"},
      {"six bytes", "\xfc\x84\x80\x80\x80\x80"},
      {"byte FE", "\xfe"},
      {"byte FF", "\xff"},
      {"Latin-1", "caf\xe9 au lait"},
      {"UTF-16 mark",
       "\xff\xfe"
       "a"},
  };
  return samples;
}

// Bytes that a frame announces and that never come.
constexpr std::size_t kUnsent = 300;

// The first byte that no valid text has there is the last byte sent; the frame announces more.
Case refused_at_once(const std::string& valid, const std::string& invalid) {
  const std::size_t bad = valid_prefix(invalid).bytes;
  const std::string payload = valid + invalid.substr(0, bad + 1) + std::string(kUnsent, 'x');
  const std::string frame = text_frame(payload);
  return {.script = {send(frame.substr(0, frame.size() - kUnsent))}, .expect = closes(1007)};
}

// All but that byte is a fragment, accepted: a ping behind it is answered. Then the byte comes.
Case refused_after_fragment(const std::string& valid, const std::string& invalid) {
  const std::size_t bad = valid_prefix(invalid).bytes;
  const std::string rest =
      fragment(kContinuation, invalid.substr(bad, 1) + std::string(50, 'x'), true);
  return {
      .script = {send(fragment(kText, valid + invalid.substr(0, bad), false) + ping_frame("fine")),
                 await_pong("fine"), send(rest.substr(0, rest.size() - 50))},
      .expect = closes(1007, {}, {"fine"})};
}

void add_invalid_rows(Table& table) {
  for (const Sample& sample : invalid_samples()) {
    const std::string name = "utf8/invalid/" + std::string(sample.name);
    table.add(name + ", whole", "RFC 6455 §8.1", [sample] {
      return Case{.script = {send(text_frame("κόσμε" + sample.bytes + "κόσμε"))},
                  .expect = closes(1007)};
    });
    table.add(name + ", before the frame is complete", "RFC 6455 §8.1",
              [sample] { return refused_at_once("κόσμε", sample.bytes); });
    table.add(name + ", after a fragment", "RFC 6455 §8.1",
              [sample] { return refused_after_fragment("κόσμε", sample.bytes); });
    table.add(name + ", in 1-byte fragments", "RFC 6455 §8.1", [sample] {
      std::string stream;
      const std::string all = "a" + sample.bytes + "z";
      for (std::size_t i = 0; i < all.size(); ++i) {
        stream += fragment(i == 0 ? kText : kContinuation, all.substr(i, 1), i + 1 == all.size());
      }
      return Case{.script = {send(stream)}, .expect = closes(1007)};
    });
    table.add(name + ", in 1-byte chops", "RFC 6455 §8.1", [sample] {
      return Case{.script = {send(text_frame("κόσμε" + sample.bytes + "κόσμε"), 1)},
                  .expect = closes(1007)};
    });
  }
}

// Every lead byte that borders on another rule, with every second byte that does.
void add_table_rows(Table& table) {
  static constexpr unsigned char kLeads[] = {0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                             0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};
  static constexpr unsigned char kSeconds[] = {0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0};
  for (const unsigned char lead : kLeads) {
    for (const unsigned char second : kSeconds) {
      std::string bytes{static_cast<char>(lead), static_cast<char>(second)};
      const bool valid = valid_prefix(bytes).bytes == 2;
      const std::string name = "utf8/table/" + hex(bytes) + (valid ? " begins" : " is refused");
      if (!valid) {
        table.add(name, "RFC 3629 §4", [bytes] { return refused_at_once("", bytes); });
        continue;
      }
      while (!valid_prefix(bytes).complete) bytes.push_back('\x80');
      table.add(name, "RFC 3629 §4", [bytes] {
        return Case{.script = {send(text_frame(bytes))}, .expect = stays_open({text(bytes)})};
      });
    }
  }
}

// A message that ends inside a character.
void add_incomplete_rows(Table& table) {
  for (const std::string& character : {std::string("é"), std::string("€"), std::string("😀")}) {
    for (std::size_t bytes = 1; bytes < character.size(); ++bytes) {
      const std::string part = character.substr(0, bytes);
      const std::string name =
          "utf8/incomplete/" + std::to_string(bytes) + " of " + std::to_string(character.size());
      table.add(name + " bytes, unfragmented", "RFC 6455 §8.1", [part] {
        return Case{.script = {send(text_frame("ab" + part))}, .expect = closes(1007)};
      });
      table.add(name + " bytes, in the last fragment", "RFC 6455 §8.1", [part] {
        return Case{
            .script = {send(fragment(kText, "ab", false) + fragment(kContinuation, part, true))},
            .expect = closes(1007)};
      });
      table.add(name + " bytes, then an empty last fragment", "RFC 6455 §8.1", [part] {
        return Case{.script = {send(fragment(kText, part, false) + ping_frame("fine")),
                               await_pong("fine"), send(fragment(kContinuation, "", true))},
                    .expect = closes(1007, {}, {"fine"})};
      });
      table.add(name + " bytes, completed by the next message only", "RFC 6455 §8.1", [=] {
        return Case{.script = {send(text_frame(part) + text_frame(character.substr(bytes)))},
                    .expect = closes(1007)};
      });
    }
  }
}

// Where vector code has seams: each offset around its widths, and far into a long text.
void add_offset_rows(Table& table) {
  for (const std::size_t offset : {0,  1,  3,  7,  8,  15,  16,  17,   30,   31,   32,    33,
                                   47, 62, 63, 64, 65, 127, 128, 1023, 4095, 4096, 40000, 65000}) {
    const std::string at = " at offset " + std::to_string(offset);
    table.add("utf8/offset/FF after ASCII" + at, "RFC 6455 §8.1",
              [offset] { return refused_at_once(std::string(offset, 'a'), "\xff"); });
    table.add("utf8/offset/surrogate after mixed text" + at, "RFC 6455 §8.1",
              [offset] { return refused_at_once(text_of(offset), "\xed\xa0\x80"); });
    table.add("utf8/offset/cut character at the end" + at, "RFC 6455 §8.1", [offset] {
      return Case{.script = {send(text_frame(text_of(offset) + "\xf0\x9f\x98"))},
                  .expect = closes(1007)};
    });
    table.add("utf8/offset/overlong in the midst" + at, "RFC 6455 §8.1", [offset] {
      return Case{.script = {send(
                      text_frame(std::string(offset, 'a') + "\xc0\xaf" + std::string(200, 'b')))},
                  .expect = closes(1007)};
    });
  }
}

}  // namespace

void add_utf8_rows(Table& table) {
  add_valid_rows(table);
  add_invalid_rows(table);
  add_table_rows(table);
  add_incomplete_rows(table);
  add_offset_rows(table);
}

}  // namespace spate::tests
