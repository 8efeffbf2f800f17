// What a conformance row is: a name, the clause that it stands for, what the client does, and what
// the server must answer. A row is data; exchange.h plays it. Rows are independent: each has a
// connection of its own, and none needs another to have run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/system/ws_client.h"

namespace spate::tests {

// Flags that a server is started with; every row runs against one profile.
struct Profile {
  std::string_view name;
  std::vector<std::string> flags;
};

extern const Profile kStandard;    // --max-message-bytes at its default, 65536
extern const Profile kSmallLimit;  // --max-message-bytes 100
extern const Profile kLargeLimit;  // --max-message-bytes 16 MiB
extern const Profile kOrigins;     // --allowed-origins
extern const Profile kProtocols;   // --subprotocols
extern const Profile kDeflate;     // --deflate
extern const Profile kTakeover;    // and --deflate-context-takeover

struct Step {
  enum class Kind { send, await_pong, await_messages, half_close, reset };
  Kind kind;
  std::string bytes = {};
  std::size_t chop_bytes = 0;  // of send: bytes a write, 0 = as large as the kernel takes
  std::size_t count = 0;       // of await_messages: how many in all
};

Step send(std::string bytes, std::size_t chop_bytes = 0);
// The server's answer to what was sent so far; what follows goes out only then. A ping in front of
// half a frame makes sure, without a clock, that the server has read that half before the rest
// comes.
Step await_pong(std::string payload);
Step await_messages(std::size_t count);
Step half_close();
Step reset();

struct Message {
  std::uint8_t opcode = kText;
  std::string payload = {};
  std::optional<bool> compressed = {};  // where it matters whether a reply is
};

Message text(std::string payload);
Message binary(std::string payload);

enum class Ending {
  open,    // still in order: a last ping is answered next, and the closing handshake then works
  closed,  // a close frame with one of close_codes, then the end of TCP, without anything more from
           // us
  ended,   // the end of TCP; a close frame may come before it
  gone,    // we reset the connection: the server must serve a fresh one
};

inline constexpr std::uint16_t kNoCode = 0;  // a close frame without a body

struct Expectation {
  // Exactly these, in this order, each as one unfragmented frame.
  std::vector<Message> messages = {};
  // These in this order; all but the last may be left out when several wait (§5.5.3).
  std::vector<std::string> pongs = {};
  Ending ending = Ending::open;
  std::vector<std::uint16_t> close_codes = {};
  // We went on sending after the server had to stop reading, so that TCP itself may say RST.
  bool reset_allowed = false;
};

Expectation stays_open(std::vector<Message> messages = {}, std::vector<std::string> pongs = {});
Expectation closes(std::uint16_t code, std::vector<Message> messages = {},
                   std::vector<std::string> pongs = {});
Expectation closes_with_any(std::vector<std::uint16_t> codes, std::vector<Message> messages = {});
Expectation ends(std::vector<Message> messages = {});
Expectation gone();

// The opening handshake. "{host}" in the request stands for the server's host and port.
struct Handshake {
  std::string request = upgrade_request("{host}");
  std::string early = {};  // bytes sent with the head, in the same write
  std::size_t chop_bytes = 0;
  std::string key = std::string(kSampleKey);
  std::vector<int> statuses = {101};
  // A refusal that need not close the connection.
  bool may_stay_open = false;
  // More that the head must satisfy: what it lacks, or "". For a 101 the absence of a subprotocol
  // and of extensions is checked unless this is given.
  std::function<std::string(const ResponseHead&)> check = {};
  // What Sec-WebSocket-Extensions of a 101 must say; nothing: it must not be there.
  std::string extensions = {};
};

struct Case {
  Handshake handshake = {};
  std::vector<Step> script = {};
  Expectation expect = {};
};

struct Row {
  std::string name;    // "group/…"
  std::string clause;  // "RFC 6455 §5.2"
  const Profile* profile;
  std::function<Case()> make;  // called when the row runs: a case may weigh 16 MiB
  bool plain_only = false;     // has another outcome where permessage-deflate was negotiated
};

class Table {
 public:
  Row& add(std::string name, std::string clause, std::function<Case()> make,
           const Profile& profile = kStandard) {
    return rows_.emplace_back(std::move(name), std::move(clause), &profile, std::move(make));
  }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::vector<Row> rows_;
};

// The table's parts, a group of rows each.
void add_frame_rows(Table& table);
void add_length_rows(Table& table);
void add_control_rows(Table& table);
void add_reserved_rows(Table& table);
void add_fragment_rows(Table& table);
void add_utf8_rows(Table& table);
void add_close_rows(Table& table);
void add_limit_rows(Table& table);
void add_pipeline_rows(Table& table);
void add_large_rows(Table& table);
void add_disconnect_rows(Table& table);
void add_handshake_rows(Table& table);
void add_negotiation_rows(Table& table);
void add_deflate_offer_rows(Table& table);
void add_deflate_rows(Table& table);

// Contents that a displaced, lost or doubled byte changes. `text_of` is valid UTF-8 of one- to
// four-byte characters, exactly `bytes` long.
std::string text_of(std::size_t bytes);
std::string bytes_of(std::size_t bytes);
// A masking key that differs from frame to frame; none of its bytes is 0.
std::uint32_t key_of(std::size_t index);

std::string repeat(std::string_view piece, std::size_t times);

}  // namespace spate::tests
