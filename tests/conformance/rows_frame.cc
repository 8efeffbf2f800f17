// Masking, and one frame that arrives in two reads, cut at every byte of its header.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

struct KeyRow {
  const char* name;
  std::uint32_t key;
};

// Zero and repeated bytes are legal keys; an unmasking that shortcuts them shows here.
constexpr KeyRow kKeys[] = {
    {"of the RFC's example", 0x37fa213d},
    {"of zeros", 0x00000000},
    {"of ones", 0xffffffff},
    {"with one bit", 0x00000001},
    {"with one high bit", 0x80000000},
    {"of equal bytes", 0x5a5a5a5a},
    {"with a zero byte", 0x11002233},
    {"ascending", 0x01020304},
};

void add_mask_rows(Table& table) {
  for (const KeyRow& row : kKeys) {
    table.add(std::string("frame/mask/key ") + row.name, "RFC 6455 §5.3", [row] {
      Case out;
      std::string stream;
      for (const std::size_t bytes : {1, 2, 3, 4, 5, 17, 64, 125, 126, 1000}) {
        stream += build_frame({.payload = text_of(bytes), .masking_key = row.key});
        out.expect.messages.push_back(text(text_of(bytes)));
      }
      out.script = {send(stream)};
      return out;
    });
  }
  // Payloads that start at each alignment and end at each phase of the key.
  for (std::size_t lead = 0; lead < 8; ++lead) {
    table.add("frame/mask/payload at offset " + std::to_string(lead), "RFC 6455 §5.3", [lead] {
      Case out;
      std::string stream = ping_frame(std::string(lead, 'p'));
      out.expect.pongs = {std::string(lead, 'p')};
      for (std::size_t bytes = 0; bytes <= 132; ++bytes) {
        stream += build_frame(
            {.opcode = kBinary, .payload = bytes_of(bytes), .masking_key = key_of(bytes + lead)});
        out.expect.messages.push_back(binary(bytes_of(bytes)));
      }
      out.script = {send(stream)};
      return out;
    });
  }
  for (const std::uint8_t opcode : {kText, kBinary, kClose, kPing, kPong}) {
    for (const std::size_t bytes : {0, 2}) {
      table.add(
          "frame/mask/unmasked opcode " + std::to_string(opcode) + " of " + std::to_string(bytes) +
              " bytes",
          "RFC 6455 §5.1", [opcode, bytes] {
            // As the body of a close frame, 0x03 0xe8 is code 1000.
            const std::string payload = std::string("\x03\xe8", 2).substr(0, bytes);
            const std::string frame = build_frame(
                {.opcode = opcode, .payload = opcode == kText ? "ok" : payload, .masked = false});
            return Case{.script = {send(frame)}, .expect = closes(1002)};
          });
    }
  }
  table.add("frame/mask/unmasked after a masked one", "RFC 6455 §5.1", [] {
    return Case{
        .script = {send(text_frame("first") + build_frame({.payload = "second", .masked = false}))},
        .expect = closes(1002, {text("first")})};
  });
  table.add("frame/mask/unmasked continuation", "RFC 6455 §5.1", [] {
    return Case{.script = {send(
                    fragment(kText, "first", false) +
                    build_frame({.opcode = kContinuation, .payload = "second", .masked = false}))},
                .expect = closes(1002)};
  });
}

struct SplitRow {
  const char* name;
  std::size_t payload_bytes;
  std::size_t header_bytes;
};

constexpr SplitRow kSplits[] = {{"7 bit", 100, 6}, {"16 bit", 1000, 8}, {"64 bit", 65536, 14}};

void add_split_rows(Table& table) {
  for (const SplitRow& row : kSplits) {
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 1; cut <= row.header_bytes + 5; ++cut) cuts.push_back(cut);
    cuts.push_back(row.header_bytes + row.payload_bytes - 1);
    for (const std::size_t cut : cuts) {
      table.add("frame/split/" + std::string(row.name) + " length at byte " + std::to_string(cut),
                "RFC 6455 §5.2", [row, cut] {
                  const std::string payload = text_of(row.payload_bytes);
                  const std::string frame = text_frame(payload);
                  return Case{.script = {send(ping_frame("read so far") + frame.substr(0, cut)),
                                         await_pong("read so far"), send(frame.substr(cut))},
                              .expect = stays_open({text(payload)}, {"read so far"})};
                });
    }
  }
  for (const std::size_t cut : {1, 2, 5, 6, 7, 9, 10}) {
    table.add("frame/split/ping at byte " + std::to_string(cut), "RFC 6455 §5.5.2", [cut] {
      const std::string frame = ping_frame("late");
      return Case{.script = {send(text_frame("a") + frame.substr(0, cut)), await_messages(1),
                             send(frame.substr(cut))},
                  .expect = stays_open({text("a")}, {"late"})};
    });
    table.add("frame/split/close at byte " + std::to_string(cut), "RFC 6455 §5.5.1", [cut] {
      const std::string frame = close_frame(1001, "bye");
      return Case{.script = {send(text_frame("a") + frame.substr(0, cut)), await_messages(1),
                             send(frame.substr(cut))},
                  .expect = closes(1001, {text("a")})};
    });
  }
  table.add("frame/split/every byte awaited", "RFC 6455 §5.2", [] {
    // Between any two bytes of the message's last fragment no ping fits; before each fragment one
    // does.
    Case out;
    const std::string payload = text_of(40);
    for (std::size_t i = 0; i < payload.size(); ++i) {
      const std::string ping = std::to_string(i);
      out.script.push_back(send(
          fragment(i == 0 ? kText : kContinuation, payload.substr(i, 1), i + 1 == payload.size()) +
          ping_frame(ping)));
      out.script.push_back(await_pong(ping));
      out.expect.pongs.push_back(ping);
    }
    out.expect.messages = {text(payload)};
    return out;
  });
}

}  // namespace

void add_frame_rows(Table& table) {
  add_mask_rows(table);
  add_split_rows(table);
}

}  // namespace spate::tests
