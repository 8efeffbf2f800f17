// Precedence, and what each place can say.
#include "handlers/settings.h"

#include "tests/handlers/settings_fixture.h"

namespace spate::handlers {
namespace {

using testing::Test;
using Strings = std::vector<std::string>;

class SettingsTest : public SettingsFixture {};

TEST_F(SettingsTest, NothingGivenLeavesTheDefaults) {
  EXPECT_TRUE(parse().run());
  EXPECT_EQ(settings.listen, Strings{"127.0.0.1:8000"});
  EXPECT_EQ(settings.max_message_bytes, 65536u);
  EXPECT_EQ(table->differences(), Strings{});
}

TEST_F(SettingsTest, FlagBeatsEnvironmentBeatsFile) {
  const char* json = R"({"workers": 3})";
  file(json);
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.workers, 3);
  reset();
  file(json);
  variable("SPATE_WORKERS=4");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.workers, 4);
  reset();
  file(json);
  variable("SPATE_WORKERS=4");
  ASSERT_TRUE(parse({"--workers", "5"}).run());
  EXPECT_EQ(settings.workers, 5);
}

TEST_F(SettingsTest, AHigherPlaceReplacesAListWhole) {
  file(R"({"listen": ["127.0.0.1:1", "127.0.0.1:2"]})");
  variable("SPATE_LISTEN=127.0.0.1:3,127.0.0.1:4");
  ASSERT_TRUE(parse({"--listen", "127.0.0.1:5"}).run());
  EXPECT_EQ(settings.listen, Strings{"127.0.0.1:5"});
}

TEST_F(SettingsTest, APlaceBelowTheWinnerIsStillValidated) {
  variable("SPATE_WORKERS=many");
  EXPECT_EQ(error({"--workers", "5"}),
            "SPATE_WORKERS=many (environment): not a whole number; write one from 0 to 1024");
}

TEST_F(SettingsTest, ConfigFlagBeatsConfigVariable) {
  file(R"({"workers": 3})");
  variables = {"SPATE_CONFIG=/nonexistent"};
  ASSERT_TRUE(parse({"--config", path()}).run());
  EXPECT_EQ(settings.workers, 3);
}

TEST_F(SettingsTest, OfAScalarFlagGivenTwiceTheLastCounts) {
  ASSERT_TRUE(parse({"--echo", "/one", "--echo", "/two"}).run());
  EXPECT_EQ(settings.echo, "/two");
}

TEST_F(SettingsTest, ListsByRepetitionCommaArrayOrString) {
  const Strings both{"a", "b"};
  ASSERT_TRUE(parse({"--subprotocols", "a", "--subprotocols=b"}).run());
  EXPECT_EQ(settings.subprotocols, both);
  ASSERT_TRUE(parse({"--subprotocols", "a, b"}).run());
  EXPECT_EQ(settings.subprotocols, both);
  variable("SPATE_SUBPROTOCOLS= a ,b");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.subprotocols, both);
  file(R"({"subprotocols": ["a", "b"]})");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.subprotocols, both);
  file(R"({"subprotocols": "a"})");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.subprotocols, Strings{"a"});
  file(R"({"subprotocols": []})");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.subprotocols, Strings{});
}

TEST_F(SettingsTest, EmptyTextTurnsOff) {
  ASSERT_TRUE(parse({"--internal-listen=", "--workers", "2"}).run());
  EXPECT_EQ(settings.internal_listen, "");
  EXPECT_EQ(settings.workers, 2);
  reset();
  ASSERT_TRUE(parse({"--internal-listen", ""}).run());
  EXPECT_EQ(settings.internal_listen, "");
  reset();
  variable("SPATE_INTERNAL_LISTEN=");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.internal_listen, "");
}

TEST_F(SettingsTest, IPv6InBracketsPassesTheCommandLine) {
  ASSERT_TRUE(parse({"--listen", "[::1]:8000", "--listen=[::]:9000"}).run());
  EXPECT_EQ(settings.listen, (Strings{"[::1]:8000", "[::]:9000"}));
  ASSERT_EQ(settings.listen_endpoints().size(), 2u);
  EXPECT_EQ(settings.listen_endpoints()[1].address.port(), 9000);
}

TEST_F(SettingsTest, BooleanFlagStandsAloneOrTakesAValue) {
  EXPECT_EQ(parse({"--check"}).exit_code, 0);
  EXPECT_EQ(parse({"--check=true"}).exit_code, 0);
  EXPECT_TRUE(parse({"--check=false"}).run());
  EXPECT_TRUE(parse({"--check", "--check=off"}).run());
}

TEST_F(SettingsTest, CheckSaysWhatDiffersAndStartsNothing) {
  const Outcome good = parse({"--check", "--workers=2"});
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_EQ(good.out, "spate: the configuration is in order\n  workers=2 (flag)\n");
  EXPECT_EQ(good.err, "");
  reset();
  EXPECT_EQ(error({"--check", "--listen="}), "--listen= (flag): no address; write at least one");
}

TEST_F(SettingsTest, SizesTakeSuffixes) {
  struct Row {
    const char* text;
    std::uint64_t bytes;
  };
  for (const Row& row : {Row{"1", 1}, Row{"65535", 65535}, Row{"64K", 65536}, Row{"64k", 65536},
                         Row{"1M", 1 << 20}}) {
    ASSERT_TRUE(parse({"--max-message-bytes", row.text}).run()) << row.text;
    EXPECT_EQ(settings.max_message_bytes, row.bytes);
  }
  file(R"({"max-message-bytes": "32K", "outbox-bytes": 65536, "max-memory": "2G"})");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.max_message_bytes, 32768u);
  EXPECT_EQ(settings.outbox_bytes, 65536u);
  EXPECT_EQ(settings.max_memory, std::uint64_t{2} << 30);
}

TEST_F(SettingsTest, CpusAreNumbersAndRanges) {
  ASSERT_TRUE(parse({"--cpu-affinity", "0-2,8"}).run());
  EXPECT_EQ(settings.cpu_affinity, (std::vector<int>{0, 1, 2, 8}));
  file(R"({"cpu-affinity": [3, "5-6"]})");
  ASSERT_TRUE(parse().run());
  EXPECT_EQ(settings.cpu_affinity, (std::vector<int>{3, 5, 6}));
}

TEST_F(SettingsTest, ChoicesByName) {
  ASSERT_TRUE(parse({"--log-level=error", "--log-format=json"}).run());
  EXPECT_EQ(settings.log_level, core::log::Level::error);
  EXPECT_EQ(settings.log_format, core::log::Format::json);
}

TEST_F(SettingsTest, EverySettingIsTakenFromEachPlaceItNames) {
  const auto entries = table->settings().size();
  ASSERT_GE(entries, 36u);
  for (std::size_t i = 0; i < entries; ++i) {
    reset();
    const Setting& setting = table->settings()[i];
    if (setting.reach != Reach::everywhere) continue;
    SCOPED_TRACE(setting.name);
    std::string value;
    for (const std::string& item : setting.preset) value += (value.empty() ? "" : ",") + item;
    EXPECT_TRUE(parse({"--" + setting.name + "=" + value}).run());
    EXPECT_EQ(setting.source, Source::flag);
    variable(environment_name("SPATE_", setting.name) + "=" + value);
    EXPECT_TRUE(parse().run());
    EXPECT_EQ(setting.source, Source::environment);
    const bool bare = setting.value.json == kJsonNumber || setting.value.boolean();
    const std::string json = setting.value.list && value.empty() ? "[]"
                             : bare                              ? value
                                                                 : "\"" + value + "\"";
    file("{\"" + setting.name + "\": " + json + "}");
    EXPECT_TRUE(parse().run());
    EXPECT_EQ(setting.source, Source::file);
  }
}

TEST_F(SettingsTest, DifferencesNameTheirPlace) {
  file("{\n\"max-message-bytes\": 1024,\n\"backlog\": 4096\n}");
  variable("SPATE_LOG_LEVEL=debug");
  ASSERT_TRUE(parse({"--workers=2", "--listen=:1,:2"}).run());
  const Strings expect{"config=" + path() + " (environment)", "listen=:1,:2 (flag)",
                       "workers=2 (flag)", "max-message-bytes=1K (" + path() + " line 2)",
                       "log-level=debug (environment)"};
  EXPECT_EQ(table->differences(), expect);
}

TEST_F(SettingsTest, DescribeNamesValueAndPlace) {
  ASSERT_TRUE(parse({"--workers=2"}).run());
  EXPECT_EQ(table->describe("workers"), "--workers=2 (flag)");
  EXPECT_EQ(table->describe("max-memory"), "--max-memory=1G (default)");
}

TEST_F(SettingsTest, KubernetesServiceVariablesArePassedOver) {
  for (const char* entry :
       {"SPATE_SERVICE_HOST=10.0.0.1", "SPATE_SERVICE_PORT=8000", "SPATE_SERVICE_PORT_WS=8000",
        "SPATE_PORT=tcp://10.0.0.1:8000", "SPATE_PORT_8000_TCP=tcp://10.0.0.1:8000",
        "SPATE_PORT_8000_TCP_ADDR=10.0.0.1", "SPATE_INTERNAL_SERVICE_HOST=10.0.0.2", "SPATEX=1",
        "SPATE=1", "PATH=/bin"})
    variable(entry);
  EXPECT_TRUE(parse().run());
}

}  // namespace
}  // namespace spate::handlers
