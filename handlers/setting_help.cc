#include "handlers/setting_help.h"

#include <algorithm>

namespace spate::handlers {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kHelpColumn = 34;

std::string spelled(const Setting& setting) {
  std::string out = "  ";
  if (!setting.short_name.empty()) out += "-" + setting.short_name + ", ";
  out += "--" + setting.name;
  if (!setting.value.type.empty()) out += " " + setting.value.type;
  return out;
}

std::string preset(const Setting& setting) {
  std::string out;
  for (const std::string& item : setting.preset) out += (out.empty() ? "" : ",") + item;
  return out;
}

std::string described(const Setting& setting) {
  std::string out = setting.help;
  std::string notes;
  const auto note = [&notes](const std::string& text) {
    notes += (notes.empty() ? "" : "; ") + text;
  };
  if (setting.value.list) note("repeatable");
  if (!setting.value.range.empty()) note(setting.value.range);
  if (!setting.value.boolean() && !preset(setting).empty()) note("default " + preset(setting));
  return notes.empty() ? out : out + " (" + notes + ")";
}

// Words of `text` from kHelpColumn on; `line` is what stands before it on the first line.
void append_wrapped(std::string& out, std::string line, std::string_view text) {
  const std::string indent(kHelpColumn, ' ');
  if (line.size() + 2 > kHelpColumn) {
    out += line + "\n";
    line = indent;
  } else {
    line.resize(kHelpColumn, ' ');
  }
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t space = std::min(text.find(' ', from), text.size());
    const std::string_view word = text.substr(from, space - from);
    const bool first = line.size() == kHelpColumn;
    if (!first && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line = indent;
    } else if (!first) {
      line += ' ';
    }
    line += word;
    from = space + 1;
  }
  out += line + "\n";
}

// Groups in the order in which they first appear, the table's own last.
std::vector<std::string> groups(const SettingTable& table) {
  std::vector<std::string> out;
  for (const Setting& setting : table.settings())
    if (std::ranges::find(out, setting.group) == out.end()) out.push_back(setting.group);
  std::rotate(out.begin(), std::next(out.begin()), out.end());
  return out;
}

// A pipe would end the table's cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string code(std::string_view text) {
  return text.empty() ? "" : "`" + cell(text) + "`";
}

std::string markdown_row(const SettingTable& table, const Setting& setting) {
  const bool everywhere = setting.reach == Reach::everywhere;
  const bool environment = setting.reach != Reach::flag_only;
  std::string flag = "--" + setting.name;
  if (!setting.value.type.empty()) flag += " " + setting.value.type;
  std::string meaning = setting.help;
  if (setting.value.list) meaning += "; repeatable";
  if (!setting.value.range.empty()) meaning += "; " + setting.value.range;
  return "| " + code(flag) + " | " +
         code(environment ? environment_name(table.program().environment, setting.name) : "") +
         " | " + code(everywhere ? setting.name : "") + " | " + code(preset(setting)) + " | " +
         cell(meaning) + " |\n";
}

}  // namespace

std::string help_text(const SettingTable& table) {
  const SettingTable::Program& program = table.program();
  std::string out = program.summary + "\n\nusage: " + program.name + " [flags]\n\n";
  out += "Each flag may also be given as an environment variable (--log-level as " +
         environment_name(program.environment, "log-level") +
         ", lists\nwith commas) and as a key "
         "of a JSON file (\"log-level\") that --config names. The flag wins over the\n"
         "environment, and that over the file. MS is milliseconds; BYTES takes K, M or G.\n";
  for (const std::string& group : groups(table)) {
    out += "\n" + group + ":\n";
    for (const Setting& setting : table.settings())
      if (setting.group == group) append_wrapped(out, spelled(setting), described(setting));
  }
  return out;
}

std::string help_markdown(const SettingTable& table) {
  std::string out;
  for (const std::string& group : groups(table)) {
    out += (out.empty() ? "## " : "\n## ") + group + "\n\n";
    out += "| flag | environment | key | default | meaning |\n|---|---|---|---|---|\n";
    for (const Setting& setting : table.settings())
      if (setting.group == group) out += markdown_row(table, setting);
  }
  return out;
}

}  // namespace spate::handlers
