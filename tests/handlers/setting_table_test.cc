// The table as a program's own module uses it: its settings, its checks, what people read of them.
#include "handlers/setting_table.h"

#include <gtest/gtest.h>

#include <sstream>

#include "handlers/setting_help.h"
#include "tests/handlers/settings_fixture.h"

namespace spate::handlers {
namespace {

using Strings = std::vector<std::string>;

enum class Mood { calm, cross };

class SettingTableTest : public SettingsFixture {
 protected:
  SettingTableTest() { add_module(); }

  void add_module() {
    table->add({"greeting", "Chat", "what a newcomer is told", text_value(greeting, {})});
    table->add({"mood", "Chat", "how it is told", choice_value(mood, {"calm", "cross"})});
    table->add({"shout", "Chat", "in capitals", boolean_value(shout)});
    table->add({.name = "chat-secret",
                .group = "Chat",
                .help = "key that tokens are signed with",
                .value = text_value(secret, {"KEY",
                                             [](std::string_view text) -> std::string {
                                               return text.size() < 8
                                                          ? "too short; write at least 8 characters"
                                                          : "";
                                             }}),
                .secret = true});
    table->add({"rooms", "Chat", "who may go where",
                json_value(rooms, [](std::string_view text) -> std::string {
                  return text.find("cellar") == std::string_view::npos
                             ? ""
                             : "no room; leave the cellar out";
                })});
    table->add_check([this]() -> std::optional<Complaint> {
      if (!shout || mood == Mood::cross) return {};
      return Complaint{"shout", "not while " + table->describe("mood") + "; make it cross"};
    });
  }

  std::string greeting = "hello";
  Mood mood = Mood::calm;
  bool shout = false;
  std::string secret;
  std::string rooms;
};

TEST_F(SettingTableTest, AModulesSettingsComeFromEveryPlace) {
  file(R"({"greeting": "moin", "mood": "cross", "shout": true})");
  variable("SPATE_GREETING=salut");
  ASSERT_TRUE(parse({"--chat-secret=long enough"}).run());
  EXPECT_EQ(greeting, "salut");
  EXPECT_EQ(mood, Mood::cross);
  EXPECT_TRUE(shout);
  EXPECT_EQ(secret, "long enough");
}

TEST_F(SettingTableTest, AModulesChecksRun) {
  EXPECT_EQ(error({"--shout"}),
            "--shout=true (flag): not while --mood=calm (default); make it cross");
}

TEST_F(SettingTableTest, ASecretIsNeverPrinted) {
  variable("SPATE_CHAT_SECRET=hunter2");
  const Outcome refused = parse();
  EXPECT_EQ(refused.err,
            "spate: SPATE_CHAT_SECRET=(secret) (environment): too short; write at least 8 "
            "characters\n");
  variable("SPATE_CHAT_SECRET=hunter2hunter2");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(table->describe("chat-secret"), "SPATE_CHAT_SECRET=(secret) (environment)");
  EXPECT_EQ(table->differences(), Strings{"chat-secret=(secret) (environment)"});
}

TEST_F(SettingTableTest, BooleansFromTextOfEachKind) {
  for (const char* yes : {"true", "1", "yes", "on"}) {
    shout = false;
    variable(std::string("SPATE_SHOUT=") + yes);
    ASSERT_TRUE(parse({"--mood=cross"}).run()) << yes;
    EXPECT_TRUE(shout) << yes;
  }
  for (const char* no : {"false", "0", "no", "off"}) {
    variable("SPATE_SHOUT=true");
    ASSERT_TRUE(parse({std::string("--shout=") + no}).run()) << no;
    EXPECT_FALSE(shout) << no;
  }
  variable("SPATE_SHOUT=TRUE");
  EXPECT_EQ(parse().err,
            "spate: SPATE_SHOUT=TRUE (environment): neither true nor false; write one of them\n");
  file(R"({"shout": "true"})");
  EXPECT_TRUE(parse().err.ends_with("line 1): a string; write true or false\n"));
}

TEST_F(SettingTableTest, AnObjectComesAsItsExactText) {
  const std::string object = "{ \"a\" : [1e2, {\"b}\": null}],\n  \"a\": \"\\u0041 \\\"\" }";
  file("{\"greeting\": \"moin\",\n\"rooms\": " + object + ", \"shout\": false}");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(rooms, object);
  EXPECT_EQ(greeting, "moin");
  variable("SPATE_ROOMS= {} ");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(rooms, " {} ");
  ASSERT_TRUE(parse({"--rooms", object}).run());
  EXPECT_EQ(rooms, object);
  ASSERT_TRUE(parse({"--rooms="}).run());
  EXPECT_EQ(rooms, "");
}

TEST_F(SettingTableTest, AnObjectIsShownShortenedInOneLine) {
  file("{\n\"rooms\": {\n  \"hall\": \"a b\\\"  c\",\n  \"attic\": [1,\t2]\n}}");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(table->differences(),
            (Strings{"config=" + path() + " (environment)",
                     R"(rooms={"hall":"a b\"  c","attic":[1,2]} ()" + path() + " line 2)"}));
  ASSERT_TRUE(parse({"--rooms={\"a\": \"" + std::string(100, 'x') + "\"}"}).run());
  EXPECT_EQ(table->describe("rooms"), "--rooms={\"a\":\"" + std::string(74, 'x') + "… (flag)");
  EXPECT_NE(help_text(*table).find("\n  --rooms JSON                    who may go where\n"),
            std::string::npos);
}

TEST_F(SettingTableTest, WhatIsNoObjectIsRefused) {
  struct Row {
    std::string text;
    const char* line;
  };
  const Row rows[] = {
      {"hall", "--rooms=hall (flag): not JSON: invalid value at byte 1"},
      {"[]", "--rooms=[] (flag): not a JSON object; write {\"name\": value, …}"},
      {"7", "--rooms=7 (flag): not a JSON object; write {\"name\": value, …}"},
      {" ", "--rooms=  (flag): not a JSON object; write {\"name\": value, …}"},
      {"{\"a\": 1",
       "--rooms={…} (flag): not JSON: missing a comma or '}' after an object member "
       "at byte 8"},
      {"{} {}",
       "--rooms={…} (flag): not JSON: the document root must not be followed by other "
       "values at byte 4"},
      {"{\"a\": " + std::string(16, '[') + std::string(16, ']') + "}",
       "--rooms={…} (flag): nested deeper than 16 levels; take the inner ones out"},
      {"{\"cellar\": 1}", "--rooms={…} (flag): no room; leave the cellar out"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(parse({"--rooms=" + row.text}).err, "spate: " + std::string(row.line) + "\n");
  file("{\n\"rooms\": {\"cellar\": {}}}");
  EXPECT_TRUE(parse().err.ends_with(" line 2): no room; leave the cellar out\n"));
  file(R"({"rooms": "{}"})");
  EXPECT_TRUE(parse().err.ends_with(" line 1): a string; write an object\n"));
  file(R"({"rooms": [{}]})");
  EXPECT_TRUE(parse().err.ends_with(" line 1): a list; write an object\n"));
}

TEST_F(SettingTableTest, HelpWinsOverMistakesElsewhere) {
  for (const char* flag : {"--help", "-h"}) {
    variable("SPATE_WORKERS=many");
    const Outcome outcome = parse({"--backlog=none", flag});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(outcome.out, help_text(*table));
    table = std::make_unique<SettingTable>(spate_program());
    add_settings(*table, settings);
    add_module();
  }
}

TEST_F(SettingTableTest, HelpNamesEverySettingUnderItsGroup) {
  const std::string help = help_text(*table);
  for (const Setting& setting : table->settings()) {
    const std::size_t group = help.find("\n" + setting.group + ":\n");
    ASSERT_NE(group, std::string::npos) << setting.group;
    EXPECT_NE(help.find("--" + setting.name, group), std::string::npos) << setting.name;
  }
  EXPECT_NE(help.find("\nChat:\n  --greeting TEXT                 what a newcomer is told (default "
                      "hello)\n  --mood calm|cross               how it is told (default calm)\n"
                      "  --shout                         in capitals\n"),
            std::string::npos)
      << help;
  EXPECT_LT(help.find("\nEndpoints:"), help.find("\nLimits:"));
  EXPECT_LT(help.find("\nChat:"), help.find("\nGeneral:"));
}

TEST_F(SettingTableTest, HelpFitsAHundredColumns) {
  std::istringstream help(help_text(*table));
  for (std::string line; std::getline(help, line);) EXPECT_LE(line.size(), 100u) << line;
}

TEST_F(SettingTableTest, VersionNamesCompilerAndBuildType) {
  const Outcome outcome = parse({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_TRUE(outcome.out.starts_with("spate 0.")) << outcome.out;
  EXPECT_NE(outcome.out.find("++ "), std::string::npos) << outcome.out;
  EXPECT_TRUE(outcome.out.ends_with(")\n")) << outcome.out;
}

TEST_F(SettingTableTest, FinishPrintsAndGivesTheExitCode) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ((Outcome{.exit_code = 2, .out = "o", .err = "e"}).finish(), 2);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "o");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "e");
}

TEST_F(SettingTableTest, ArgumentsAsMainHasThem) {
  const char* const arguments[] = {"spate", "--workers", "7", nullptr};
  const char* const none[] = {nullptr};
  ASSERT_TRUE(table->parse(3, arguments, none).run());
  EXPECT_EQ(settings.workers, 7);
  EXPECT_TRUE(table->parse(0, none, none).run());
}

TEST_F(SettingTableTest, ANameThatIsTakenOrMalformedIsABug) {
  EXPECT_DEATH(table->add({"workers", "Chat", "again", boolean_value(shout)}), "check failed");
  EXPECT_DEATH(table->add({"Shout", "Chat", "capital", boolean_value(shout)}), "check failed");
  EXPECT_DEATH(table->add({"-shout", "Chat", "dash", boolean_value(shout)}), "check failed");
  EXPECT_DEATH(table->add({"", "Chat", "nothing", boolean_value(shout)}), "check failed");
  int number = 11;
  EXPECT_DEATH(table->add({"number", "Chat", "default out of range", integer_value(number, 1, 10)}),
               "check failed");
}

TEST(Nearest, MisspellingsAndBeginnings) {
  const Strings known{"workers",    "max-memory", "max-message-bytes", "log-level",
                      "log-format", "user",       "meta_ttl"};
  struct Row {
    const char* text;
    const char* nearest;
  };
  for (const Row& row :
       {Row{"worker", "workers"}, Row{"wrokers", "workers"}, Row{"WORKERS", "workers"},
        Row{"max_memory", "max-memory"}, Row{"maxmemory", "max-memory"},
        Row{"max-mem", "max-memory"}, Row{"max-message", "max-message-bytes"},
        Row{"log-lvl", "log-level"}, Row{"log", "log-level"}, Row{"usr", "user"}, Row{"us", "user"},
        Row{"meta_ttl", "meta_ttl"}, Row{"meta-ttl", "meta_ttl"}, Row{"meta_", "meta_ttl"},
        Row{"xx", ""}, Row{"", ""}, Row{"quiet", ""}, Row{"w", ""}, Row{"zzzzzzzzzzzz", ""}})
    EXPECT_EQ(nearest(row.text, known), row.nearest) << row.text;
  EXPECT_EQ(nearest(std::string(100'000, 'w'), known), "");
  EXPECT_EQ(nearest("workers", {}), "");
}

}  // namespace
}  // namespace spate::handlers
