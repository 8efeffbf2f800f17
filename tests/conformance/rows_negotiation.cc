// Origins, subprotocols, and the syntax of the request head.
#include <algorithm>

#include "tests/conformance/request.h"

namespace spate::tests {
namespace {

void add_origin_rows(Table& table) {
  const std::string clause = "RFC 6455 §4.2.2 item 4.1";
  const auto from = [](const std::string& origin) { return Request().with("Origin", origin); };
  const Refusal forbidden{{403}};
  // Without a list: a browser's page from the same host and port only (§10.2).
  add_accepted(table, "origin/same host and port", clause, from("http://{host}"));
  for (const char* origin : {"http://127.0.0.1", "http://127.0.0.1:1", "http://localhost:8000",
                             "http://evil.example", "http://{host}.evil.example", "null",
                             "http://evil.example/{host}", "http://{host}@evil.example"}) {
    add_refused(table, std::string("origin/") + origin, clause, forbidden, from(origin).bytes());
  }
  add_refused(table, "origin/two origins", "RFC 6454 §7.3", {{400, 403}},
              from("http://{host}").with("Origin", "http://evil.example").bytes());
  // With a list: what it names.
  for (const char* origin :
       {"https://app.example.com", "https://a.example.org", "https://a.b.example.org"}) {
    add_accepted(table, std::string("origin/listed ") + origin, clause, from(origin), kOrigins);
  }
  add_accepted(table, "origin/none, with a list", clause, Request(), kOrigins);
  for (const char* origin :
       {"http://app.example.com", "https://app.example.com:444", "https://app.example.com.evil.com",
        "https://example.org", "https://evilexample.org", "https://xapp.example.com", "null", ""}) {
    add_refused(table, std::string("origin/not listed \"") + origin + "\"", clause, forbidden,
                from(origin).bytes(), kOrigins);
  }
}

void add_protocol_rows(Table& table) {
  struct Row {
    const char* name;
    std::vector<std::string> fields;
    std::vector<std::string> any_of;  // empty: none may be chosen
  };
  static const std::vector<Row> kRows = {
      {"none offered", {}, {}},
      {"one known", {"chat.v1"}, {"chat.v1"}},
      {"the other known", {"chat.v2"}, {"chat.v2"}},
      {"one unknown", {"soap"}, {}},
      {"unknown, then known", {"soap, chat.v1"}, {"chat.v1"}},
      {"two known", {"chat.v1, chat.v2"}, {"chat.v1", "chat.v2"}},
      {"list without spaces", {"soap,chat.v1,xmpp"}, {"chat.v1"}},
      {"list with empty members", {", ,chat.v1,"}, {"chat.v1"}},
      {"in two fields", {"soap", "chat.v1"}, {"chat.v1"}},
      {"another case is another name", {"CHAT.V1"}, {}},
      {"the beginning of a name", {"chat"}, {}},
      {"more than a name", {"chat.v1x"}, {}},
  };
  for (const Row& row : kRows) {
    table.add(
        std::string("handshake/protocol/") + row.name, "RFC 6455 §4.2.2 item 5.5",
        [row] {
          Request request;
          for (const std::string& field : row.fields) {
            request = request.with("Sec-WebSocket-Protocol", field);
          }
          Case out = accepted({.request = request.bytes()});
          out.handshake.check = [row](const ResponseHead& head) -> std::string {
            const std::size_t count = head.count("sec-websocket-protocol");
            if (row.any_of.empty()) return count == 0 ? "" : "a subprotocol was chosen";
            const std::string chosen = head.value("sec-websocket-protocol");
            const auto& any = row.any_of;
            if (count == 1 && std::find(any.begin(), any.end(), chosen) != any.end()) return {};
            return "the subprotocol chosen is \"" + chosen + "\", in " + std::to_string(count) +
                   " fields";
          };
          return out;
        },
        kProtocols);
  }
}

// §4.2.1 rests on HTTP's grammar; what is not in it must not be guessed at.
void add_syntax_rows(Table& table) {
  const Refusal bad{{400}};
  const Request plain;
  const std::string good = plain.bytes();
  const auto replaced = [&good](const std::string& from, const std::string& to) {
    std::string out = good;
    return out.replace(out.find(from), from.size(), to);
  };
  const std::string field = "RFC 9112 §5";
  add_refused(table, "syntax/space before a colon", "RFC 9112 §5.1", bad,
              replaced("Upgrade:", "Upgrade :"));
  add_refused(table, "syntax/folded header", "RFC 9112 §5.2", bad,
              replaced("Upgrade: websocket", "X-Folded: a\r\n b\r\nUpgrade: websocket"));
  add_refused(table, "syntax/header without a colon", field, bad,
              replaced("Upgrade: ", "Nonsense\r\nUpgrade: "));
  add_refused(table, "syntax/header without a name", field, bad,
              replaced("Upgrade: ", ": x\r\nUpgrade: "));
  add_refused(table, "syntax/space in a header name", field, bad,
              replaced("Upgrade: ", "X Y: z\r\nUpgrade: "));
  add_refused(table, "syntax/space before the first header", "RFC 9112 §2.2", bad,
              replaced("Host: ", " Host: "));
  add_refused(table, "syntax/NUL in a value", "RFC 9110 §5.5", bad,
              replaced("websocket", std::string("web\0socket", 10)));
  add_refused(table, "syntax/control character in a value", "RFC 9110 §5.5", bad,
              plain
                  .with("X-Bell",
                        "a\x07"
                        "b")
                  .bytes());
  add_refused(table, "syntax/bare CR in a value", "RFC 9112 §2.2", bad,
              plain.with("X-Bare", "a\rb").bytes());
  std::string bare_lf = good;
  std::erase(bare_lf, '\r');
  add_refused(table, "syntax/bare LF", "RFC 9112 §2.2", bad, bare_lf);
  add_refused(table, "syntax/one bare LF", "RFC 9112 §2.2", bad,
              replaced("websocket\r\n", "websocket\n"));
  add_refused(table, "syntax/no version", "RFC 9112 §3", {{400, 505}}, replaced(" HTTP/1.1", ""));
  add_refused(table, "syntax/two spaces in the request line", "RFC 9112 §3", bad,
              replaced("GET /echo", "GET  /echo"));
  add_refused(table, "syntax/space in the target", "RFC 9112 §3.2", bad,
              replaced("/echo", "/ec ho"));
  add_refused(table, "syntax/control character in the target", "RFC 9112 §3.2", bad,
              replaced("/echo", "/ec\x01ho"));
  add_refused(table, "syntax/target without a slash", "RFC 9112 §3.2", {{400, 404}, true},
              replaced("/echo", "echo"));
  add_refused(table, "syntax/no HTTP at all", "RFC 9112 §3", bad, "\x16\x03\x01\x02\r\n\r\n\r\n");
  add_refused(table, "syntax/a frame instead of a request", "RFC 9112 §3", bad,
              text_frame("no handshake") + "\r\n\r\n");
  add_refused(table, "syntax/body announced twice over", "RFC 9112 §6.1", bad,
              plain.with("Content-Length", "5").with("Transfer-Encoding", "chunked").bytes());
}

void add_size_rows(Table& table) {
  const Request plain;
  add_accepted(table, "size/a header of 1000 bytes", "RFC 6585 §5",
               plain.with("X-Long", std::string(1000, 'x')));
  add_accepted(table, "size/20 headers more", "RFC 6585 §5", [&plain] {
    Request out = plain;
    for (int i = 0; i < 20; ++i) out = out.with("X-" + std::to_string(i), "value");
    return out;
  }());
  add_refused(table, "size/a header of 256 KiB", "RFC 6585 §5", {{400, 413, 431}},
              plain.with("X-Long", std::string(256 * 1024, 'x')).bytes());
  add_refused(table, "size/a target of 256 KiB", "RFC 9110 §15.5.15", {{400, 413, 414, 431}},
              request_line("GET", "/echo?" + std::string(256 * 1024, 'x')).bytes());
  std::string many;
  for (int i = 0; i < 20000; ++i) many += "X-" + std::to_string(i) + ": value\r\n";
  add_refused(table, "size/20,000 headers", "RFC 6585 §5", {{400, 413, 431}},
              upgrade_request("{host}", "/echo", many));
  add_refused(table, "size/a head that never ends", "RFC 6585 §5", {{400, 413, 431}},
              "GET /echo HTTP/1.1\r\nHost: {host}\r\nX-Endless: " + std::string(1 << 20, 'x'));
}

}  // namespace

void add_negotiation_rows(Table& table) {
  add_origin_rows(table);
  add_protocol_rows(table);
  add_syntax_rows(table);
  add_size_rows(table);
}

}  // namespace spate::tests
