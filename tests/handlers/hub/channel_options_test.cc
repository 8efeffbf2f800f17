// The configuration of channels as it is meant: every option, what is inherited, regexes,
// durations.
#include "handlers/hub/channel_options.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "handlers/hub/channel_option_table.h"
#include "handlers/hub/duration.h"

namespace spate::handlers::hub {
namespace {

// Rules that must parse.
ChannelRules rules(std::string_view json) {
  core::Result<ChannelRules> result = ChannelRules::parse(json);
  EXPECT_TRUE(result) << (result ? "" : result.error());
  return result ? std::move(result.value()) : ChannelRules();
}

TEST(ChannelOptions, NothingGivenIsNothingAllowed) {
  const ChannelRules empty = rules("{}");
  EXPECT_EQ(empty.syntax(), NameSyntax());
  EXPECT_EQ(empty.max_length(), 255u);
  EXPECT_FALSE(empty.insecure());
  ASSERT_EQ(empty.all().size(), 1u);
  const ChannelOptions& options = empty.all()[0];
  EXPECT_FALSE(options.history.on());
  EXPECT_EQ(options.history.meta_ttl_ms, 720LL * 3600 * 1000);
  for (const ChannelOption& option : channel_option_table())
    if (const auto* flag = std::get_if<bool ChannelOptions::*>(&option.field)) {
      EXPECT_FALSE(options.**flag) << option.name;
    }
}

TEST(ChannelOptions, EachIsReadIntoItsOwnMember) {
  const ChannelRules all = rules(R"({"namespaces": [{
    "name": "chat",
    "history_size": 100, "history_ttl": "300s", "history_meta_ttl": "1h30m",
    "force_recovery_mode": "cache",
    "channel_regex": "^[a-z]+$",
    "publication_data_format": "json_object",
    "slow_policy": "conflate",
    "subscription_type": "stream"}]})");
  const ChannelOptions& chat = all.all().at(1);
  EXPECT_EQ(chat.name, "chat");
  EXPECT_EQ(chat.index, 1u);
  EXPECT_EQ(chat.history.size, 100u);
  EXPECT_EQ(chat.history.ttl_ms, 300'000);
  EXPECT_EQ(chat.history.meta_ttl_ms, 5'400'000);
  EXPECT_EQ(chat.force_recovery_mode, RecoveryMode::cache);
  EXPECT_EQ(chat.channel_regex, "^[a-z]+$");
  ASSERT_NE(chat.compiled_regex, nullptr);
  EXPECT_EQ(chat.publication_data_format, DataFormat::json_object);
  EXPECT_EQ(chat.slow_policy, SlowPolicy::conflate);
}

// Of the flags each one alone is on; those that need others have them.
TEST(ChannelOptions, EachFlagIsItsOwn) {
  std::size_t flags = 0;
  for (const ChannelOption& option : channel_option_table()) {
    const auto* member = std::get_if<bool ChannelOptions::*>(&option.field);
    if (member == nullptr) continue;
    ++flags;
    SCOPED_TRACE(option.name);
    std::set<std::string_view> on{option.name};
    std::string json = R"({"without_namespace": {"history_size": 1, "history_ttl": "1s")";
    if (option.name == "auto_cache_recover") {
      on.insert("force_recovery");
      json += R"(, "force_recovery_mode": "cache")";
    }
    for (const std::string_view name : on) json += ", \"" + std::string(name) + "\": true";
    const ChannelRules parsed = rules(json + "}}");
    for (const ChannelOption& other : channel_option_table())
      if (const auto* flag = std::get_if<bool ChannelOptions::*>(&other.field)) {
        EXPECT_EQ(parsed.all()[0].**flag, on.contains(other.name)) << other.name;
      }
  }
  EXPECT_EQ(flags, 21u);
}

template <typename Enum>
void expect_choices(std::string_view option, Enum ChannelOptions::*member,
                    std::initializer_list<std::string_view> names) {
  int value = 0;
  for (const std::string_view name : names) {
    const ChannelRules parsed =
        rules(R"({"without_namespace": {"history_size": 1, "history_ttl": "1s", ")" +
              std::string(option) + "\": \"" + std::string(name) + "\"}}");
    EXPECT_EQ(parsed.all()[0].*member, static_cast<Enum>(value++)) << name;
  }
}

TEST(ChannelOptions, EveryChoiceByItsName) {
  expect_choices("force_recovery_mode", &ChannelOptions::force_recovery_mode, {"stream", "cache"});
  expect_choices("publication_data_format", &ChannelOptions::publication_data_format,
                 {"", "json", "json_object", "binary"});
  expect_choices("slow_policy", &ChannelOptions::slow_policy, {"disconnect", "conflate"});
}

TEST(ChannelOptions, NamespacesInheritTheGlobalMetaTtlAndNothingElse) {
  const ChannelRules parsed = rules(R"({
    "namespaces": [{"name": "chat"}, {"name": "news", "history_meta_ttl": "2h"}],
    "without_namespace": {"presence": true},
    "history_meta_ttl": "1h"})");
  EXPECT_EQ(parsed.all().at(0).history.meta_ttl_ms, 3'600'000);
  EXPECT_EQ(parsed.all().at(1).history.meta_ttl_ms, 3'600'000);
  EXPECT_EQ(parsed.all().at(2).history.meta_ttl_ms, 7'200'000);
  EXPECT_TRUE(parsed.all()[0].presence);
  EXPECT_FALSE(parsed.all()[1].presence);
}

TEST(ChannelOptions, SymbolsAndLengthOfNames) {
  const ChannelRules parsed = rules(R"({"namespace_boundary": "/", "private_prefix": "!!",
    "user_boundary": "@", "user_separator": "|", "max_length": 20})");
  EXPECT_EQ(parsed.syntax(), (NameSyntax{"/", "!!", "@", "|", 20}));
  EXPECT_EQ(parsed.max_length(), 20u);
  EXPECT_EQ(parsed.name_of("chat/1").space, "chat");
}

TEST(ChannelOptions, AThousandNamespaces) {
  std::string json = R"({"namespaces": [)";
  for (int i = 0; i < 1000; ++i)
    json += (i == 0 ? "{\"name\": \"ns" : ",{\"name\": \"ns") + std::to_string(i) + "\"}";
  const ChannelRules parsed = rules(json + "]}");
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const ChannelOptions* found = parsed.options_of("ns" + std::to_string(i) + ":x");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->index, i + 1);
  }
}

TEST(ChannelOptions, WithoutARegexNamesAreAscii) {
  const ChannelRules parsed = rules("{}");
  const auto fine = [&](std::string_view channel) {
    return ChannelRules::well_formed(parsed.all()[0], parsed.name_of(channel));
  };
  EXPECT_TRUE(fine("room-1 ~\x7F"));
  EXPECT_TRUE(fine(""));
  EXPECT_FALSE(fine("gr\xC3\xBC"));
  EXPECT_FALSE(fine("\x80"));
}

TEST(ChannelOptions, ARegexIsFoundInWhatFollowsTheNamespace) {
  const ChannelRules parsed = rules(R"({"namespaces": [
    {"name": "whole", "channel_regex": "^[a-zü]+$"}, {"name": "part", "channel_regex": "[0-9]"}]})");
  struct Row {
    const char* channel;
    bool fine;
  };
  for (const Row& row :
       {Row{"whole:abc", true}, Row{"whole:gr\xC3\xBC", true}, Row{"whole:ab1", false},
        Row{"whole:", false}, Row{"$whole:abc", true}, Row{"whole:ABC", false},
        Row{"whole:\xFF", false}, Row{"part:a1b", true}, Row{"part:ab", false}})
    EXPECT_EQ(
        ChannelRules::well_formed(*parsed.options_of(row.channel), parsed.name_of(row.channel)),
        row.fine)
        << row.channel;
}

// A backtracking matcher tries 2^250 ways.
TEST(ChannelOptions, ARegexTakesLinearTime) {
  const ChannelRules parsed = rules(R"({"without_namespace": {"channel_regex": "^(a+)+$"}})");
  const std::string channel = std::string(254, 'a') + "b";
  EXPECT_FALSE(ChannelRules::well_formed(parsed.all()[0], parsed.name_of(channel)));
}

TEST(Duration, NumbersWithUnitsAddUp) {
  struct Row {
    const char* text;
    std::int64_t ms;
    const char* shown;
  };
  for (const Row& row :
       {Row{"0s", 0, "0s"}, Row{"0h", 0, "0s"}, Row{"1ms", 1, "1ms"}, Row{"300s", 300'000, "5m"},
        Row{"5m", 300'000, "5m"}, Row{"90s", 90'000, "1m30s"}, Row{"1h30m", 5'400'000, "1h30m"},
        Row{"1h1h", 7'200'000, "2h"}, Row{"1500ms", 1500, "1s500ms"},
        Row{"720h", 2'592'000'000, "720h"}, Row{"87600h", kMaxDurationMs, "87600h"}}) {
    EXPECT_EQ(parse_duration(row.text), row.ms) << row.text;
    EXPECT_EQ(format_duration(row.ms), row.shown);
  }
  for (const char* text :
       {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "1.5h", "5d", "5S", "5sec", "1h30",
        "87600h1ms", "99999999999999999999h", "18446744073709551615ms", "1e3s"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

}  // namespace
}  // namespace spate::handlers::hub
