// Tokens taken apart, before anything is verified.
#include "handlers/client/jwt.h"

#include <gtest/gtest.h>

#include "tests/handlers/client/jwt_vectors.h"
#include "tests/handlers/client/signing.h"

namespace spate::handlers::client {
namespace {

using test::base64url;

std::string with_header(std::string_view header) {
  return base64url(header) + ".e30." + base64url("signature");
}

TEST(Jwt, ThePartsOfTheRfcsExample) {
  Jwt jwt;
  EXPECT_EQ(parse_jwt(test::kRfc7515Hs256, jwt), "");
  EXPECT_EQ(jwt.algorithm, SignatureAlgorithm::hs256);
  EXPECT_FALSE(jwt.kid);
  EXPECT_EQ(jwt.signature().size(), 32u);
  EXPECT_EQ(jwt.claims,
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
            "\"http://example.com/is_root\":true}");
  EXPECT_EQ(jwt.signed_text, test::kRfc7515Hs256.substr(0, test::kRfc7515Hs256.rfind('.')));
}

TEST(Jwt, EveryAlgorithmByItsName) {
  for (const SignatureAlgorithmInfo& info : kSignatureInfo) {
    Jwt jwt;
    EXPECT_EQ(parse_jwt(with_header("{\"alg\":\"" + std::string(info.name) + "\"}"), jwt), "");
    EXPECT_EQ(jwt.algorithm, info.algorithm);
  }
}

struct HeaderRow {
  const char* name;
  std::string header;
  std::string_view wrong;
  const char* clause;
};

TEST(Jwt, Headers) {
  const HeaderRow rows[] = {
      {"typ", R"({"alg":"HS256","typ":"JWT"})", "", "RFC 7519 §5.1"},
      {"typ in lower case", R"({"alg":"HS256","typ":"jwt"})", "", "RFC 7519 §5.1"},
      {"access token", R"({"alg":"HS256","typ":"at+jwt"})", "", "RFC 9068 §2.1"},
      {"a whole media type", R"({"alg":"HS256","typ":"application/at+JWT"})", "",
       "RFC 7515 §4.1.9"},
      {"another type", R"({"alg":"HS256","typ":"logout+jwt"})", "typ is not JWT", "RFC 8725 §3.11"},
      {"typ not a string", R"({"alg":"HS256","typ":1})", "typ is not JWT", "RFC 7515 §4.1.9"},
      {"typ twice", R"({"alg":"HS256","typ":"JWT","typ":"JWT"})", "typ is given twice",
       "RFC 7515 §4"},
      {"unknown members", R"({"alg":"HS256","x5c":["a"],"jwk":{"kty":"oct"},"jku":"x"})", "",
       "RFC 7515 §4"},
      {"none", R"({"alg":"none"})", "alg is not supported", "RFC 8725 §3.1"},
      {"None", R"({"alg":"None"})", "alg is not supported", "RFC 8725 §3.1"},
      {"lower case", R"({"alg":"hs256"})", "alg is not supported", "RFC 7515 §4.1.1"},
      {"PS256", R"({"alg":"PS256"})", "alg is not supported", "RFC 7515 §4.1.1"},
      {"empty", R"({"alg":""})", "alg is not supported", "RFC 7515 §4.1.1"},
      {"alg not a string", R"({"alg":["HS256"]})", "alg is not a string", "RFC 7515 §4.1.1"},
      {"alg null", R"({"alg":null})", "alg is not a string", "RFC 7515 §4.1.1"},
      {"alg missing", R"({"typ":"JWT"})", "alg is missing", "RFC 7515 §4.1.1"},
      {"alg twice", R"({"alg":"HS256","\u0061lg":"HS256"})", "alg is given twice", "RFC 7515 §4"},
      {"crit", R"({"alg":"HS256","crit":["b64"],"b64":false})",
       "crit names extensions, and none is supported", "RFC 7515 §4.1.11"},
      {"crit empty", R"({"alg":"HS256","crit":[]})", "crit names extensions, and none is supported",
       "RFC 7515 §4.1.11"},
      {"kid not a string", R"({"alg":"HS256","kid":7})", "kid is not a string", "RFC 7515 §4.1.4"},
      {"kid twice", R"({"alg":"HS256","kid":"a","kid":"b"})", "kid is given twice", "RFC 7515 §4"},
      {"no object", R"(["alg","HS256"])", "header is not a JSON object", "RFC 7515 §4"},
      {"no JSON", "alg=HS256", "header is not a JSON object", "RFC 7515 §5.2 (3)"},
      {"two objects", R"({"alg":"HS256"}{})", "header is not a JSON object", "RFC 7515 §5.2 (3)"},
      {"not UTF-8", "{\"alg\":\"HS256\",\"x\":\"\xFF\"}", "header is not a JSON object",
       "RFC 7515 §5.2 (3)"},
      {"nothing", "", "header is not a JSON object", "RFC 7515 §5.2 (3)"},
      {"deep", R"({"alg":"HS256","x":)" + std::string(600, '[') + std::string(600, ']') + "}",
       "header is not a JSON object", ""},
  };
  for (const HeaderRow& row : rows) {
    Jwt jwt;
    EXPECT_EQ(parse_jwt(with_header(row.header), jwt), row.wrong)
        << row.name << " (" << row.clause << ")";
  }
}

struct TokenRow {
  const char* name;
  std::string token;
  std::string_view wrong;
};

TEST(Jwt, Forms) {
  const std::string header = base64url(R"({"alg":"HS256"})");
  const TokenRow rows[] = {
      {"nothing", "", "token has not three parts"},
      {"one part", header, "token has not three parts"},
      {"two parts", header + ".e30", "token has not three parts"},
      {"four parts", header + ".e30.AA.AA", "token has not three parts"},
      {"encrypted (RFC 7516)", header + ".AA.AA.AA.AA", "token has not three parts"},
      {"points alone", "..", "header is not a JSON object"},
      {"no signature", header + ".e30.", ""},  // parses; no key takes it
      {"padding in the header", header + "=.e30.AA", "header is not base64url"},
      {"padding in the claims", header + ".e30=.AA", "claims are not base64url"},
      {"padding in the signature", header + ".e30.AA==", "signature is not base64url"},
      {"the plain alphabet", header + ".e30.AA+A", "signature is not base64url"},
      {"signature with bits to spare", header + ".e30.AB", "signature is not base64url"},
      {"a line break at the end", header + ".e30.AA\n", "signature is not base64url"},
      {"a space in front", " " + header + ".e30.AA", "header is not base64url"},
  };
  for (const TokenRow& row : rows) {
    Jwt jwt;
    EXPECT_EQ(parse_jwt(row.token, jwt), row.wrong) << row.name;
  }
}

TEST(Jwt, SizesAreBounded) {
  Jwt jwt;
  const auto signature_of = [](std::size_t bytes) {
    return base64url(R"({"alg":"HS256"})") + ".e30." + base64url(std::string(bytes, 's'));
  };
  EXPECT_EQ(parse_jwt(signature_of(kMaxSignatureBytes), jwt), "");
  EXPECT_EQ(jwt.signature().size(), kMaxSignatureBytes);
  EXPECT_EQ(parse_jwt(signature_of(kMaxSignatureBytes + 1), jwt), "signature is too long");

  const auto header_of = [](std::size_t characters) {
    const std::size_t bytes = codec::base64url_decoded_bytes(characters);
    const std::string empty = R"({"alg":"HS256","x":""})";
    std::string filler(bytes - empty.size(), 'x');
    return with_header(R"({"alg":"HS256","x":")" + filler + "\"}");
  };
  EXPECT_EQ(parse_jwt(header_of(kMaxTokenHeaderBytes), jwt), "");
  EXPECT_EQ(parse_jwt(header_of(kMaxTokenHeaderBytes + 2), jwt), "header is too long");

  const std::string around = with_header(R"({"alg":"HS256"})");
  const std::size_t claims = kMaxTokenBytes - around.size() + 3;
  std::string longest = around;
  longest.replace(longest.find("e30"), 3, std::string(claims, 'A'));
  ASSERT_EQ(longest.size(), kMaxTokenBytes);
  EXPECT_NE(parse_jwt(longest, jwt), "token is too long");
  EXPECT_EQ(parse_jwt(longest + "A", jwt), "token is too long");
}

TEST(Jwt, NothingIsLeftOfTheTokenBefore) {
  Jwt jwt;
  EXPECT_EQ(parse_jwt(with_header(R"({"alg":"ES256","kid":"a"})"), jwt), "");
  EXPECT_EQ(jwt.kid, "a");
  EXPECT_EQ(parse_jwt(with_header(R"({"alg":"HS256"})"), jwt), "");
  EXPECT_FALSE(jwt.kid);
}

}  // namespace
}  // namespace spate::handlers::client
