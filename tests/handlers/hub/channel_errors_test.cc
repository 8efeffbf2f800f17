// What is wrong with a configuration of channels, literally: path, value, what is wrong, remedy.
#include <gtest/gtest.h>

#include <string>

#include "handlers/hub/channel_options.h"
#include "tests/handlers/settings_fixture.h"

namespace spate::handlers::hub {
namespace {

struct Row {
  std::string json;
  const char* error;
};

std::string error_of(std::string_view json) {
  const core::Result<ChannelRules> result = ChannelRules::parse(json);
  return result ? "accepted" : result.error();
}

TEST(ChannelErrors, OfTheTopLevel) {
  const Row rows[] = {
      {"", "not a JSON object; write {\"name\": value, …}"},
      {"[]", "not a JSON object; write {\"name\": value, …}"},
      {"{} x", "not JSON: the document root must not be followed by other values at byte 4"},
      {R"({"max_length": 1e999})", "not JSON: number too big to be stored in double at byte 16"},
      {R"({"channel": {}})", "channel={…}: no such key; docs/channels.md lists them"},
      {R"({"namespace": []})", "namespace=[…]: no such key; did you mean namespaces?"},
      {R"({"history-meta-ttl": "1h"})",
       "history-meta-ttl=\"1h\": no such key; did you mean history_meta_ttl?"},
      {R"({"namespaces": {}})", "namespaces={…}: no list; write [{\"name\": \"chat\", …}, …]"},
      {R"({"without_namespace": []})",
       "without_namespace=[…]: no object; write {\"option\": value, …}"},
      {R"({"max_length": 1, "max_length": 1})", "max_length=1: given twice; keep one"},
      {R"({"namespaces": [], "namespaces": []})", "namespaces=[…]: given twice; keep one"},
      {R"({"max_length": 0})", "max_length=0: no length; write a whole number from 1 to 255"},
      {R"({"max_length": 256})", "max_length=256: no length; write a whole number from 1 to 255"},
      {R"({"max_length": -1})", "max_length=-1: no length; write a whole number from 1 to 255"},
      {R"({"max_length": "9"})", "max_length=\"9\": no length; write a whole number from 1 to 255"},
      {R"({"history_meta_ttl": 3600})",
       "history_meta_ttl=3600: no duration; write a string with units, such as \"300s\" or "
       "\"1h30m\", at most 87600h"},
      {R"({"namespace_boundary": ""})",
       "namespace_boundary=\"\": no symbol; write a string of 1 to 8 ASCII symbols, other than - "
       "and _"},
      {R"({"private_prefix": "p"})",
       "private_prefix=\"p\": no symbol; write a string of 1 to 8 ASCII symbols, other than - and "
       "_"},
      {R"({"user_boundary": 1})",
       "user_boundary=1: no symbol; write a string of 1 to 8 ASCII symbols, other than - and _"},
      {R"({"user_separator": "---------"})",
       "user_separator=\"---------\": no symbol; write a string of 1 to 8 ASCII symbols, other "
       "than - and _"},
      {R"({"user_separator": "#"})",
       "user_boundary=\"#\": has user_separator, \"#\", in it; choose another symbol"},
      {R"({"namespace_boundary": "$:"})",
       "namespace_boundary=\"$:\": has private_prefix, \"$\", in it; choose another symbol"},
  };
  for (const Row& row : rows) EXPECT_EQ(error_of(row.json), row.error) << row.json;
}

TEST(ChannelErrors, OfNamespaces) {
  const Row rows[] = {
      {R"({"namespaces": ["chat"]})",
       "namespaces[0]=\"chat\": no object; write {\"name\": \"chat\", …}"},
      {R"({"namespaces": [{}]})",
       "namespaces[0]={…}: has no name; add \"name\": \"chat\" or the like"},
      {R"({"namespaces": [{"name": "a"}]})",
       "namespaces[0].name=\"a\": no name of a namespace; write 2 to 64 letters, digits, - and _"},
      {R"({"namespaces": [{"name": "a b"}]})",
       "namespaces[0].name=\"a b\": no name of a namespace; write 2 to 64 letters, digits, - and "
       "_"},
      {R"({"namespaces": [{"name": null}]})",
       "namespaces[0].name=null: no name of a namespace; write 2 to 64 letters, digits, - and _"},
      {R"({"namespaces": [{"name": "chat", "name": "chats"}]})",
       "namespaces[0].name=\"chats\": given twice; keep one"},
      {R"({"namespaces": [{"name": "chat"}, {"name": "news"}, {"name": "chat"}]})",
       "namespaces[2].name=\"chat\": the name of namespaces[0] already; give each its own"},
      {R"({"without_namespace": {"name": "chat"}})",
       "without_namespace.name=\"chat\": channels without a namespace have no name; leave the key "
       "out"},
      {R"({"namespaces": [{"name": "chat", "histroy_size": 1}]})",
       "namespaces[0].histroy_size=1: no such key; did you mean history_size?"},
      {R"({"without_namespace": {"Presence": true}})",
       "without_namespace.Presence=true: no such key; did you mean presence?"},
      {R"({"without_namespace": {"xyzzy": {"a": [1]}}})",
       "without_namespace.xyzzy={…}: no such key; docs/channels.md lists them"},
      {"{\"without_namespace\": {\"a\\nb\\u001b\": \"\\n\"}}",
       "without_namespace.a\\nb\\x1b=\"\\n\": no such key; docs/channels.md lists them"},
      {R"({"without_namespace": {"presence": true, "presence": true}})",
       "without_namespace.presence=true: given twice; keep one"},
  };
  for (const Row& row : rows) EXPECT_EQ(error_of(row.json), row.error) << row.json;
  std::string json = R"({"namespaces": [{})";
  for (int i = 0; i < 1000; ++i) json += ",{}";
  EXPECT_EQ(error_of(json + "]}"),
            "namespaces=[…]: more than 1000 namespaces; merge those with equal options");
}

// The options of the second namespace, as `chat`.
TEST(ChannelErrors, OfOptions) {
  const Row rows[] = {
      {R"("presence": 1)", "presence=1: neither true nor false; write one of them"},
      {R"("presence": "true")", "presence=\"true\": neither true nor false; write one of them"},
      {R"("presence": null)", "presence=null: neither true nor false; write one of them"},
      {R"("history_size": -1)", "history_size=-1: no size; write a whole number from 0 to 1000000"},
      {R"("history_size": 1000001)",
       "history_size=1000001: no size; write a whole number from 0 to 1000000"},
      {R"("history_size": 1.5)",
       "history_size=1.5: no size; write a whole number from 0 to 1000000"},
      {R"("history_size": 1e300)",
       "history_size=1e+300: no size; write a whole number from 0 to 1000000"},
      {R"("history_size": "1")",
       "history_size=\"1\": no size; write a whole number from 0 to 1000000"},
      {R"("history_ttl": 300)",
       "history_ttl=300: no duration; write a string with units, such as \"300s\" or \"1h30m\", "
       "at most 87600h"},
      {R"("history_ttl": "5x")",
       "history_ttl=\"5x\": no duration; write a string with units, such as \"300s\" or "
       "\"1h30m\", at most 87600h"},
      {R"("force_recovery_mode": "chache")",
       "force_recovery_mode=\"chache\": no such choice; write one of \"stream\", \"cache\""},
      {R"("publication_data_format": "xml")",
       "publication_data_format=\"xml\": no such choice; write one of \"\", \"json\", "
       "\"json_object\", \"binary\""},
      {R"("slow_policy": true)",
       "slow_policy=true: no such choice; write one of \"disconnect\", \"conflate\""},
      {R"("channel_regex": 1)", "channel_regex=1: no regex; write a string, such as \"^[a-z]+$\""},
      {R"("channel_regex": "(a")",
       "channel_regex=\"(a\": no regex that RE2 understands (missing ): (a); correct it"},
      {R"("channel_regex": "(a)\\1")",
       "channel_regex=\"(a)\\1\": no regex that RE2 understands (invalid escape sequence: \\1); "
       "correct it"},
      {R"("channel_regex": "((a{100}){100}){100}")",
       "channel_regex=\"((a{100}){100}){100}\": no regex that RE2 understands (invalid repetition "
       "size: {100}); correct it"},

      {R"("history_size": 1)",
       "history_size=1: no history without history_ttl; set that too, or write 0"},
      {R"("history_ttl": "90s")",
       "history_ttl=\"1m30s\": no history without history_size; set that too, or write \"0s\""},
      {R"("history_size": 1, "history_ttl": "720h")",
       "history_ttl=\"720h\": not shorter than history_meta_ttl, 720h; lower it, or raise that"},
      {R"("history_size": 1, "history_ttl": "2m", "history_meta_ttl": "1m")",
       "history_ttl=\"2m\": not shorter than history_meta_ttl, 1m; lower it, or raise that"},
      {R"("force_recovery": true)",
       "force_recovery=true: needs history; set history_size and history_ttl"},
      {R"("allow_recovery": true)",
       "allow_recovery=true: needs history; set history_size and history_ttl"},
      {R"("force_positioning": true)",
       "force_positioning=true: needs history; set history_size and history_ttl"},
      {R"("allow_positioning": true)",
       "allow_positioning=true: needs history; set history_size and history_ttl"},
      {R"("force_recovery_mode": "cache")",
       "force_recovery_mode=\"cache\": needs history; set history_size and history_ttl"},
      {R"("auto_cache_recover": true)",
       "auto_cache_recover=true: needs force_recovery; set that too"},
      {R"("history_size": 1, "history_ttl": "1s", "allow_recovery": true,
          "auto_cache_recover": true)",
       "auto_cache_recover=true: needs force_recovery; set that too"},
      {R"("history_size": 1, "history_ttl": "1s", "force_recovery": true,
          "auto_cache_recover": true)",
       "auto_cache_recover=true: needs force_recovery_mode \"cache\"; set that too"},
      {R"("slow_policy": "conflate", "history_size": 1, "history_ttl": "1s",
          "force_positioning": true)",
       "slow_policy=\"conflate\": cannot go with force_positioning; turn one of them off"},
      {R"("slow_policy": "conflate", "history_size": 1, "history_ttl": "1s",
          "allow_positioning": true)",
       "slow_policy=\"conflate\": cannot go with allow_positioning; turn one of them off"},
      {R"("slow_policy": "conflate", "history_size": 1, "history_ttl": "1s",
          "force_recovery": true)",
       "slow_policy=\"conflate\": cannot go with force_recovery; turn one of them off"},
      {R"("slow_policy": "conflate", "history_size": 1, "history_ttl": "1s",
          "allow_recovery": true)",
       "slow_policy=\"conflate\": cannot go with allow_recovery; turn one of them off"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(error_of(R"({"namespaces": [{"name": "news"}, {"name": "chat", )" + row.json + "}]}"),
              std::string("namespaces[1].") + row.error);
    EXPECT_EQ(error_of("{\"without_namespace\": {" + row.json + "}}"),
              std::string("without_namespace.") + row.error);
  }
}

TEST(ChannelErrors, OfWhatIsNotThereYet) {
  for (const char* key :
       {"allowed_delta_types", "delta_publish", "allow_tags_filter", "subscribe_proxy_enabled",
        "subscribe_proxy_name", "publish_proxy_enabled", "publish_proxy_name",
        "sub_refresh_proxy_enabled", "sub_refresh_proxy_name", "subscribe_stream_proxy_enabled",
        "subscribe_stream_proxy_name", "subscribe_stream_proxy_bidirectional", "map", "map_mode",
        "shared_poll", "shared_poll_interval"})
    for (const char* value : {"true", "false"}) {
      const std::string option = "\"" + std::string(key) + "\": " + value;
      const std::string shown = std::string(key) + "=" + value;
      EXPECT_EQ(
          error_of(R"({"namespaces": [{"name": "chat", )" + option + "}]}"),
          "namespaces[0]." + shown + ": not available yet, in namespace chat; leave the key out");
      EXPECT_EQ(error_of("{\"without_namespace\": {" + option + "}}"),
                "without_namespace." + shown +
                    ": not available yet, in channels without a namespace; leave the key out");
    }
  for (const char* type : {"map", "map_clients", "map_users", "shared_poll"})
    EXPECT_EQ(error_of(R"({"namespaces": [{"name": "chat", "subscription_type": ")" +
                       std::string(type) + "\"}]}"),
              "namespaces[0].subscription_type=\"" + std::string(type) +
                  "\": not available yet, in namespace chat; write \"stream\"");
  EXPECT_EQ(error_of(R"({"namespaces": [{"name": "chat", "subscription_type": "steam"}]})"),
            "namespaces[0].subscription_type=\"steam\": no such choice; write \"stream\"");
}

TEST(ChannelErrors, LimitsComeBeforeWork) {
  EXPECT_EQ(error_of("{\"a\": \"" + std::string(1 << 20, 'a') + "\"}"),
            "larger than 1048576 bytes; shorten it");
  EXPECT_EQ(error_of("{\"namespaces\": " + std::string(1'000'000, '[')),
            "nested deeper than 16 levels; take the inner ones out");
  EXPECT_EQ(
      error_of(R"({"without_namespace": {"channel_regex": ")" + std::string(1025, 'a') + "\"}}"),
      "without_namespace.channel_regex=\"" + std::string(80, 'a') +
          "…\": longer than 1024 bytes; write a shorter regex");
}

// In the table of settings: the setting, where it stands, and then the path in it.
class ChannelSetting : public SettingsFixture {
 protected:
  void add() {
    table->add({"channels", "Hub", "namespaces of channels and their options",
                json_value(channels, [](std::string_view text) -> std::string {
                  const auto result = ChannelRules::parse(text);
                  return result ? "" : result.error();
                })});
  }
  ChannelSetting() { add(); }

  std::string channels;
};

TEST_F(ChannelSetting, ErrorsNameKeyAndLine) {
  EXPECT_EQ(
      file_error("{\n\"workers\": 1,\n\"channels\": {\"namespaces\": [\n{\"name\": \"x\"}]}}"),
      "channels={…} (FILE line 3): namespaces[0].name=\"x\": no name of a namespace; write 2 "
      "to 64 letters, digits, - and _");
  add();
  EXPECT_EQ(error({R"(--channels={"max_length": 0})"}),
            "--channels={…} (flag): max_length=0: no length; write a whole number from 1 to 255");
}

TEST_F(ChannelSetting, TheTextReachesTheVariable) {
  file("{\"channels\":\n {\"max_length\":  9 }\n}");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(channels, "{\"max_length\":  9 }");
}

}  // namespace
}  // namespace spate::handlers::hub
