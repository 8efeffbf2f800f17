// Parses settings as the server does, from flags, variables and a file that exist only for the
// test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "handlers/settings.h"

namespace spate::handlers {

class SettingsFixture : public testing::Test {
 protected:
  SettingsFixture() { reset(); }
  ~SettingsFixture() override { std::remove(path().c_str()); }

  // A fresh table, as a newly started process has it.
  void reset() {
    table = std::make_unique<SettingTable>(spate_program());
    settings = Settings{};
    add_settings(*table, settings);
  }

  static std::string path() {
    return testing::TempDir() + "settings-" + std::to_string(getpid()) + ".json";
  }

  void file(std::string_view text) {
    std::ofstream(path(), std::ios::binary) << text;
    variables.push_back("SPATE_CONFIG=" + path());
  }
  void variable(std::string text) { variables.push_back(std::move(text)); }

  Outcome parse(const std::vector<std::string>& arguments = {}) {
    std::vector<const char*> environment;
    for (const std::string& entry : variables) environment.push_back(entry.c_str());
    environment.push_back(nullptr);
    Outcome outcome = table->parse(arguments, environment.data());
    variables.clear();
    return outcome;
  }

  // The error line without "spate: " and the line's end, the file's path as FILE.
  std::string error(const std::vector<std::string>& arguments = {}) {
    const Outcome outcome = parse(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.out, "");
    std::string line = outcome.err;
    EXPECT_TRUE(line.starts_with("spate: ")) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    EXPECT_TRUE(line.ends_with('\n')) << line;
    if (line.size() < 8) return line;
    line = line.substr(7, line.size() - 8);
    for (std::size_t at; (at = line.find(path())) != std::string::npos;)
      line.replace(at, path().size(), "FILE");
    reset();
    return line;
  }
  std::string file_error(std::string_view text) {
    file(text);
    return error();
  }
  std::string variable_error(std::string text) {
    variable(std::move(text));
    return error();
  }

  std::unique_ptr<SettingTable> table;
  Settings settings;
  std::vector<std::string> variables;
};

}  // namespace spate::handlers
