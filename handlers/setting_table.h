// One table of settings. A row gives a flag, an environment variable, a key of the JSON file, a
// line of
// --help and of docs/configuration.md, and validation. A program's own modules add their rows
// before parse(), bound to their own variables:
//
//   SettingTable table({.name = "spate", .version = "0.1.0", …});
//   table.add({"greeting", "Chat", "what a newcomer is told", text_value(greeting, {})});
//   const Outcome outcome = table.parse(argc, argv, environ);
//   if (!outcome.run()) return outcome.finish();
//
//   flag  >  environment  >  file  >  the variable's value when the row was added
//
// A higher place replaces a lower one whole, lists too; yet every place is validated, so that a
// mistake does not lie hidden until the flag above it goes. Of a scalar flag given twice the last
// counts. At start-up and reload, in the master alone.
#pragma once

#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/setting_source.h"
#include "handlers/setting_value.h"

namespace spate::handlers {

// Which places may set it.
enum class Reach : std::uint8_t { everywhere, flag_and_environment, flag_only };

struct Setting {
  std::string name;   // "max-message-bytes"
  std::string group;  // heading in --help
  std::string help;   // a phrase in lower case without a full stop
  SettingValue value;
  Reach reach = Reach::everywhere;
  bool secret = false;       // its value is never printed
  std::string short_name{};  // "h" for -h

  // Kept by the table.
  std::vector<std::string> preset{};
  Source source = Source::preset;
  int line = 0;
};

// What a cross-check finds: the setting to blame, what is wrong and the remedy.
struct Complaint {
  std::string setting;
  std::string wrong;
};

// How parsing ended: go on, or print and exit.
struct Outcome {
  std::optional<int> exit_code;
  std::string out;  // for standard output
  std::string err;  // for standard error: exactly one line

  bool run() const { return !exit_code; }
  // Prints, and returns the exit code.
  int finish() const;
};

class SettingTable {
 public:
  struct Program {
    std::string name;         // before every error line
    std::string summary;      // first line of --help
    std::string version;      // what --version prints
    std::string environment;  // prefix: "SPATE_"
  };

  // Has --config, --check, --help and --version from the start.
  explicit SettingTable(Program program);
  SettingTable(const SettingTable&) = delete;
  SettingTable& operator=(const SettingTable&) = delete;

  // Takes the variable's present value as the default. A name that is taken or malformed, or a
  // default that its own check refuses, is a bug of ours.
  void add(Setting setting);

  // A check across settings; runs after every value has been taken over.
  void add_check(std::function<std::optional<Complaint>()> check);

  // Reads flags, environment and file. `environment` ends with a null pointer, as environ does.
  // With --check a good configuration ends here too: exit 0, and its differences() are printed.
  Outcome parse(const std::vector<std::string>& arguments, const char* const* environment);
  Outcome parse(int argc, const char* const* argv, const char* const* environment);

  // "--workers=4 (flag)", for messages that name a setting and where its value came from.
  std::string describe(std::string_view name) const;

  // "workers=4 (flag)" for each setting whose value is not the default, in the table's order.
  std::vector<std::string> differences() const;

  const Program& program() const { return program_; }
  const std::vector<Setting>& settings() const { return settings_; }

 private:
  Setting* find(std::string_view name);
  const Setting* find(std::string_view name) const;
  std::string subject(Source source, std::string_view key) const;
  std::string place(Source source, int line) const;
  std::string unknown(Source source, const Assignment& assignment) const;
  std::string blame(Source source, const Assignment& assignment, const std::string& value,
                    const std::string& wrong) const;
  std::vector<std::string> names_within_reach(Source source) const;
  // These return the error line, empty when all is well.
  std::string apply(Source source, const Assignment& assignment);
  std::string apply_all(Source source, const std::vector<Assignment>& assignments);
  std::string apply_file();
  std::string run_checks() const;
  std::string summary() const;

  Program program_;
  std::vector<Setting> settings_;
  std::vector<std::function<std::optional<Complaint>()>> checks_;
  bool help_ = false;
  bool version_ = false;
  bool check_ = false;
  std::string config_;
};

}  // namespace spate::handlers
