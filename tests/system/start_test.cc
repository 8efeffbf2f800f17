// Starting, and refusing to start: one clear line that names the setting, its value and where it
// came from.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/system/fixture.h"

namespace spate::tests {
namespace {

namespace fs = std::filesystem;

class Start : public testing::Test {
 protected:
  Start() : directory_(fs::temp_directory_path() / ("spate_start_" + std::to_string(::getpid()))) {
    fs::create_directories(directory_);
  }
  ~Start() override { fs::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& contents) {
    const fs::path path = directory_ / name;
    std::ofstream(path) << contents;
    return path;
  }

  // Exit 2, nothing on stdout, and one line on stderr in which all of `parts` stand.
  static void expect_refused(const Launch& launch, const std::vector<std::string>& parts) {
    const RunResult result = run_binary(launch);
    EXPECT_TRUE(result.exit.exited && result.exit.status == 2) << describe(result.exit);
    EXPECT_EQ(result.standard_output, "");
    const std::string& error = result.standard_error;
    EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
    EXPECT_TRUE(error.ends_with('\n')) << error;
    for (const std::string& part : parts) EXPECT_NE(error.find(part), std::string::npos) << error;
  }

  fs::path directory_;
};

TEST_F(Start, UnknownFlagIsNamed) {
  expect_refused({.flags = {"--lisen", "127.0.0.1:0"}}, {"--lisen", "--listen"});
}

TEST_F(Start, BadValueOfAFlagIsNamedWithItsOrigin) {
  struct Row {
    const char* flag;
    const char* value;
  };
  static constexpr Row kRows[] = {
      {"--max-message-bytes", "lots"},
      {"--max-message-bytes", "-1"},
      {"--max-message-bytes", "0"},
      {"--listen", "nowhere"},
      {"--listen", "127.0.0.1"},
      {"--listen", "127.0.0.1:70000"},
      {"--echo", "echo"},
      {"--workers", "many"},
      {"--ping-misses", "0"},
      {"--log-level", "loud"},
      {"--read-ring-bytes", "5000"},
      {"--handshake-timeout-ms", "1e3"},
      {"--ping-interval-ms", "99999999999999999999"},
  };
  for (const Row& row : kRows) {
    expect_refused({.flags = {row.flag, row.value}}, {row.flag, row.value, "flag"});
  }
}

TEST_F(Start, BadValueInTheEnvironmentIsNamedWithItsOrigin) {
  expect_refused({.environment = {{"SPATE_MAX_MESSAGE_BYTES", "lots"}}},
                 {"SPATE_MAX_MESSAGE_BYTES", "lots", "environment"});
  expect_refused({.environment = {{"SPATE_LISTEN", "127.0.0.1:0,nowhere"}}},
                 {"SPATE_LISTEN", "nowhere", "environment"});
}

TEST_F(Start, UnknownNameInTheEnvironmentIsNamed) {
  expect_refused({.environment = {{"SPATE_MAX_MESAGE_BYTES", "65536"}}},
                 {"SPATE_MAX_MESAGE_BYTES"});
}

TEST_F(Start, WhatIsWrongInAFileIsNamedWithFileAndLine) {
  const std::string unknown =
      file("unknown.json", "{\n  \"workers\": 1,\n  \"max-mesage-bytes\": 5\n}\n");
  expect_refused({.flags = {"--config", unknown}}, {"max-mesage-bytes", unknown, "3"});
  const std::string bad = file("bad.json", "{\n  \"max-message-bytes\": \"lots\"\n}\n");
  expect_refused({.flags = {"--config", bad}}, {"max-message-bytes", "lots", bad, "2"});
  const std::string broken = file("broken.json", "{ \"workers\": 1, ");
  expect_refused({.flags = {"--config", broken}}, {broken});
  const std::string absent = directory_ / "absent.json";
  expect_refused({.flags = {"--config", absent}}, {"--config", absent});
}

// The same setting in all three places: what is refused is the one that counts.
TEST_F(Start, FlagWinsOverEnvironmentOverFile) {
  const std::string config = file("config.json", "{\"workers\": 1, \"max-message-bytes\": 1000}");
  const auto check = [&](std::vector<std::string> flags,
                         std::vector<std::pair<std::string, std::string>> environment) {
    flags.insert(flags.begin(), {"--check", "--config", config});
    // Smaller than --max-message-bytes, which the complaint then quotes.
    flags.insert(flags.end(), {"--outbox-bytes", "4K", "--max-memory", "1M"});
    return run_binary({.flags = flags, .environment = std::move(environment)});
  };
  EXPECT_EQ(check({}, {}).exit.status, 0);
  EXPECT_NE(check({}, {{"SPATE_MAX_MESSAGE_BYTES", "5000"}}).standard_error.find("environment"),
            std::string::npos);
  EXPECT_NE(check({"--max-message-bytes", "6000"}, {{"SPATE_MAX_MESSAGE_BYTES", "1000"}})
                .standard_error.find("6000"),
            std::string::npos);
  EXPECT_EQ(
      check({"--max-message-bytes", "1000"}, {{"SPATE_MAX_MESSAGE_BYTES", "5000"}}).exit.status, 0);
}

TEST_F(Start, SettingsThatContradictEachOtherAreRefused) {
  expect_refused({.flags = {"--max-message-bytes", "16M"}},
                 {"--outbox-bytes", "--max-message-bytes"});
  expect_refused({.flags = {"--listen", "127.0.0.1:9", "--internal-listen", "127.0.0.1:9"}},
                 {"--internal-listen"});
}

TEST_F(Start, CheckValidatesAndStartsNothing) {
  const RunResult good = run_binary(
      {.flags = {"--check", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"}});
  EXPECT_EQ(good.exit.status, 0) << describe(good.exit);
  EXPECT_EQ(good.standard_error.find("listening"), std::string::npos);
  expect_refused({.flags = {"--check", "--max-message-bytes", "lots"}},
                 {"--max-message-bytes", "lots"});
}

TEST_F(Start, VersionAndHelpGoToStandardOutput) {
  const RunResult version = run_binary({.flags = {"--version"}});
  EXPECT_EQ(version.exit.status, 0);
  EXPECT_TRUE(version.standard_output.starts_with("spate ")) << version.standard_output;
  EXPECT_EQ(version.standard_error, "");
  const RunResult help = run_binary({.flags = {"--help"}});
  EXPECT_EQ(help.exit.status, 0);
  EXPECT_NE(help.standard_output.find("--max-message-bytes"), std::string::npos);
  EXPECT_EQ(help.standard_error, "");
}

class PortTaken : public Start {
 protected:
  // Exit 1, and an only error that names the address and the flag. Nothing is half-started.
  void expect_taken(const std::vector<std::string>& flags, const std::string& address,
                    const std::string& flag) {
    const fs::path pid_file = directory_ / "pid";
    std::vector<std::string> all = flags;
    all.insert(all.end(), {"--pid-file", pid_file});
    const RunResult result = run_binary({.flags = all});
    EXPECT_TRUE(result.exit.exited && result.exit.status == 1) << describe(result.exit);
    std::istringstream lines(result.standard_error);
    int errors = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("error") == std::string::npos) continue;
      ++errors;
      EXPECT_NE(line.find(address), std::string::npos) << line;
      EXPECT_NE(line.find(flag), std::string::npos) << line;
    }
    EXPECT_EQ(errors, 1) << result.standard_error;
    EXPECT_FALSE(fs::exists(pid_file));
  }
};

TEST_F(PortTaken, ByAnotherInstanceIsRefusedAlthoughWorkersShareThePort) {
  const auto first = ServerProcess::start({.flags = {"--workers", "2", "--echo", "/echo"}});
  ASSERT_NE(first, nullptr);
  const std::string address = "127.0.0.1:" + std::to_string(first->port());
  expect_taken({"--listen", address, "--internal-listen", ""}, address, "--listen");
  expect_taken({"--listen", "127.0.0.1:0", "--internal-listen", address}, address,
               "--internal-listen");
  // The first is none the worse: every connection is its own.
  for (int i = 0; i < 20; ++i) {
    const auto client = WsClient::open(first->endpoint(), soon());
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(client->echoes("the first instance", soon()));
  }
}

TEST_F(PortTaken, AddressThatIsNotOursIsRefused) {
  // TEST-NET-1 (RFC 5737): nobody's.
  expect_taken({"--listen", "192.0.2.1:8000", "--internal-listen", ""}, "192.0.2.1:8000",
               "--listen");
}

}  // namespace
}  // namespace spate::tests
