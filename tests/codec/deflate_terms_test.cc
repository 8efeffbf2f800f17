// What permessage-deflate is agreed to: RFC 7692 §7.1, parameter by parameter.
#include "codec/deflate_terms.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/codec/http_outline.h"

namespace spate::codec {
namespace {

// The answer's text, or "none".
std::string answer(const std::vector<std::string>& lines, const DeflatePolicy& policy) {
  std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& line : lines) request += "Sec-WebSocket-Extensions: " + line + "\r\n";
  const test::ExactBlock block(request + "\r\n");
  HttpHead head;
  EXPECT_EQ(parse_http_head(block.bytes(), {}, head).status, HttpParse::ok) << request;
  const auto agreement = negotiate_deflate(ExtensionOffers(head), policy);
  EXPECT_TRUE(!agreement || offers_deflate(ExtensionOffers(head)));
  return agreement ? std::string(agreement->text()) : "none";
}

constexpr DeflatePolicy kShared{};
constexpr DeflatePolicy kTakeover{.context_takeover = true};
constexpr DeflatePolicy kSmallWindows{.context_takeover = true, .context_window_bits = 12};

#define PMD "permessage-deflate"
#define BOTH "; server_no_context_takeover; client_no_context_takeover"

struct Row {
  const char* name;
  std::vector<std::string> lines;
  const char* shared;    // without contexts
  const char* takeover;  // with
  const char* small;     // with, of 12 bits
  const char* clause;
};

const Row kRows[] = {
    {"nothing offered", {}, "none", "none", "none", "§5"},
    {"something else", {"x-webkit-deflate-frame"}, "none", "none", "none", "§5"},
    {"another case", {"Permessage-Deflate"}, "none", "none", "none", "§7"},
    {"plain", {PMD}, PMD BOTH, PMD, PMD "; server_max_window_bits=12", "§7.1"},
    {"server without context",
     {PMD "; server_no_context_takeover"},
     PMD BOTH,
     PMD "; server_no_context_takeover",
     PMD "; server_no_context_takeover",
     "§7.1.1.1"},
    {"client without context",
     {PMD "; client_no_context_takeover"},
     PMD BOTH,
     PMD "; client_no_context_takeover",
     PMD "; client_no_context_takeover; server_max_window_bits=12",
     "§7.1.1.2"},
    {"neither", {PMD BOTH}, PMD BOTH, PMD BOTH, PMD BOTH, "§7.1.1"},
    {"client's window, any",
     {PMD "; client_max_window_bits"},
     PMD BOTH,
     PMD,
     PMD "; server_max_window_bits=12; client_max_window_bits=12",
     "§7.1.2.2"},
    {"client's window of 10",
     {PMD "; client_max_window_bits=10"},
     PMD BOTH "; client_max_window_bits=10",
     PMD "; client_max_window_bits=10",
     PMD "; server_max_window_bits=12; client_max_window_bits=10",
     "§7.1.2.2"},
    {"client's window of 8",
     {PMD "; client_max_window_bits=8"},
     PMD BOTH "; client_max_window_bits=8",
     PMD "; client_max_window_bits=8",
     PMD "; server_max_window_bits=12; client_max_window_bits=8",
     "§7.1.2.2"},
    {"client's window of 15",
     {PMD "; client_max_window_bits=15"},
     PMD BOTH,
     PMD,
     PMD "; server_max_window_bits=12; client_max_window_bits=12",
     "§7.1.2.2"},
    {"server's window of 10",
     {PMD "; server_max_window_bits=10"},
     PMD BOTH "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10",
     "§7.1.2.1"},
    {"server's window of 15",
     {PMD "; server_max_window_bits=15"},
     PMD BOTH "; server_max_window_bits=15",
     PMD "; server_max_window_bits=15",
     PMD "; server_max_window_bits=12",
     "§7.1.2.1"},
    {"quoted, with a quoted pair",
     {PMD "; server_max_window_bits=\"1\\0\""},
     PMD BOTH "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10",
     "RFC 6455 §9.1"},
    {"everything",
     {PMD BOTH "; server_max_window_bits=9; client_max_window_bits=9"},
     PMD BOTH "; server_max_window_bits=9; client_max_window_bits=9",
     PMD BOTH "; server_max_window_bits=9; client_max_window_bits=9",
     PMD BOTH "; server_max_window_bits=9; client_max_window_bits=9",
     "§7.1"},
    {"behind another extension",
     {"x, " PMD},
     PMD BOTH,
     PMD,
     PMD "; server_max_window_bits=12",
     "§5"},
    {"the second offer, where the first cannot be had",
     {PMD "; server_max_window_bits=8, " PMD "; server_max_window_bits=11"},
     PMD BOTH "; server_max_window_bits=11",
     PMD "; server_max_window_bits=11",
     PMD "; server_max_window_bits=11",
     "§5.1"},
    {"the second line, where the first is unknown",
     {PMD "; x", PMD "; server_no_context_takeover"},
     PMD BOTH,
     PMD "; server_no_context_takeover",
     PMD "; server_no_context_takeover",
     "§5.1"},
    {"the first of two",
     {PMD "; server_max_window_bits=10, " PMD},
     PMD BOTH "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10",
     "§5.1"},
};

TEST(DeflateTerms, AnswerTheOffer) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.name) + " — RFC 7692 " + row.clause);
    EXPECT_EQ(answer(row.lines, kShared), row.shared);
    EXPECT_EQ(answer(row.lines, kTakeover), row.takeover);
    EXPECT_EQ(answer(row.lines, kSmallWindows), row.small);
  }
}

TEST(DeflateTerms, AnOfferThatIsWrongIsDeclined) {
  for (const char* params : {"x",
                             "server_no_context_takeover=1",
                             "server_no_context_takeover=true",
                             "client_no_context_takeover=1",
                             "server_no_context_takeover; server_no_context_takeover",
                             "client_no_context_takeover; client_no_context_takeover",
                             "server_max_window_bits",
                             "server_max_window_bits=7",
                             "server_max_window_bits=8",
                             "server_max_window_bits=16",
                             "server_max_window_bits=010",
                             "server_max_window_bits=08",
                             "server_max_window_bits=0",
                             "server_max_window_bits=1",
                             "server_max_window_bits=100",
                             "server_max_window_bits=1e1",
                             "server_max_window_bits=+10",
                             "server_max_window_bits=-9",
                             "server_max_window_bits=a",
                             "server_max_window_bits=\"\\8\"",
                             "server_max_window_bits=10; server_max_window_bits=10",
                             "client_max_window_bits=7",
                             "client_max_window_bits=16",
                             "client_max_window_bits=09",
                             "client_max_window_bits=256",
                             "client_max_window_bits=4294967306",
                             "client_max_window_bits; client_max_window_bits",
                             "client_max_window_bits; client_max_window_bits=10",
                             "Server_no_context_takeover",
                             "client_max_window_bits=10; x=1"})
    EXPECT_EQ(answer({std::string(PMD "; ") + params}, kTakeover), "none") << params;
}

}  // namespace
}  // namespace spate::codec
