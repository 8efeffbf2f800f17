// CLI11 splits the command line; names, meaning, help and error lines are ours, since they are the
// same for environment and file. Three of its habits are evened out before it sees the arguments:
// "--name=" would take the next argument as its value, "--name --other" would make "--other" the
// value, and a boolean's "=" is dropped.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/printable.h"
#include "handlers/setting_source.h"

namespace spate::handlers {
namespace {

constexpr std::size_t kMaxShownBytes = 80;

std::string shown(std::string_view text) {
  return core::printable(text, kMaxShownBytes);
}

const FlagName* find(const std::vector<FlagName>& names, std::string_view argument) {
  if (!argument.starts_with("--")) return nullptr;
  argument.remove_prefix(2);
  const auto found = std::ranges::find(names, argument, &FlagName::name);
  return found == names.end() ? nullptr : &*found;
}

std::string no_value(const FlagName& flag) {
  return "--" + flag.name + " (flag): no value; write --" + flag.name + "=VALUE";
}

core::Result<std::vector<std::string>> even_out(const std::vector<std::string>& arguments,
                                                const std::vector<FlagName>& names) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const bool ends_with_equals = argument.ends_with('=');
    const FlagName* flag =
        find(names, ends_with_equals ? argument.substr(0, argument.size() - 1) : argument);
    if (flag == nullptr || (flag->boolean && !ends_with_equals)) {
      out.emplace_back(argument);
      continue;
    }
    if (flag->boolean) return core::Failure{no_value(*flag)};
    out.push_back("--" + flag->name);
    if (ends_with_equals) {
      out.emplace_back();
      continue;
    }
    if (i + 1 == arguments.size() || arguments[i + 1].starts_with("--"))
      return core::Failure{no_value(*flag)};
    out.push_back(arguments[++i]);
  }
  return out;
}

std::string refuse_rest(std::string_view argument, const std::vector<FlagName>& names) {
  if (!argument.starts_with('-') || argument == "-")
    return "\"" + shown(argument) + "\" (argument): not a flag; flags start with --";
  const std::string_view name = argument.substr(0, argument.find('='));
  std::vector<std::string> known;
  for (const FlagName& flag : names) known.push_back(flag.name);
  const std::size_t dashes = std::min(name.find_first_not_of('-'), name.size());
  const std::string near = nearest(name.substr(dashes), known);
  return shown(name) + " (flag): no such setting; " +
         (near.empty() ? "--help lists them" : "did you mean --" + near + "?");
}

}  // namespace

SourceResult read_flags(const std::vector<std::string>& arguments,
                        const std::vector<FlagName>& names) {
  core::Result<std::vector<std::string>> even = even_out(arguments, names);
  if (!even) return core::Failure{even.error()};

  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<CLI::Option*> options;
  try {
    for (const FlagName& flag : names) {
      const std::string spelled =
          (flag.short_name.empty() ? "" : "-" + flag.short_name + ",") + "--" + flag.name;
      CLI::Option* option = flag.boolean ? app.add_flag(spelled) : app.add_option(spelled);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      if (!flag.boolean) option->allow_extra_args(false);
      options.push_back(option);
    }
    std::ranges::reverse(even.value());  // CLI11 takes arguments from the back
    app.parse(std::move(even.value()));
  } catch (const CLI::Error& error) {
    return core::Failure{"command line (flag): " + shown(error.what()) +
                         "; --help lists the flags"};
  }

  if (const std::vector<std::string> rest = app.remaining(); !rest.empty())
    return core::Failure{refuse_rest(rest.front(), names)};
  std::vector<Assignment> assignments;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (options[i]->count() == 0) continue;
    Assignment& assignment = assignments.emplace_back();
    assignment.key = names[i].name;
    for (const std::string& result : options[i]->results()) assignment.items.push_back({result});
  }
  return assignments;
}

}  // namespace spate::handlers
