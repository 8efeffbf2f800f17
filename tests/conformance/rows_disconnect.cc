// Clients that leave without a closing handshake, in every state: the server ends its side too and
// serves on.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

struct State {
  const char* name;
  std::string bytes;
};

const std::vector<State>& states() {
  static const std::vector<State> all = {
      {"after the handshake", ""},
      {"inside a header", text_frame("hello").substr(0, 1)},
      {"inside a masking key", text_frame("hello").substr(0, 4)},
      {"inside a payload", text_frame("hello").substr(0, 8)},
      {"inside a large payload", binary_frame(bytes_of(60000)).substr(0, 30000)},
      {"inside a 64-bit length", binary_frame(bytes_of(65536)).substr(0, 5)},
      {"inside a fragmented message", fragment(kText, "first", false)},
      {"inside a character", fragment(kText, "\xe2\x82", false)},
      {"inside a ping", ping_frame("hello").substr(0, 7)},
      {"inside a close frame", close_frame(1000, "bye").substr(0, 7)},
  };
  return all;
}

}  // namespace

void add_disconnect_rows(Table& table) {
  for (const State& state : states()) {
    table.add("disconnect/end of stream " + std::string(state.name), "RFC 6455 §7.1.5", [state] {
      return Case{.script = {send(state.bytes), half_close()}, .expect = ends()};
    });
    table.add("disconnect/reset " + std::string(state.name), "RFC 6455 §7.1.5", [state] {
      return Case{.script = {send(ping_frame("read so far") + state.bytes),
                             await_pong("read so far"), reset()},
                  .expect = gone()};
    });
  }
  table.add("disconnect/end of stream behind a message", "RFC 6455 §7.1.5", [] {
    return Case{.script = {send(text_frame("answered all the same")), half_close()},
                .expect = ends({text("answered all the same")})};
  });
  table.add("disconnect/end of stream behind a hundred messages", "RFC 6455 §7.1.5", [] {
    return Case{.script = {send(repeat(text_frame(text_of(1000)), 100)), half_close()},
                .expect = ends(std::vector<Message>(100, text(text_of(1000))))};
  });
  table.add("disconnect/end of stream behind 8 MiB of messages", "RFC 6455 §7.1.5", [] {
    return Case{.script = {send(repeat(binary_frame(bytes_of(65536)), 128)), half_close()},
                .expect = ends(std::vector<Message>(128, binary(bytes_of(65536))))};
  });
  table.add("disconnect/reset with replies unread", "RFC 6455 §7.1.5", [] {
    return Case{
        .script = {send(repeat(binary_frame(bytes_of(65536)), 16)), await_messages(1), reset()},
        .expect = gone()};
  });
}

}  // namespace spate::tests
