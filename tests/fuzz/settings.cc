// Flags and environment: parsing ends in a run or in one printable line, and the values of a run,
// given as flags to a fresh table, bring the same values back.
//
// Input: arguments, one a line, an empty line, then entries of the environment, one a line.
#include "handlers/settings.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace spate;
using namespace spate::handlers;

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    // Arguments end at a NUL, as the kernel hands them over.
    lines.emplace_back(text.substr(0, std::min(end, text.find('\0'))));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void check_error_line(std::string_view line) {
  SPATE_CHECK(line.size() > 1 && line.back() == '\n');
  line.remove_suffix(1);
  SPATE_CHECK(std::ranges::none_of(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }));
}

struct Parsed {
  SettingTable table{spate_program()};
  Settings settings;
  Outcome outcome;

  Parsed(const std::vector<std::string>& arguments, const std::vector<std::string>& variables) {
    add_settings(table, settings);
    std::vector<const char*> environment;
    for (const std::string& entry : variables) environment.push_back(entry.c_str());
    environment.push_back(nullptr);
    outcome = table.parse(arguments, environment.data());
  }
};

void fuzz_table(const std::vector<std::string>& arguments,
                const std::vector<std::string>& variables) {
  const Parsed first(arguments, variables);
  if (!first.outcome.run()) {
    SPATE_CHECK(first.outcome.exit_code == 0 || first.outcome.exit_code == 2);
    if (first.outcome.exit_code == 2) check_error_line(first.outcome.err);
    return;
  }
  std::vector<std::string> flags;
  for (const Setting& setting : first.table.settings()) {
    if (setting.reach != Reach::everywhere) continue;
    std::string value;
    for (const std::string& item : setting.value.show()) value += (value.empty() ? "" : ",") + item;
    flags.push_back("--" + setting.name + "=" + value);
  }
  const Parsed second(flags, {});
  SPATE_CHECK(second.outcome.run());
  for (std::size_t i = 0; i < first.table.settings().size(); ++i) {
    const Setting& setting = first.table.settings()[i];
    if (setting.reach == Reach::everywhere)
      SPATE_CHECK(setting.value.show() == second.table.settings()[i].value.show());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A path of the fuzzer's choosing is not opened.
  if (text.find("config") != std::string_view::npos) return 0;
  if (text.find("CONFIG") != std::string_view::npos) return 0;
  const std::size_t blank = std::min(text.find("\n\n"), text.size());
  fuzz_table(split_lines(text.substr(0, blank)),
             split_lines(text.substr(std::min(blank + 2, text.size()))));
  return 0;
}
