// The opening handshake: what §4.2.1 demands of a request, what §4.2.2 demands of the answer, how
// the bytes of both may arrive.
#include <algorithm>
#include <cctype>

#include "tests/conformance/request.h"

namespace spate::tests {
namespace {

const std::string kLine = "RFC 6455 §4.2.1 item 1";
const std::string kHost = "RFC 6455 §4.2.1 item 2";
const std::string kUpgrade = "RFC 6455 §4.2.1 item 3";
const std::string kConnection = "RFC 6455 §4.2.1 item 4";
const std::string kKey = "RFC 6455 §4.2.1 item 5";
const std::string kVersion = "RFC 6455 §4.2.1 item 6";

void add_accepted_rows(Table& table) {
  const Request plain;
  add_accepted(table, "the plain request", "RFC 6455 §4.2.2", plain);
  add_accepted(table, "upgrade in capitals", kUpgrade, plain.changed("Upgrade", "WEBSOCKET"));
  add_accepted(table, "upgrade in mixed case", kUpgrade, plain.changed("Upgrade", "WebSocket"));
  for (const char* value : {"upgrade", "UPGRADE", "keep-alive, Upgrade", "Upgrade, keep-alive",
                            "keep-alive,Upgrade", ", ,Upgrade,,", "close, upgrade"}) {
    add_accepted(table, std::string("connection: ") + value, kConnection,
                 plain.changed("Connection", value));
  }
  add_accepted(table, "connection in two fields", kConnection,
               plain.changed("Connection", "keep-alive").with("Connection", "Upgrade"));
  add_accepted(table, "spaces around values", "RFC 9112 §5.1",
               plain.changed("Sec-WebSocket-Version", " \t13 \t"));
  add_accepted(table, "a query in the target", kLine, request_line("GET", "/echo?user=42&x=%20"));
  add_accepted(table, "the target in absolute form", kLine,
               request_line("GET", "http://{host}/echo"));
  add_accepted(table, "an unknown header", "RFC 6455 §4.2.1", plain.with("X-Unknown", "value"));
  add_accepted(table, "obs-text in a header", "RFC 9110 §5.5", plain.with("X-Name", "m\xfcller"));
  add_accepted(table, "an empty header value", "RFC 9110 §5.5", plain.with("X-Empty", ""));
  add_accepted(table, "an unknown extension", "RFC 6455 §9.1",
               plain.with("Sec-WebSocket-Extensions", "x-unknown; level=3"));
  add_accepted(
      table, "two extension fields", "RFC 6455 §11.3.2",
      plain.with("Sec-WebSocket-Extensions", "x-one").with("Sec-WebSocket-Extensions", "x-two"));
  add_accepted(table, "a subprotocol where there is none", "RFC 6455 §4.2.2 item 5.5",
               plain.with("Sec-WebSocket-Protocol", "chat.v1"));
  Request lower_case;
  for (auto& [name, value] : lower_case.headers) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  add_accepted(table, "header names in lower case", "RFC 9110 §5.1", lower_case);
  Request reversed;
  std::reverse(reversed.headers.begin(), reversed.headers.end());
  add_accepted(table, "headers in reverse order", "RFC 6455 §4.1", reversed);
  table.add("handshake/no space behind the colons", "RFC 9112 §5.1", [] {
    std::string bytes = Request().bytes();
    for (std::size_t at; (at = bytes.find(": ")) != std::string::npos;) bytes.erase(at + 1, 1);
    return accepted({.request = bytes});
  });
  for (const char* key : {"x3JJHMbDL1EzLkh9GBhXDw==", "AAAAAAAAAAAAAAAAAAAAAA==",
                          "/////////////////////w==", "AQIDBAUGBwgJCgsMDQ4PEA=="}) {
    table.add(std::string("handshake/accept value of ") + key, "RFC 6455 §4.2.2 item 5.4", [key] {
      const std::string bytes = Request().changed("Sec-WebSocket-Key", key).bytes();
      return accepted({.request = bytes, .key = key});
    });
  }
}

void add_refused_line_rows(Table& table) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "FOO"}) {
    add_refused(table, std::string("method ") + method, kLine, {{400, 405, 501}, true},
                request_line(method, "/echo").bytes());
  }
  for (const char* version : {"HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/11.1", "HTTP/1.",
                              "http/1.1", "HTTPS/1.1", "WS/1.1"}) {
    add_refused(table, std::string("version ") + version, kLine, {{400, 426, 505}},
                request_line("GET", "/echo", version).bytes());
  }
  for (const char* path : {"/", "/ech", "/echo2", "/echo/more", "/Echo", "/other?x=/echo"}) {
    add_refused(table, std::string("path ") + path, "RFC 6455 §4.2.2 item 4", {{404}, true},
                request_line("GET", path).bytes());
  }
}

void add_refused_header_rows(Table& table) {
  const Request plain;
  const Refusal bad{{400}};
  add_refused(table, "no host", kHost, bad, plain.without("Host").bytes());
  add_refused(table, "two hosts", kHost, bad, plain.with("Host", "{host}").bytes());
  // Without the wish to upgrade it is a plain GET of a resource that only WebSockets reach.
  const Refusal plain_get{{400, 404, 405, 426}, true};
  add_refused(table, "no upgrade", kUpgrade, plain_get, plain.without("Upgrade").bytes());
  for (const char* value : {"h2c", "websockets", "web socket", "", "xwebsocket"}) {
    add_refused(table, std::string("upgrade: ") + value, kUpgrade, plain_get,
                plain.changed("Upgrade", value).bytes());
  }
  add_refused(table, "no connection", kConnection, plain_get, plain.without("Connection").bytes());
  for (const char* value :
       {"keep-alive", "close", "upgrades", "Up grade", "", "keep-alive;Upgrade"}) {
    add_refused(table, std::string("connection: ") + value, kConnection, plain_get,
                plain.changed("Connection", value).bytes());
  }
  add_refused(table, "no key", kKey, bad, plain.without("Sec-WebSocket-Key").bytes());
  add_refused(table, "two keys", "RFC 6455 §11.3.1", bad,
              plain.with("Sec-WebSocket-Key", std::string(kSampleKey)).bytes());
  add_refused(table, "two different keys", "RFC 6455 §11.3.1", bad,
              plain.with("Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw==").bytes());
  struct Key {
    const char* name;
    const char* value;
  };
  static constexpr Key kBadKeys[] = {
      {"empty", ""},
      {"of 15 bytes", "AQIDBAUGBwgJCgsMDQ4P"},
      {"of 17 bytes", "AQIDBAUGBwgJCgsMDQ4PEBE="},
      {"of 1 byte", "AQ=="},
      {"of 32 bytes", "AQIDBAUGBwgJCgsMDQ4PEAECAwQFBgcICQoLDA0ODxA="},
      {"without padding", "dGhlIHNhbXBsZSBub25jZQ"},
      {"with one padding character", "dGhlIHNhbXBsZSBub25jZQ="},
      {"with three padding characters", "dGhlIHNhbXBsZSBub25jZ==="},
      {"with a space inside", "dGhlIHNhbXBs ZSBub25jZQ=="},
      {"with a character outside the alphabet", "dGhlIHNhbXBsZSBub25j*Q=="},
      {"in the URL alphabet", "_____________________w=="},
      {"with padding in the middle", "dGhlIHNh==BsZSBub25jZQ=="},
      {"twice in one value", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="},
  };
  for (const Key& key : kBadKeys) {
    add_refused(table, std::string("key ") + key.name, kKey, bad,
                plain.changed("Sec-WebSocket-Key", key.value).bytes());
  }
}

// §4.4: the answer to another version names ours.
std::string names_version_13(const ResponseHead& head) {
  if (head.status == 426 && head.value("sec-websocket-version") != "13") {
    return "a 426 without Sec-WebSocket-Version: 13";
  }
  return {};
}

void add_version_rows(Table& table) {
  const auto add = [&table](const std::string& name, const std::string& clause,
                            std::vector<int> statuses, const Request& request) {
    table.add("handshake/" + name, clause, [=] {
      return Case{.handshake = {
                      .request = request.bytes(), .statuses = statuses, .check = names_version_13}};
    });
  };
  const Request plain;
  for (const char* version : {"0", "7", "8", "12", "14", "25", "130", "255"}) {
    add(std::string("websocket version ") + version, "RFC 6455 §4.4", {426},
        plain.changed("Sec-WebSocket-Version", version));
  }
  // Not in the grammar of §4.3, so a malformed request may be all that the server says.
  for (const char* version : {"", "abc", "13.0", "+13", "013", "0x0d", "256", "-1", "13, 8", "13 8",
                              "99999999999999999999"}) {
    add(std::string("websocket version \"") + version + "\"", kVersion, {400, 426},
        plain.changed("Sec-WebSocket-Version", version));
  }
  add("no websocket version", kVersion, {400, 426}, plain.without("Sec-WebSocket-Version"));
  add("websocket version twice", "RFC 6455 §11.3.5", {400, 426},
      plain.with("Sec-WebSocket-Version", "13"));
  add("websocket version twice, not the same", "RFC 6455 §11.3.5", {400, 426},
      plain.with("Sec-WebSocket-Version", "8"));
}

void add_arrival_rows(Table& table) {
  for (const std::size_t chop : {1, 2, 3, 7, 50}) {
    table.add("handshake/head in " + std::to_string(chop) + "-byte chops", "RFC 6455 §4.2.1",
              [chop] { return accepted({.chop_bytes = chop}); });
    table.add("handshake/head and first frames in " + std::to_string(chop) + "-byte chops",
              "RFC 6455 §5.2", [chop] {
                Case out{.handshake = {.early = text_frame("early") + ping_frame("p"),
                                       .chop_bytes = chop}};
                out.expect = stays_open({text("early")}, {"p"});
                return out;
              });
  }
  struct Early {
    const char* name;
    std::string bytes;
    Expectation expect;
  };
  static const std::vector<Early> kEarly = {
      {"a message", text_frame("early"), stays_open({text("early")})},
      {"a hundred messages", repeat(text_frame("early"), 100),
       stays_open(std::vector<Message>(100, text("early")))},
      {"64 KiB", binary_frame(bytes_of(65536)), stays_open({binary(bytes_of(65536))})},
      {"a ping", ping_frame("early"), stays_open({}, {"early"})},
      {"a close", close_frame(1001), closes(1001)},
      {"an unmasked frame", build_frame({.payload = "x", .masked = false}), closes(1002)},
      {"a message too big", build_header({.announced_length = 65537}), closes(1009)},
      {"text that is not UTF-8", text_frame("\xff"), closes(1007)},
  };
  for (const Early& early : kEarly) {
    table.add(
        std::string("handshake/head and ") + early.name + " in one segment", "RFC 6455 §4.1",
        [early] { return Case{.handshake = {.early = early.bytes}, .expect = early.expect}; });
  }
  for (const std::size_t cut : {1, 3, 6, 8}) {
    table.add("handshake/head and " + std::to_string(cut) + " bytes of a frame in one segment",
              "RFC 6455 §4.1", [cut] {
                const std::string frame = text_frame("early");
                return Case{.handshake = {.early = frame.substr(0, cut)},
                            .script = {send(frame.substr(cut))},
                            .expect = stays_open({text("early")})};
              });
  }
}

}  // namespace

void add_handshake_rows(Table& table) {
  add_accepted_rows(table);
  add_refused_line_rows(table);
  add_refused_header_rows(table);
  add_version_rows(table);
  add_arrival_rows(table);
}

}  // namespace spate::tests
