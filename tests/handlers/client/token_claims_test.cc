// What claims say of a token whose signature is good.
#include <gtest/gtest.h>

#include "handlers/client/token.h"
#include "tests/handlers/client/signing.h"

namespace spate::handlers::client {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;

class TokenClaimsTest : public testing::Test {
 protected:
  TokenClaimsTest() { settings.hmac_secret = "a secret of more than thirty-two bytes"; }

  std::string token(std::string_view claims) const {
    return test::HmacSigner(settings.hmac_secret, EVP_sha256()).token(R"({"alg":"HS256"})", claims);
  }
  Verified<ConnectionClaims> connection(std::string_view claims) const {
    return TokenVerifier::create(settings).value()->connection(token(claims), kNow);
  }
  Verified<SubscriptionClaims> subscription(std::string_view claims) const {
    return TokenVerifier::create(settings).value()->subscription(token(claims), kNow);
  }
  // Of a connection token: "", or why not, with "expired: " in front when that is what it is.
  std::string refusal(std::string_view claims) const { return refusal(connection(claims)); }
  std::string refusal_of_subscription(std::string_view claims) const {
    return refusal(subscription(claims));
  }

  TokenSettings settings;

 private:
  template <typename Claims>
  static std::string refusal(const Verified<Claims>& verified) {
    EXPECT_EQ(verified.why.empty(), verified.error == TokenError::none);
    return (verified.error == TokenError::expired ? "expired: " : "") + std::string(verified.why);
  }
};

TEST_F(TokenClaimsTest, NothingIsAnonymousForEver) {
  const auto verified = connection("{}");
  ASSERT_EQ(verified.error, TokenError::none);
  EXPECT_EQ(verified.claims.user, "");
  EXPECT_EQ(verified.claims.expire_at, 0);
  EXPECT_EQ(verified.claims.info, "");
  EXPECT_EQ(verified.claims.meta, "");
  EXPECT_TRUE(verified.claims.subs.empty());
}

struct Row {
  const char* claims;
  const char* refusal;
};

TEST_F(TokenClaimsTest, Types) {
  const Row rows[] = {
      {R"({"sub":"ünï\u0020"})", ""},
      {R"({"sub":""})", ""},
      {R"({"sub":null})", ""},
      {R"({"sub":42})", "the user's claim is not a string"},
      {R"({"sub":["42"]})", "the user's claim is not a string"},
      {R"({"sub":"a","sub":"b"})", "the user's claim is given twice"},
      {R"({"sub":"a","s\u0075b":"b"})", "the user's claim is given twice"},
      {R"({"iat":"x","jti":7,"x":{},"x":{}})", ""},
      {R"({"exp":null})", "exp is not a date in seconds"},
      {R"({"exp":"1800000000"})", "exp is not a date in seconds"},
      {R"({"exp":true})", "exp is not a date in seconds"},
      {R"({"exp":1e400})", "claims are not a JSON object"},
      {R"({"exp":1e300})", "exp is not a date in seconds"},
      {R"({"exp":9007199254740991})", ""},
      {R"({"exp":9007199254740993})", "exp is not a date in seconds"},
      {R"({"exp":18446744073709551616})", "exp is not a date in seconds"},
      {R"({"exp":99999999999999999999999999999999})", "exp is not a date in seconds"},
      {R"({"exp":1800000000,"exp":1800000000})", "a claim is given twice"},
      {R"({"nbf":"1"})", "nbf is not a date in seconds"},
      {R"({"nbf":null})", "nbf is not a date in seconds"},
      {R"({"nbf":-9007199254740991})", ""},
      {R"({"expire_at":"0"})", "expire_at is not a date in seconds"},
      {R"({"expire_at":null})", ""},
      {R"({"iss":7})", "iss is not a string"},
      {R"({"iss":null})", "iss is not a string"},
      {R"({"aud":7})", "aud is neither a string nor a list of strings"},
      {R"({"aud":null})", "aud is neither a string nor a list of strings"},
      {R"({"aud":{"a":"b"}})", "aud is neither a string nor a list of strings"},
      {R"({"aud":["a",7]})", "aud is neither a string nor a list of strings"},
      {R"({"aud":[]})", ""},
      {R"({"b64info":"AA"})", "b64info is not a string in base 64"},
      {R"({"b64info":"-_-_"})", "b64info is not a string in base 64"},
      {R"({"b64info":7})", "b64info is not a string in base 64"},
      {R"({"b64info":null})", ""},
      {R"({"channels":"a"})", "channels is not a list of channels"},
      {R"({"channels":["a",null]})", "channels is not a list of channels"},
      {R"({"channels":[""]})", "channels is not a list of channels"},
      {R"({"channels":null})", ""},
      {R"({"subs":[]})", "subs is not an object"},
      {R"({"subs":null})", ""},
      {R"({"subs":{"a":null}})", ""},
      {R"({"subs":{"a":7}})", "subs has a member that is not an object"},
      {R"({"subs":{"":{}}})", "subs has an empty channel"},
      {R"({"subs":{"a":{},"b":{},"a":{}}})", "subs has a channel twice"},
      {R"({"subs":{"a":{"info":1,"info":2}}})", "a claim is given twice"},
      {R"({"subs":{"a":{"b64data":"A"}}})", "b64data is not a string in base 64"},
      {R"({"subs":{"a":{"override":{"presence":true}}}})",
       "override is not {\"OPTION\": {\"value\": true or false}, …}"},
      {R"({"subs":{"a":{"override":{"presence":{"value":1}}}}})",
       "override is not {\"OPTION\": {\"value\": true or false}, …}"},
      {R"({"subs":{"a":{"override":{"new":7}}}})", ""},
      {R"({"meta":{"a":1}})", ""},
      {R"({"meta":null})", ""},
      {R"({"meta":[1]})", "meta is not an object"},
      {R"({"meta":"a"})", "meta is not an object"},
      {R"({"channel":"a"})", "a subscription token, for it names a channel"},
      {R"({"channel":""})", "a subscription token, for it names a channel"},
      {R"({"channel":null})", "a subscription token, for it names a channel"},
      // Claims of the other kind mean nothing here.
      {R"({"client":7,"override":7,"b64data":7,"data":7})", ""},
      {"[]", "claims are not a JSON object"},
      {"\"a\"", "claims are not a JSON object"},
      {"", "claims are not a JSON object"},
      {"{}{}", "claims are not a JSON object"},
      {"{\"sub\":\"\xFF\"}", "claims are not a JSON object"},
      {"{\"info\":\"\xC3\x28\"}", "claims are not a JSON object"},
      {R"({"sub":"\ud800"})", "claims are not a JSON object"},
  };
  for (const Row& row : rows) EXPECT_EQ(refusal(row.claims), row.refusal) << row.claims;
}

TEST_F(TokenClaimsTest, NestingIsBounded) {
  const auto nested = [](std::size_t levels) {
    return "{\"info\":" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  EXPECT_EQ(refusal(nested(511)), "");
  EXPECT_EQ(refusal(nested(512)), "claims are not a JSON object");
  EXPECT_EQ(refusal(nested(20'000)), "claims are not a JSON object");
}

TEST_F(TokenClaimsTest, TimesHaveNoLeeway) {
  const Row rows[] = {
      {R"({"exp":1700000001})", ""},
      {R"({"exp":1700000000})", "expired: exp has passed"},
      {R"({"exp":1699999999})", "expired: exp has passed"},
      {R"({"exp":0})", "expired: exp has passed"},
      {R"({"exp":-1})", "expired: exp has passed"},
      {R"({"exp":1700000000.25})", ""},
      {R"({"exp":1.7e9})", "expired: exp has passed"},
      {R"({"nbf":1700000000})", ""},
      {R"({"nbf":1700000001})", "expired: nbf is still to come"},
      {R"({"nbf":1700000000.25})", "expired: nbf is still to come"},
      {R"({"nbf":1699999999.75})", ""},
      {R"({"exp":1700000000,"nbf":1800000000})", "expired: exp has passed"},
      // exp is checked whatever expire_at says.
      {R"({"exp":1700000000,"expire_at":0})", "expired: exp has passed"},
      // That it is the wrong token comes first: another one would not help.
      {R"({"exp":1600000000,"channel":"a"})", "a subscription token, for it names a channel"},
      {R"({"exp":1600000000,"meta":7})", "meta is not an object"},
  };
  for (const Row& row : rows) EXPECT_EQ(refusal(row.claims), row.refusal) << row.claims;
}

TEST_F(TokenClaimsTest, ExpireAtOverridesExp) {
  EXPECT_EQ(connection(R"({"exp":1700000009})").claims.expire_at, 1'700'000'009);
  EXPECT_EQ(connection(R"({"exp":1700000009,"expire_at":1700000005})").claims.expire_at,
            1'700'000'005);
  EXPECT_EQ(connection(R"({"exp":1700000009,"expire_at":0})").claims.expire_at, 0);
  EXPECT_EQ(connection(R"({"expire_at":1600000000})").claims.expire_at, 1'600'000'000);
  EXPECT_EQ(subscription(R"({"channel":"a","exp":1700000009,"expire_at":0})").claims.expire_at, 0);
}

TEST_F(TokenClaimsTest, IssuerAndAudience) {
  settings.issuer = "app";
  settings.audience = "spate";
  const Row rows[] = {
      {R"({"iss":"app","aud":"spate"})", ""},
      {R"({"iss":"app","aud":["other","spate"]})", ""},
      {R"({"aud":"spate"})", "iss is not the one expected"},
      {R"({"iss":"App","aud":"spate"})", "iss is not the one expected"},
      {R"({"iss":"app"})", "aud is not the one expected"},
      {R"({"iss":"app","aud":"spate2"})", "aud is not the one expected"},
      {R"({"iss":"app","aud":["spate2",""]})", "aud is not the one expected"},
      {R"({"iss":"app","aud":[]})", "aud is not the one expected"},
      {R"({"iss":"app","aud":"spate","aud":"spate"})", "a claim is given twice"},
      // Both are checked before the time is.
      {R"({"iss":"other","aud":"spate","exp":1})", "iss is not the one expected"},
      {R"({"iss":"app","aud":"spate","exp":1})", "expired: exp has passed"},
  };
  for (const Row& row : rows) EXPECT_EQ(refusal(row.claims), row.refusal) << row.claims;
}

TEST_F(TokenClaimsTest, AnotherClaimMayNameTheUser) {
  settings.user_id_claim = "uid";
  EXPECT_EQ(connection(R"({"sub":"a","uid":"b"})").claims.user, "b");
  EXPECT_EQ(refusal(R"({"sub":7,"uid":"b"})"), "");
  EXPECT_EQ(refusal(R"({"sub":"a"})"), "the user's claim is missing");
  EXPECT_EQ(refusal(R"({"uid":7})"), "the user's claim is not a string");
  settings.user_id_claim = "client";
  EXPECT_EQ(subscription(R"({"channel":"a","client":"b"})").claims.user, "b");
}

TEST_F(TokenClaimsTest, InfoIsTheSourceOnOneLine) {
  EXPECT_EQ(
      connection("{\"info\" :\r\n { \"name\" :\t\"A\\nl\\u00e9\",\n\"n\":1.50e+1 }\n}").claims.info,
      "{ \"name\" :\t\"A\\nl\\u00e9\",\"n\":1.50e+1 }");
  EXPECT_EQ(connection(R"({"info":"x"})").claims.info, "\"x\"");
  EXPECT_EQ(connection(R"({"info":0})").claims.info, "0");
  EXPECT_EQ(connection(R"({"info":null})").claims.info, "");
  EXPECT_EQ(connection("{\"meta\":{\"a\":\n[1]}}").claims.meta, "{\"a\":[1]}");
}

TEST_F(TokenClaimsTest, Base64WinsInEitherOrder) {
  using namespace std::string_literals;
  EXPECT_EQ(connection(R"({"info":1,"b64info":"AAEC"})").claims.info, "\x00\x01\x02"s);
  EXPECT_EQ(connection(R"({"b64info":"AAEC","info":1})").claims.info, "\x00\x01\x02"s);
  EXPECT_EQ(connection(R"({"b64info":"","info":1})").claims.info, "1");
  const auto options =
      subscription(R"({"channel":"a","b64data":"/w==","data":{},"info":2,"b64info":null})")
          .claims.options;
  EXPECT_EQ(options.data, "\xFF");
  EXPECT_EQ(options.info, "2");
}

TEST_F(TokenClaimsTest, SubsWinOverChannels) {
  const auto subs = [&](const char* claims) {
    std::vector<std::string> names;
    for (const auto& [name, options] : connection(claims).claims.subs) names.push_back(name);
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(subs(R"({"channels":["b","a"]})"), (Names{"b", "a"}));
  EXPECT_EQ(subs(R"({"channels":["b"],"subs":{}})"), Names{"b"});
  EXPECT_EQ(subs(R"({"channels":["b"],"subs":{"c":{},"a":{}}})"), (Names{"a", "c"}));
  EXPECT_EQ(subs(R"({"subs":{"a":{}},"channels":["b"]})"), Names{"a"});
}

TEST_F(TokenClaimsTest, OptionsOfSubs) {
  const auto claims = connection(R"({"subs":{"a":{"info":{"x": 1},"data":[1],"new":1,
    "override":{"presence":{"value":true},"join_leave":{"value":false},
                "force_recovery":null,"force_positioning":{}}},"b":{}}})")
                          .claims;
  ASSERT_EQ(claims.subs.size(), 2u);
  const SubscribeOptions& options = claims.subs[0].second;
  EXPECT_EQ(options.info, "{\"x\": 1}");
  EXPECT_EQ(options.data, "[1]");
  EXPECT_EQ(options.override_.presence, true);
  EXPECT_EQ(options.override_.join_leave, false);
  EXPECT_FALSE(options.override_.force_recovery);
  EXPECT_FALSE(options.override_.force_positioning);
  EXPECT_FALSE(options.override_.force_push_join_leave);
  EXPECT_EQ(claims.subs[1].second.info, "");
}

TEST_F(TokenClaimsTest, Subscriptions) {
  const Row rows[] = {
      {R"({"channel":"a"})", ""},
      {R"({})", "channel is missing"},
      {R"({"channel":""})", "channel is missing"},
      {R"({"channel":7})", "channel is not a string"},
      {R"({"channel":null})", "channel is not a string"},
      {R"({"channel":"a","channel":"a"})", "a claim is given twice"},
      {R"({"channel":"a","client":7})", "client is not a string"},
      {R"({"channel":"a","client":null})", ""},
      {R"({"channel":"a","override":7})",
       "override is not {\"OPTION\": {\"value\": true or false}, …}"},
      {R"({"channel":"a","exp":1})", "expired: exp has passed"},
      // Claims of the other kind mean nothing here.
      {R"({"channel":"a","channels":7,"subs":7,"meta":7})", ""},
  };
  for (const Row& row : rows)
    EXPECT_EQ(refusal_of_subscription(row.claims), row.refusal) << row.claims;
  const auto claims = subscription(R"({"sub":"42","channel":"chat:1","client":"c","info":{"a":1},
                       "override":{"force_push_join_leave":{"value":true}}})")
                          .claims;
  EXPECT_EQ(claims.user, "42");
  EXPECT_EQ(claims.channel, "chat:1");
  EXPECT_EQ(claims.client, "c");
  EXPECT_EQ(claims.options.info, "{\"a\":1}");
  EXPECT_EQ(claims.options.override_.force_push_join_leave, true);
}

}  // namespace
}  // namespace spate::handlers::client
