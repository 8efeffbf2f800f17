#include "handlers/setting_table.h"

#include <algorithm>

#include "core/file.h"
#include "core/printable.h"
#include "handlers/setting_help.h"
#include "handlers/setting_json.h"

namespace spate::handlers {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxShownBytes = 80;
constexpr int kExitUsage = 2;

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) out += (i == 0 ? "" : ",") + items[i];
  return out;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// "a, b" into its items; an empty text has none.
void split(std::string_view text, std::vector<Item>& items) {
  if (trim(text).empty()) return;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    items.push_back({std::string(trim(text.substr(from, comma - from)))});
    from = comma + 1;
  }
}

std::string json_name(unsigned json, bool list) {
  std::string name = json == kJsonBoolean  ? "true or false"
                     : json == kJsonObject ? "an object"
                     : json == kJsonNumber ? "a number"
                     : json == kJsonString ? "a string"
                                           : "a number or a string";
  return list ? name + ", or a list of such" : name;
}

bool within_reach(const Setting& setting, Source source) {
  if (source == Source::file) return setting.reach == Reach::everywhere;
  return source == Source::flag || setting.reach != Reach::flag_only;
}

// What the items mean for this setting: one for a scalar, all of them for a list.
std::vector<Item> items_for(const Setting& setting, Source source, const Assignment& assignment) {
  if (source == Source::file) return assignment.items;
  if (!setting.value.list) return {assignment.items.back()};
  std::vector<Item> items;
  for (const Item& item : assignment.items) split(item.text, items);
  return items;
}

// The present value for a line of output, still to be shortened.
std::string value_of(const Setting& setting) {
  if (setting.secret) return "(secret)";
  const std::string text = join(setting.value.show());
  return setting.value.json == kJsonObject ? squeezed_json(text) : text;
}

// A value that is refused. Of an object the complaint says where in it; its beginning says nothing.
std::string refused(const Setting& setting, const Item& item) {
  if (setting.secret) return "(secret)";
  const bool object = ((item.json | setting.value.json) & kJsonObject) != 0;
  return object && item.text.starts_with('{') ? "{…}" : item.text;
}

bool well_formed(std::string_view name) {
  return !name.empty() && name.front() != '-' && name.back() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

}  // namespace

int Outcome::finish() const {
  std::fputs(out.c_str(), stdout);
  std::fputs(err.c_str(), stderr);
  std::fflush(stdout);
  return exit_code.value_or(0);
}

SettingTable::SettingTable(Program program) : program_(std::move(program)) {
  add({.name = "config",
       .group = "General",
       .help = "JSON file with settings, keys named as the flags are",
       .value = text_value(config_, {"FILE", {}}),
       .reach = Reach::flag_and_environment});
  add({.name = "check",
       .group = "General",
       .help =
           "validate flags, environment and file, print what differs from the defaults, and exit",
       .value = boolean_value(check_),
       .reach = Reach::flag_only});
  add({.name = "help",
       .group = "General",
       .help = "print this and exit",
       .value = boolean_value(help_),
       .reach = Reach::flag_only,
       .short_name = "h"});
  add({.name = "version",
       .group = "General",
       .help = "print version, compiler and build type, and exit",
       .value = boolean_value(version_),
       .reach = Reach::flag_only});
}

void SettingTable::add(Setting setting) {
  SPATE_CHECK(well_formed(setting.name));
  SPATE_CHECK(find(setting.name) == nullptr);
  setting.preset = setting.value.show();
  setting.source = Source::preset;
  setting.value.clear();
  for (const std::string& item : setting.preset) SPATE_CHECK(setting.value.add(item).empty());
  settings_.push_back(std::move(setting));
}

void SettingTable::add_check(std::function<std::optional<Complaint>()> check) {
  checks_.push_back(std::move(check));
}

const Setting* SettingTable::find(std::string_view name) const {
  const auto found = std::ranges::find(settings_, name, &Setting::name);
  return found == settings_.end() ? nullptr : &*found;
}

Setting* SettingTable::find(std::string_view name) {
  return const_cast<Setting*>(std::as_const(*this).find(name));
}

// How a place spells a setting.
std::string SettingTable::subject(Source source, std::string_view key) const {
  const std::string name = core::printable(key, kMaxShownBytes);
  if (source == Source::file) return name;
  if (source == Source::environment) return environment_name(program_.environment, name);
  return "--" + name;
}

std::string SettingTable::place(Source source, int line) const {
  switch (source) {
    case Source::preset:
      return "default";
    case Source::file:
      return core::printable(config_, kMaxShownBytes) + " line " + std::to_string(line);
    case Source::environment:
      return "environment";
    case Source::flag:
      return "flag";
  }
  return {};
}

std::string SettingTable::blame(Source source, const Assignment& assignment,
                                const std::string& value, const std::string& wrong) const {
  return subject(source, assignment.key) + "=" + core::printable(value, kMaxShownBytes) + " (" +
         place(source, assignment.line) + "): " + wrong;
}

std::vector<std::string> SettingTable::names_within_reach(Source source) const {
  std::vector<std::string> names;
  for (const Setting& setting : settings_)
    if (within_reach(setting, source)) names.push_back(setting.name);
  return names;
}

// Without the value: under a wrong name it may be a secret.
std::string SettingTable::unknown(Source source, const Assignment& assignment) const {
  std::string line =
      subject(source, assignment.key) + " (" + place(source, assignment.line) + "): ";
  if (find(assignment.key) != nullptr)
    return line + "cannot be set there; use the flag --" + assignment.key;
  const std::string near = nearest(assignment.key, names_within_reach(source));
  line += "no such setting; ";
  return line +
         (near.empty() ? "--help lists them" : "did you mean " + subject(source, near) + "?");
}

std::string SettingTable::apply(Source source, const Assignment& assignment) {
  Setting* setting = find(assignment.key);
  if (setting == nullptr || !within_reach(*setting, source)) return unknown(source, assignment);
  SettingValue& value = setting->value;
  if (assignment.list && !value.list)
    return blame(source, assignment, "[…]", "a list; write " + json_name(value.json, false));
  value.clear();
  for (const Item& item : items_for(*setting, source, assignment)) {
    std::string wrong;
    if (source == Source::file && (item.json & value.json) == 0) {
      wrong = json_name(item.json, false) + "; write " + json_name(value.json, value.list);
    } else {
      wrong = value.add(item.text);
    }
    if (!wrong.empty()) return blame(source, assignment, refused(*setting, item), wrong);
  }
  setting->source = source;
  setting->line = assignment.line;
  return {};
}

std::string SettingTable::apply_all(Source source, const std::vector<Assignment>& assignments) {
  for (const Assignment& assignment : assignments)
    if (std::string wrong = apply(source, assignment); !wrong.empty()) return wrong;
  return {};
}

std::string SettingTable::apply_file() {
  if (config_.empty()) return {};
  const core::Result<std::string> text = core::read_file(config_, kMaxFileBytes);
  if (!text) return describe("config") + ": cannot be read: " + text.error();
  const SourceResult assignments =
      parse_settings_json(*text, core::printable(config_, kMaxShownBytes));
  return assignments ? apply_all(Source::file, *assignments) : assignments.error();
}

std::string SettingTable::run_checks() const {
  for (const auto& check : checks_)
    if (const std::optional<Complaint> complaint = check())
      return describe(complaint->setting) + ": " + complaint->wrong;
  return {};
}

std::string SettingTable::summary() const {
  std::string out = program_.name + ": the configuration is in order\n";
  for (const std::string& difference : differences()) out += "  " + difference + "\n";
  return out;
}

Outcome SettingTable::parse(const std::vector<std::string>& arguments,
                            const char* const* environment) {
  const auto refuse = [this](const std::string& line) {
    return Outcome{.exit_code = kExitUsage, .out = {}, .err = program_.name + ": " + line + "\n"};
  };
  std::vector<FlagName> names;
  for (const Setting& setting : settings_)
    names.push_back({setting.name, setting.value.boolean(), setting.short_name});
  const SourceResult flags = read_flags(arguments, names);
  if (!flags) return refuse(flags.error());
  const std::vector<Assignment> variables = read_environment(environment, program_.environment);

  // Three that decide whether and where to go on, before the rest.
  for (const std::string_view name : {"help", "version", "config"}) {
    for (const auto& [source, assignments] :
         {std::pair{Source::environment, &variables}, std::pair{Source::flag, &flags.value()}}) {
      const auto found = std::ranges::find(*assignments, name, &Assignment::key);
      if (found == assignments->end()) continue;
      if (std::string wrong = apply(source, *found); !wrong.empty()) return refuse(wrong);
    }
    if (help_) return {.exit_code = 0, .out = help_text(*this), .err = {}};
    if (version_) return {.exit_code = 0, .out = program_.version + "\n", .err = {}};
  }
  if (std::string wrong = apply_file(); !wrong.empty()) return refuse(wrong);
  if (std::string wrong = apply_all(Source::environment, variables); !wrong.empty())
    return refuse(wrong);
  if (std::string wrong = apply_all(Source::flag, *flags); !wrong.empty()) return refuse(wrong);
  if (std::string wrong = run_checks(); !wrong.empty()) return refuse(wrong);
  if (check_) return {.exit_code = 0, .out = summary(), .err = {}};
  return {};
}

Outcome SettingTable::parse(int argc, const char* const* argv, const char* const* environment) {
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) arguments.emplace_back(argv[i]);
  return parse(arguments, environment);
}

std::string SettingTable::describe(std::string_view name) const {
  const Setting* setting = find(name);
  SPATE_CHECK(setting != nullptr);
  return subject(setting->source, name) + "=" +
         core::printable(value_of(*setting), kMaxShownBytes) + " (" +
         place(setting->source, setting->line) + ")";
}

std::vector<std::string> SettingTable::differences() const {
  std::vector<std::string> out;
  for (const Setting& setting : settings_) {
    if (setting.reach == Reach::flag_only || setting.value.show() == setting.preset) continue;
    out.push_back(setting.name + "=" + core::printable(value_of(setting), kMaxShownBytes) + " (" +
                  place(setting.source, setting.line) + ")");
  }
  return out;
}

}  // namespace spate::handlers
