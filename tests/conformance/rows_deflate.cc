// permessage-deflate (RFC 7692): what compressed messages may and may not be.
#include "tests/conformance/deflate_rows.h"

namespace spate::tests {
namespace {

using namespace std::string_literals;

void add_bit_rows(Table& table) {
  struct Misuse {
    const char* name;
    std::string stream;
  };
  const auto bits = [](bool rsv1, bool rsv2, bool rsv3, std::uint8_t opcode, bool fin = true) {
    return build_frame({.fin = fin,
                        .rsv1 = rsv1,
                        .rsv2 = rsv2,
                        .rsv3 = rsv3,
                        .opcode = opcode,
                        .payload = deflated("Hello")});
  };
  const std::string start = compressed_frame(deflated(words(99)), kText, false);
  for (const Misuse& misuse : std::vector<Misuse>{
           {"on a continuation", start + bits(true, false, false, kContinuation)},
           {"on a continuation of a plain message",
            fragment(kText, "plain", false) + bits(true, false, false, kContinuation)},
           {"on a continuation of nothing", bits(true, false, false, kContinuation)},
           {"on a ping", bits(true, false, false, kPing)},
           {"on a pong", bits(true, false, false, kPong)},
           {"on a close", build_frame({.rsv1 = true, .opcode = kClose, .payload = "\x03\xe8"})},
           {"on a ping inside a message", start + bits(true, false, false, kPing)},
           {"with RSV2", bits(true, true, false, kText)},
           {"with RSV3", bits(true, false, true, kBinary)},
           {"not set, but RSV2", bits(false, true, false, kText)},
           {"not set, but RSV3", bits(false, false, true, kText)},
           {"on a reserved opcode", bits(true, false, false, 0x3)},
           {"on a message inside a message", start + bits(true, false, false, kText)},
       })
    add_deflate_row(table, std::string("RSV1 ") + misuse.name, "RFC 7692 §6.1",
                    [stream = misuse.stream] {
                      return Case{.script = {send(text_frame("before") + stream)},
                                  .expect = closes(1002, {plain("before")})};
                    });
}

void add_stream_rows(Table& table) {
  struct Bad {
    const char* name;
    std::string payload;
    std::uint8_t opcode = kBinary;
  };
  const std::string good = deflated(words(500));
  for (const Bad& bad : std::vector<Bad>{
           {"no DEFLATE data", "Hello"},
           {"no payload", ""},
           {"cut off", good.substr(0, good.size() / 2)},
           {"cut before the last byte", good.substr(0, good.size() - 1)},
           {"the tail left on", good + "\x00\x00\xff\xff"s},
           {"more behind it", good + "more"},
           {"a reserved block type", "\x06"},
           {"a stored block with a wrong length", "\x00\x05\x00\x05\x00Hello"s},
           {"a reference to nothing", "\xf2\x00\x11\x00\x00"s},
           {"a zlib header", "\x78\x9c" + good},
           {"text that is not UTF-8", deflated("Hello \xff"), kText},
           {"text that ends inside a character", deflated("Hello \xe2\x82"), kText},
           {"bad text far in", deflated(words(60000) + "\xc0\xaf" + words(1000)), kText},
       })
    for (const std::size_t chop : {0, 1}) {
      if (chop != 0 && bad.payload.size() > 1000) continue;
      add_deflate_row(
          table, std::string("bad stream/") + bad.name + (chop ? ", in 1-byte chops" : ""),
          "RFC 7692 §7.2.2", [bad, chop] {
            return Case{
                .script = {send(text_frame("before") + compressed_frame(bad.payload, bad.opcode),
                                chop)},
                .expect = closes(1007, {plain("before")})};
          });
    }
}

void add_limit_rows_of_deflate(Table& table) {
  for (const bool fits : {true, false})
    for (const std::string kind : {"zeros", "words", "noise"}) {
      const std::size_t bytes = fits ? 65536 : 65537;
      const auto content = [kind, bytes] {
        return kind == "zeros"   ? std::string(bytes, '\0')
               : kind == "words" ? words(bytes)
                                 : bytes_of(bytes);
      };
      add_deflate_row(table, "limit/" + std::to_string(bytes) + " bytes of " + kind,
                      "RFC 6455 §7.4.1", [=] {
                        const std::string frame = compressed_frame(deflated(content()), kBinary);
                        Case out{.script = {send(frame)}};
                        if (fits)
                          out.expect.messages = {{kBinary, content(), kind != "noise"}};
                        else
                          out.expect = closes(1009);
                        return out;
                      });
    }
  for (const std::size_t mebibytes : {1, 60})
    add_deflate_row(table, "limit/a bomb of " + std::to_string(mebibytes) + " MiB",
                    "RFC 6455 §7.4.1", [mebibytes] {
                      const std::string bomb = deflated(std::string(mebibytes << 20, '\0'), 15, 9);
                      return Case{.script = {send(compressed_frame(bomb, kBinary))},
                                  .expect = closes(1009)};
                    });
  add_deflate_row(table, "limit/a plain message over it", "RFC 6455 §7.4.1", [] {
    return Case{.script = {send(build_header({.opcode = kBinary, .announced_length = 65537}))},
                .expect = closes(1009)};
  });
}

void add_shape_rows(Table& table) {
  for (const std::size_t bytes : {1, 31, 32, 33, 125, 126, 127, 1000, 65535, 65536})
    for (const std::uint8_t opcode : {kText, kBinary})
      add_deflate_row(table,
                      "size/" + std::string(opcode == kText ? "text of " : "binary of ") +
                          std::to_string(bytes),
                      "RFC 7692 §7.2", [bytes, opcode] {
                        const std::string message = words(bytes);
                        return Case{.script = {send(compressed_frame(deflated(message), opcode))},
                                    .expect = stays_open({{opcode, message}})};
                      });
  for (const std::size_t piece : {1, 2, 7, 100, 1000})
    for (const std::size_t chop : {0, 1, 13})
      add_deflate_row(table,
                      "fragments/of " + std::to_string(piece) + " bytes" +
                          (chop == 0 ? "" : " in " + std::to_string(chop) + "-byte chops"),
                      "RFC 7692 §6.1", [piece, chop] {
                        const std::string message = text_of(2000), payload = deflated(message);
                        std::string stream;
                        for (std::size_t at = 0; at < payload.size(); at += piece)
                          stream += build_frame({.fin = at + piece >= payload.size(),
                                                 .rsv1 = at == 0,
                                                 .opcode = at == 0 ? kText : kContinuation,
                                                 .payload = payload.substr(at, piece),
                                                 .masking_key = key_of(at)});
                        return Case{.script = {send(stream, chop)},
                                    .expect = stays_open({compressed(message)})};
                      });
  add_deflate_row(table, "fragments/pings between them, each answered first", "RFC 6455 §5.4", [] {
    const std::string message = words(900), payload = deflated(message);
    Case out{.expect = stays_open({compressed(message)})};
    for (std::size_t at = 0, i = 0; at < payload.size(); at += 20, ++i) {
      const std::string ping = std::to_string(i);
      out.script.push_back(send(build_frame({.fin = at + 20 >= payload.size(),
                                             .rsv1 = at == 0,
                                             .opcode = at == 0 ? kText : kContinuation,
                                             .payload = payload.substr(at, 20)}) +
                                ping_frame(ping)));
      out.script.push_back(await_pong(ping));
      out.expect.pongs.push_back(ping);
    }
    return out;
  });
  add_deflate_row(table, "fragments/empty ones around it", "RFC 7692 §6.1", [] {
    const std::string message = words(200);
    return Case{.script = {send(compressed_frame("", kText, false) +
                                fragment(kContinuation, deflated(message), false) +
                                fragment(kContinuation, "", true))},
                .expect = stays_open({compressed(message)})};
  });
  add_deflate_row(table, "fragments/unfinished, then close", "RFC 6455 §5.5.1", [] {
    return Case{.script = {send(compressed_frame("\xf2", kText, false) + close_frame(1000))},
                .expect = closes(1000)};
  });
}

void add_mix_rows(Table& table) {
  add_deflate_row(table, "a hundred messages, every other plain, in one write", "RFC 7692 §6", [] {
    Case out;
    std::string stream;
    for (std::size_t i = 0; i < 100; ++i) {
      const std::string message = words(40 + 7 * i);
      stream += i % 2 == 0 ? text_frame(message) : compressed_frame(deflated(message));
      out.expect.messages.push_back(compressed(message));
    }
    out.script = {send(stream)};
    return out;
  });
  add_deflate_row(table, "short and incompressible messages come back plain", "RFC 7692 §6", [] {
    return Case{.script = {send(compressed_frame(deflated("short")) +
                                compressed_frame(deflated(bytes_of(500)), kBinary))},
                .expect = stays_open({plain("short"), plain(bytes_of(500), kBinary)})};
  });
  add_deflate_row(table, "an empty message", "RFC 7692 §7.2.3.6", [] {
    return Case{.script = {send(compressed_frame("\x00"s))}, .expect = stays_open({plain("")})};
  });
  add_deflate_row(table, "a final block", "RFC 7692 §7.2.3.4", [] {
    return Case{.script = {send(compressed_frame("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s))},
                .expect = stays_open({plain("Hello")})};
  });
  add_deflate_row(table, "a message that refers to the one before", "RFC 7692 §7.1.1.2", [] {
    Compression context;
    const std::string first = context.deflate(words(400)), second = context.deflate(words(400));
    return Case{.script = {send(compressed_frame(first) + compressed_frame(second))},
                .expect = closes(1007, {compressed(words(400))})};
  });
}

}  // namespace

void add_deflate_rows(Table& table) {
  add_bit_rows(table);
  add_stream_rows(table);
  add_limit_rows_of_deflate(table);
  add_shape_rows(table);
  add_mix_rows(table);
}

}  // namespace spate::tests
