// Fragmentation: every order of up to three frames, against a literal reading of §5.4, then shapes
// and sizes.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

// The frames that matter to §5.4. With two states, in a message or not, three frames reach every
// transition after every other.
struct Letter {
  const char* name;
  std::uint8_t opcode;
  bool fin;
};

constexpr Letter kLetters[] = {
    {"text", kText, true},       {"text…", kText, false},       {"binary", kBinary, true},
    {"binary…", kBinary, false}, {"…end", kContinuation, true}, {"…more…", kContinuation, false},
    {"ping", kPing, true},
};

// What §5.4 says of a sequence of frames, frame by frame.
struct Course {
  std::string stream;
  std::string name;
  std::vector<Message> messages;
  std::vector<std::string> pongs;
  bool in_message = false;
  bool failed = false;
  Message half;
  std::size_t frames = 0;

  void take(const Letter& letter) {
    // Each payload is its own, so that a reply made of the wrong pieces cannot look right.
    const std::string payload = "<" + std::to_string(frames++) + ">";
    stream += fragment(letter.opcode, payload, letter.fin);
    name += (name.empty() ? "" : " ") + std::string(letter.name);
    if (letter.opcode == kPing) {
      pongs.push_back(payload);
      return;
    }
    const bool starts = letter.opcode != kContinuation;
    if (starts == in_message) {
      failed = true;
      return;
    }
    if (starts) half = {letter.opcode, ""};
    half.payload += payload;
    in_message = !letter.fin;
    if (letter.fin) messages.push_back(half);
  }
};

void add_orders(Table& table, const Course& course, int depth) {
  for (const Letter& letter : kLetters) {
    Course next = course;
    next.take(letter);
    table.add("fragment/order/" + next.name, "RFC 6455 §5.4", [next] {
      return Case{.script = {send(next.stream)},
                  .expect = next.failed ? closes(1002, next.messages, next.pongs)
                                        : stays_open(next.messages, next.pongs)};
    });
    if (!next.failed && depth > 1) add_orders(table, next, depth - 1);
  }
}

// A message in the given pieces; `apart` awaits a pong after each, so that the server reads them
// one by one.
Case in_pieces(std::uint8_t opcode, const std::vector<std::string>& pieces, bool apart,
               std::size_t chop_bytes = 0) {
  Case out;
  Message whole{opcode, ""};
  std::string stream;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string frame = build_frame({.fin = i + 1 == pieces.size(),
                                           .opcode = i == 0 ? opcode : std::uint8_t{kContinuation},
                                           .payload = pieces[i],
                                           .masking_key = key_of(i)});
    whole.payload += pieces[i];
    stream += frame;
    if (!apart) continue;
    const std::string ping = std::to_string(i);
    out.script.push_back(send(frame + ping_frame(ping)));
    out.script.push_back(await_pong(ping));
    out.expect.pongs.push_back(ping);
  }
  if (!apart) out.script = {send(stream, chop_bytes)};
  out.expect.messages = {whole};
  return out;
}

void add_empty_rows(Table& table) {
  for (const std::uint8_t opcode : {kText, kBinary}) {
    const std::string kind = opcode == kText ? "text" : "binary";
    for (unsigned full = 0; full < 8; ++full) {
      std::string shape;
      std::vector<std::string> pieces;
      for (unsigned i = 0; i < 3; ++i) {
        const bool empty = (full >> i & 1) == 0;
        shape += empty ? "0" : "n";
        pieces.push_back(empty ? "" : std::string("piece ") + std::to_string(i));
      }
      table.add("fragment/empty/" + kind + " " + shape, "RFC 6455 §5.4",
                [=] { return in_pieces(opcode, pieces, false); });
      table.add("fragment/empty/" + kind + " " + shape + ", apart", "RFC 6455 §5.4",
                [=] { return in_pieces(opcode, pieces, true); });
    }
    for (const std::size_t count : {2, 10, 1000, 10000}) {
      table.add("fragment/empty/" + kind + " of " + std::to_string(count) + " empty fragments",
                "RFC 6455 §5.4",
                [=] { return in_pieces(opcode, std::vector<std::string>(count), false); });
      table.add("fragment/empty/" + kind + " of " + std::to_string(count) +
                    " empty fragments and one byte",
                "RFC 6455 §5.4", [=] {
                  std::vector<std::string> pieces(count);
                  pieces[count / 2] = "x";
                  return in_pieces(opcode, pieces, false);
                });
    }
  }
}

void add_size_rows(Table& table) {
  static constexpr std::size_t kSizes[] = {0, 1, 125, 126, 127, 4096, 65535};
  for (const std::size_t first : kSizes) {
    for (const std::size_t second : kSizes) {
      if (first + second > 65536) continue;
      table.add("fragment/size/" + std::to_string(first) + " + " + std::to_string(second),
                "RFC 6455 §5.4", [=] {
                  const std::string whole = text_of(first + second);
                  return in_pieces(kText, {whole.substr(0, first), whole.substr(first)}, false);
                });
    }
  }
  for (const std::size_t piece_bytes : {1, 2, 3, 7, 64, 125, 126, 1000, 4096}) {
    for (const std::size_t chop : {0, 1, 13, 1460}) {
      table.add("fragment/size/65536 bytes in fragments of " + std::to_string(piece_bytes) +
                    (chop == 0 ? "" : " in " + std::to_string(chop) + "-byte chops"),
                "RFC 6455 §5.4", [=] {
                  const std::string whole = text_of(65536);
                  std::vector<std::string> pieces;
                  for (std::size_t at = 0; at < whole.size(); at += piece_bytes) {
                    pieces.push_back(whole.substr(at, piece_bytes));
                  }
                  return in_pieces(kText, pieces, false, chop);
                });
    }
  }
}

void add_split_rows(Table& table) {
  const std::string whole = text_of(24);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    table.add("fragment/cut/text at byte " + std::to_string(cut) + ", apart", "RFC 6455 §5.4", [=] {
      return in_pieces(kText, {whole.substr(0, cut), whole.substr(cut)}, true);
    });
  }
  table.add("fragment/a hundred fragmented messages in one write", "RFC 6455 §5.4", [] {
    Case out;
    std::string stream;
    for (std::size_t i = 0; i < 100; ++i) {
      const std::string whole_i = text_of(3 * i + 2);
      stream += fragment(kText, whole_i.substr(0, i), false) +
                fragment(kContinuation, whole_i.substr(i, i), false) +
                fragment(kContinuation, whole_i.substr(2 * i), true);
      out.expect.messages.push_back(text(whole_i));
    }
    out.script = {send(stream)};
    return out;
  });
  table.add("fragment/unfinished, then close", "RFC 6455 §5.5.1", [] {
    return Case{.script = {send(fragment(kText, "unfinished", false) + close_frame(1000))},
                .expect = closes(1000)};
  });
}

}  // namespace

void add_fragment_rows(Table& table) {
  add_orders(table, {}, 3);
  add_empty_rows(table);
  add_size_rows(table);
  add_split_rows(table);
}

}  // namespace spate::tests
