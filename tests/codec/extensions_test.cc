// The grammar of RFC 6455 §9.1.
#include "codec/extensions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/codec/http_outline.h"

namespace spate::codec {
namespace {

// What the lines offer, as "name(param param=value) …", with "malformed" where it ends in that.
std::string offered(const std::vector<std::string>& lines) {
  std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& line : lines) request += "Sec-WebSocket-Extensions: " + line + "\r\n";
  const test::ExactBlock block(request + "\r\n");
  HttpHead head;
  if (parse_http_head(block.bytes(), {}, head).status != HttpParse::ok) return "no head";
  std::string said;
  ExtensionOffers offers(head);
  for (ExtensionOffer offer; offers.next(offer);) {
    said += std::string(offer.name) + "(";
    std::string_view params = offer.params;
    for (ExtensionParam param; next_extension_param(params, param);) {
      said += (said.ends_with('(') ? "" : " ") + std::string(param.name);
      if (param.has_value()) said += "=" + std::string(param.value);
    }
    EXPECT_TRUE(params.empty()) << "a parameter that is no parameter";
    said += ") ";
  }
  ExtensionOffer offer;
  EXPECT_FALSE(offers.next(offer)) << "the end is the end";
  EXPECT_EQ(extensions_well_formed(ExtensionOffers(head)), !offers.malformed() && !said.empty());
  return said + (offers.malformed() ? "malformed" : "");
}

struct Row {
  const char* name;
  std::vector<std::string> lines;
  const char* expect;
};

const Row kRows[] = {
    {"one", {"permessage-deflate"}, "permessage-deflate() "},
    {"with parameters", {"a; b; c=d; e=\"f\""}, "a(b c=d e=f) "},
    {"without white space", {"a;b;c=d;e=\"f\",g"}, "a(b c=d e=f) g() "},
    {"with white space everywhere",
     {" \ta \t; b ;\tc = d ; e\t=\t\"f\" , g "},
     "a(b c=d e=f) g() "},
    {"several", {"a, b;x, c"}, "a() b(x) c() "},
    {"on several lines", {"a;x", "b", "c;y=1"}, "a(x) b() c(y=1) "},
    {"empty elements", {", ,a,, b,\t,"}, "a() b() "},
    {"an empty line among others", {"a", "", "b"}, "a() b() "},
    {"repeated parameters are the extension's affair", {"a;b;b=1"}, "a(b b=1) "},
    {"every character of a token", {"!#$%&'*+-.^_`|~09azAZ"}, "!#$%&'*+-.^_`|~09azAZ() "},
    {"quoted pairs", {"a;b=\"\\1\\5\""}, "a(b=\\1\\5) "},

    {"nothing", {""}, ""},
    {"only commas", {" , ,"}, ""},
    {"parameter without a name", {"a;"}, "malformed"},
    {"two semicolons", {"a;;b"}, "malformed"},
    {"parameters without a name", {";b"}, "malformed"},
    {"value without a name", {"a;=1"}, "malformed"},
    {"equals without a value", {"a;b="}, "malformed"},
    {"equals and a comma", {"a;b=,c"}, "malformed"},
    {"two values", {"a;b=c=d"}, "malformed"},
    {"two tokens", {"a b"}, "malformed"},
    {"two tokens in a parameter", {"a;b c"}, "malformed"},
    {"no token", {"a/b"}, "malformed"},
    {"a value that is no token", {"a;b=c/d"}, "malformed"},
    {"quoted name", {"\"a\""}, "malformed"},
    {"empty quoted value", {"a;b=\"\""}, "malformed"},
    {"quoted value that is no token", {"a;b=\"c d\""}, "malformed"},
    {"a comma in quotes ends nothing", {"a;b=\"c,d\""}, "malformed"},
    {"escaped quote", {"a;b=\"\\\"\""}, "malformed"},
    {"escaped backslash", {"a;b=\"\\\\\""}, "malformed"},
    {"quotes that do not end", {"a;b=\"c"}, "malformed"},
    {"nor behind a backslash", {"a;b=\"c\\"}, "malformed"},
    {"text behind quotes", {"a;b=\"c\"d"}, "malformed"},
    {"bytes beyond ASCII", {"a;b=\xC3\xA9"}, "malformed"},
    {"what came before was good", {"a, b;;"}, "a() malformed"},
    {"the second line is not", {"a", "b;"}, "a() malformed"},
    {"quotes do not reach over lines", {"a;b=\"c", "d\""}, "malformed"},
};

TEST(Extensions, AreWhatTheGrammarSays) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(offered(row.lines), row.expect);
  }
}

TEST(Extensions, NoHeaderIsNoOfferAndNoFault) {
  const test::ExactBlock block("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  HttpHead head;
  ASSERT_EQ(parse_http_head(block.bytes(), {}, head).status, HttpParse::ok);
  EXPECT_TRUE(extensions_well_formed(ExtensionOffers(head)));
  ExtensionOffer offer;
  ExtensionOffers offers(head);
  EXPECT_FALSE(offers.next(offer));
  EXPECT_FALSE(offers.malformed());
  EXPECT_FALSE(ExtensionOffers().next(offer));
}

}  // namespace
}  // namespace spate::codec
