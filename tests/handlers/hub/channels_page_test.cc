// docs/channels.md holds what the table of options says, between two marks, and examples that work;
// UPDATE_DOCS=1 writes the table there. The sample configuration shows every use of the page.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "handlers/hub/channel_option_table.h"
#include "handlers/setting_source.h"

namespace spate::handlers::hub {
namespace {

constexpr const char* kPage = SPATE_SOURCE_DIR "/docs/channels.md";
constexpr const char* kSample = SPATE_SOURCE_DIR "/tools/package/sample.json";
constexpr std::string_view kBegin = "<!-- options: begin -->\n";
constexpr std::string_view kEnd = "<!-- options: end -->\n";

std::string read(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string options_markdown() {
  const ChannelOptions defaults;
  std::string out = "\n| option | type | default | effect |\n|---|---|---|---|\n";
  for (const ChannelOption& option : channel_option_table())
    out += "| `" + std::string(option.name) + "` | " + type_of(option) + " | `" +
           value_of(defaults, option) + "` | " + std::string(option.effect) + " |\n";
  return out + "\n";
}

// The rules in a configuration file.
core::Result<ChannelRules> rules_of(const std::string& json) {
  const SourceResult settings = parse_settings_json(json, "FILE");
  if (!settings) return core::Failure{settings.error()};
  for (const Assignment& assignment : *settings)
    if (assignment.key == "channels") return ChannelRules::parse(assignment.items.at(0).text);
  return core::Failure{"no channels"};
}

TEST(ChannelsPage, HoldsWhatTheTableOfOptionsSays) {
  const std::string page = read(kPage);
  const std::size_t begin = page.find(kBegin);
  const std::size_t end = page.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_LT(begin, end);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + kBegin.size();
  if (std::getenv("UPDATE_DOCS") != nullptr) {
    std::ofstream(kPage) << page.substr(0, from) << options_markdown() << page.substr(end);
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), options_markdown())
      << "docs/channels.md lags behind; UPDATE_DOCS=1 build/tests/test_channels "
         "--gtest_filter='ChannelsPage.*' rewrites it";
}

TEST(ChannelsPage, HoldsTheKeysOfTheTopLevel) {
  const std::string page = read(kPage);
  const NameSyntax syntax;
  const auto expect_row = [&page](const std::string& key, const std::string& preset) {
    const std::size_t row = page.find("\n| `" + key + "` | ");
    ASSERT_NE(row, std::string::npos) << key;
    const std::string line = page.substr(row + 1, page.find('\n', row + 1) - row - 1);
    EXPECT_NE(line.find(" | `" + preset + "` | "), std::string::npos) << line;
    const auto parsed = ChannelRules::parse("{\"" + key + "\": " + preset + "}");
    EXPECT_TRUE(parsed) << parsed.error();
  };
  expect_row("namespace_boundary", json_string(syntax.namespace_boundary));
  expect_row("private_prefix", json_string(syntax.private_prefix));
  expect_row("user_boundary", json_string(syntax.user_boundary));
  expect_row("user_separator", json_string(syntax.user_separator));
  expect_row("max_length", std::to_string(syntax.max_length));
  expect_row("history_meta_ttl", "\"720h\"");
}

TEST(ChannelsPage, EveryExampleParses) {
  const std::string page = read(kPage);
  constexpr std::string_view kFence = "```json\n";
  int examples = 0;
  for (std::size_t at = 0; (at = page.find(kFence, at)) != std::string::npos; ++examples) {
    at += kFence.size();
    const std::string json = page.substr(at, page.find("```", at) - at);
    const auto rules = rules_of(json);
    EXPECT_TRUE(rules) << rules.error() << "\n" << json;
  }
  EXPECT_EQ(examples, 4);
}

// What the page prints of --explain is what it says of the sample.
TEST(ChannelsPage, ShowsTheSampleExplained) {
  const auto rules = rules_of(read(kSample));
  ASSERT_TRUE(rules) << rules.error();
  const std::string page = read(kPage);
  constexpr std::string_view kCommand = "--explain chat:room | head -16\n";
  const std::size_t command = page.find(kCommand);
  ASSERT_NE(command, std::string::npos);
  const std::size_t from = command + kCommand.size();
  const std::string shown = page.substr(from, page.find("```", from) - from);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 16);
  EXPECT_TRUE(explain(rules.value(), "chat:room").starts_with(shown))
      << explain(rules.value(), "chat:room");
}

TEST(Sample, HasAnExampleOfEachUse) {
  const auto result = rules_of(read(kSample));
  ASSERT_TRUE(result) << result.error();
  const ChannelRules& rules = result.value();
  const auto subscribe = [&rules](std::string_view channel, std::string_view user) {
    return may_subscribe(rules, *rules.options_of(channel), rules.name_of(channel), user).allowed;
  };
  const auto publish = [&rules](std::string_view channel, const Asker& asker) {
    return may_publish(rules, *rules.options_of(channel), asker).allowed;
  };
  EXPECT_TRUE(subscribe("chat:room", "42"));
  EXPECT_FALSE(subscribe("chat:room", ""));
  EXPECT_FALSE(subscribe("$chat:room", "42"));
  EXPECT_TRUE(publish("chat:room", {"42", false}));
  EXPECT_TRUE(subscribe("public:lobby", ""));
  EXPECT_TRUE(publish("public:lobby", {"", true}));
  EXPECT_FALSE(publish("public:lobby", {"", false}));
  EXPECT_TRUE(subscribe("news:world", ""));
  EXPECT_FALSE(publish("news:world", {"42", true}));
  EXPECT_TRUE(subscribe("personal:#42", "42"));
  EXPECT_FALSE(subscribe("personal:#42", "7"));
  EXPECT_FALSE(subscribe("room", "42"));
  EXPECT_EQ(rules.options_of("news:world")->force_recovery_mode, RecoveryMode::cache);
  EXPECT_EQ(rules.options_of("ticker:EUR")->slow_policy, SlowPolicy::conflate);
}

}  // namespace
}  // namespace spate::handlers::hub
