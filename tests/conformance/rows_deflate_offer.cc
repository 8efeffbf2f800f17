// permessage-deflate (RFC 7692): what is agreed to.
#include "tests/conformance/deflate_rows.h"

namespace spate::tests {
namespace {

void add_offer_rows(Table& table) {
  struct Offer {
    const char* name;
    std::vector<std::string> lines;
    std::string answer;
    int client_window_bits = 15;
  };
  const std::string windows = "; server_max_window_bits=10; client_max_window_bits=9";
  const std::vector<Offer> shared_offers = {
      {"plain", {kName}, kShared},
      {"as browsers offer", {kName + "; client_max_window_bits"}, kShared},
      {"as Safari offers",
       {"x-webkit-deflate-frame, " + kName + "; client_max_window_bits"},
       kShared},
      {"both windows", {kName + windows}, kShared + windows, 9},
      {"a window in quotes",
       {kName + "; server_max_window_bits=\"12\""},
       kShared + "; server_max_window_bits=12"},
      {"the smallest window of a client",
       {kName + "; client_max_window_bits=8"},
       kShared + "; client_max_window_bits=8",
       9},
      {"no contexts", {kShared}, kShared},
      {"the second of two", {kName + "; server_max_window_bits=8, " + kName}, kShared},
      {"the second line",
       {"x-other", kName + ";server_max_window_bits=11"},
       kShared + "; server_max_window_bits=11"},
  };
  const std::vector<Offer> takeover_offers = {
      {"contexts", {kName}, kName + "; server_max_window_bits=12"},
      {"contexts and windows",
       {kName + "; client_max_window_bits"},
       kName + "; server_max_window_bits=12; client_max_window_bits=12",
       12},
      {"no context of the server's",
       {kName + "; server_no_context_takeover"},
       kName + "; server_no_context_takeover"},
      {"no context of the client's",
       {kName + "; client_no_context_takeover"},
       kName + "; client_no_context_takeover; server_max_window_bits=12"},
      {"no contexts, where they could be had", {kShared}, kShared},
  };
  const auto add = [&table](const Offer& offer, const Profile& profile) {
    table.add(
        std::string("deflate/offer/") + offer.name, "RFC 7692 §7.1",
        [offer] {
          const bool keeps = offer.answer.find("client_no_context") == std::string::npos;
          Compression context(offer.client_window_bits);
          Case out{.handshake = offering(offer.lines, offer.answer)};
          for (std::size_t i = 0; i < 4; ++i) {
            const std::string message = words(3000 + i);
            out.script.push_back(send(compressed_frame(
                keeps ? context.deflate(message) : deflated(message, offer.client_window_bits))));
            out.expect.messages.push_back(compressed(message));
          }
          return out;
        },
        profile);
  };
  for (const Offer& offer : shared_offers) add(offer, kDeflate);
  for (const Offer& offer : takeover_offers) add(offer, kTakeover);
}

void add_declined_rows(Table& table) {
  for (const char* params :
       {"x", "server_no_context_takeover=1", "client_no_context_takeover=\"1\"",
        "server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=8",
        "server_max_window_bits=16", "server_max_window_bits=08", "client_max_window_bits=7",
        "client_max_window_bits=16", "client_max_window_bits=x",
        "client_max_window_bits; client_max_window_bits",
        "server_no_context_takeover; server_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10"}) {
    const std::string line = kName + "; " + params;
    table.add(
        std::string("deflate/declined/") + params, "RFC 7692 §7.1",
        [line] {
          return Case{.handshake = offering({line}, ""),
                      .script = {send(text_frame(words(300)) + compressed_frame(deflated("x")))},
                      .expect = closes(1002, {plain(words(300))})};
        },
        kDeflate);
  }
  for (const char* line :
       {"permessage-deflate;", "permessage-deflate; client_max_window_bits=", "permessage deflate",
        "permessage-deflate; server_max_window_bits=\"10", "permessage-deflate;; x", ""}) {
    table.add(
        std::string("deflate/malformed/\"") + line + "\"", "RFC 6455 §9.1",
        [line] {
          return Case{
              .handshake = {.request = Request().with("Sec-WebSocket-Extensions", line).bytes(),
                            .statuses = {400}}};
        },
        kDeflate);
  }
  Row& off = table.add("deflate/offered to a server that has it off", "RFC 7692 §5", [] {
    return Case{.handshake = offering({kName}, ""),
                .script = {send(text_frame("plain") + compressed_frame(deflated("x")))},
                .expect = closes(1002, {plain("plain")})};
  });
  off.plain_only = true;
}

}  // namespace

void add_deflate_offer_rows(Table& table) {
  add_offer_rows(table);
  add_declined_rows(table);
}

}  // namespace spate::tests
