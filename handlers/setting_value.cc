#include "handlers/setting_value.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include "handlers/setting_json.h"

namespace spate::handlers {
namespace {

// An upper bound for a CPU number: CPU_SETSIZE, the most that the plain affinity call can name.
constexpr int kMaxCpu = 1023;

enum class Number { ok, bad, overflow };

// The whole text as a decimal number: no plus sign, no space, no fraction.
template <typename T>
Number parse_number(std::string_view text, T& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || stop != end || error == std::errc::invalid_argument) return Number::bad;
  return error == std::errc{} ? Number::ok : Number::overflow;
}

std::string join(const std::vector<std::string>& items, std::string_view between) {
  std::string out;
  for (const std::string& item : items) {
    if (!out.empty()) out += between;
    out += item;
  }
  return out;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text, bool& overflow) {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      default:
        break;
    }
  }
  if (shift != 0) text.remove_suffix(1);
  std::uint64_t number = 0;
  const Number outcome = parse_number(text, number);
  if (outcome == Number::bad) return std::nullopt;
  overflow = outcome == Number::overflow || number > (UINT64_MAX >> shift);
  return overflow ? UINT64_MAX : number << shift;
}

// "3" or "0-7" into first and last.
bool parse_cpus(std::string_view text, int& first, int& last) {
  const std::size_t dash = text.find('-');
  if (parse_number(text.substr(0, dash), first) != Number::ok) return false;
  last = first;
  if (dash != std::string_view::npos && parse_number(text.substr(dash + 1), last) != Number::ok)
    return false;
  return first >= 0 && first <= last && last <= kMaxCpu;
}

}  // namespace

SettingValue boolean_value(bool& variable) {
  SettingValue value;
  value.json = kJsonBoolean;
  value.clear = [&variable] { variable = false; };
  value.add = [&variable](std::string_view text) -> std::string {
    static constexpr std::string_view kTrue[] = {"true", "1", "yes", "on"};
    static constexpr std::string_view kFalse[] = {"false", "0", "no", "off"};
    variable = std::ranges::find(kTrue, text) != std::end(kTrue);
    if (variable || std::ranges::find(kFalse, text) != std::end(kFalse)) return {};
    return "neither true nor false; write one of them";
  };
  value.show = [&variable] { return std::vector<std::string>{variable ? "true" : "false"}; };
  return value;
}

SettingValue integer_value(std::string type, IntegerLimits limits,
                           std::function<void(std::int64_t)> set,
                           std::function<std::int64_t()> get) {
  SettingValue value;
  value.type = std::move(type);
  value.range = std::to_string(limits.min) + " to " + std::to_string(limits.max);
  value.json = kJsonNumber;
  value.clear = [] {};
  value.add = [limits, set, range = value.range](std::string_view text) -> std::string {
    std::int64_t number = 0;
    const Number outcome = parse_number(text, number);
    if (outcome == Number::bad) return "not a whole number; write one from " + range;
    if (outcome == Number::overflow || number < limits.min || number > limits.max)
      return "out of range; write a whole number from " + range;
    set(number);
    return {};
  };
  value.show = [get] { return std::vector<std::string>{std::to_string(get())}; };
  return value;
}

SettingValue bytes_value(std::uint64_t& variable, std::uint64_t min, std::uint64_t max) {
  SettingValue value;
  value.type = "BYTES";
  value.range = format_bytes(min) + " to " + format_bytes(max);
  value.json = kJsonNumber | kJsonString;
  value.clear = [] {};
  value.add = [&variable, min, max, range = value.range](std::string_view text) -> std::string {
    bool overflow = false;
    const std::optional<std::uint64_t> bytes = parse_bytes(text, overflow);
    if (!bytes) return "not a size in bytes; write a number, with K, M or G if you like";
    if (overflow || *bytes < min || *bytes > max) return "out of range; write a size from " + range;
    variable = *bytes;
    return {};
  };
  value.show = [&variable] { return std::vector<std::string>{format_bytes(variable)}; };
  return value;
}

SettingValue text_value(std::string& variable, TextRule rule) {
  SettingValue value;
  value.type = rule.type;
  value.json = kJsonString;
  value.clear = [&variable] { variable.clear(); };
  value.add = [&variable, check = rule.check](std::string_view text) -> std::string {
    if (std::string wrong = check && !text.empty() ? check(text) : ""; !wrong.empty()) return wrong;
    variable = text;
    return {};
  };
  value.show = [&variable] { return std::vector<std::string>{variable}; };
  return value;
}

SettingValue texts_value(std::vector<std::string>& variable, TextRule rule) {
  SettingValue value;
  value.type = rule.type;
  value.json = kJsonString;
  value.list = true;
  value.clear = [&variable] { variable.clear(); };
  value.add = [&variable, check = rule.check](std::string_view text) -> std::string {
    if (text.empty()) return "an empty item; write a value, or leave the item out";
    if (std::string wrong = check ? check(text) : ""; !wrong.empty()) return wrong;
    variable.emplace_back(text);
    return {};
  };
  value.show = [&variable] { return variable; };
  return value;
}

SettingValue mode_value(unsigned& variable) {
  SettingValue value;
  value.type = "MODE";
  // No number in JSON: it would be read as a decimal one.
  value.json = kJsonString;
  value.clear = [] {};
  value.add = [&variable](std::string_view text) -> std::string {
    unsigned mode = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, mode, 8);
    if (text.empty() || stop != end || error != std::errc{} || mode > 0777)
      return "not a file's permissions; write them in octal, such as 0660";
    variable = mode;
    return {};
  };
  value.show = [&variable] {
    std::string digits = "0000";
    for (unsigned i = 0; i < 4; ++i)
      digits[3 - i] = static_cast<char>('0' + (variable >> 3 * i & 7));
    return std::vector<std::string>{digits};
  };
  return value;
}

SettingValue json_value(std::string& variable, std::function<std::string(std::string_view)> check) {
  SettingValue value;
  value.type = "JSON";
  value.json = kJsonObject;
  value.clear = [&variable] { variable.clear(); };
  value.add = [&variable, check = std::move(check)](std::string_view text) -> std::string {
    if (!text.empty()) {
      if (std::string wrong = check_json_object(text); !wrong.empty()) return wrong;
      if (std::string wrong = check ? check(text) : ""; !wrong.empty()) return wrong;
    }
    variable = text;
    return {};
  };
  value.show = [&variable] { return std::vector<std::string>{variable}; };
  return value;
}

SettingValue cpus_value(std::vector<int>& variable) {
  SettingValue value;
  value.type = "CPU";
  value.json = kJsonNumber | kJsonString;
  value.list = true;
  value.clear = [&variable] { variable.clear(); };
  value.add = [&variable](std::string_view text) -> std::string {
    int first = 0;
    int last = 0;
    if (!parse_cpus(text, first, last))
      return "not a CPU; write a number from 0 to " + std::to_string(kMaxCpu) +
             ", or a range such as 0-3";
    for (int cpu = first; cpu <= last; ++cpu) variable.push_back(cpu);
    return {};
  };
  value.show = [&variable] {
    std::vector<std::string> items;
    for (const int cpu : variable) items.push_back(std::to_string(cpu));
    return items;
  };
  return value;
}

SettingValue choice_value(std::vector<std::string> names, std::function<void(std::size_t)> set,
                          std::function<std::size_t()> get) {
  SettingValue value;
  value.type = join(names, "|");
  value.json = kJsonString;
  value.clear = [] {};
  value.add = [names, set](std::string_view text) -> std::string {
    const auto found = std::ranges::find(names, text);
    if (found == names.end()) return "no such choice; write one of " + join(names, ", ");
    set(static_cast<std::size_t>(found - names.begin()));
    return {};
  };
  value.show = [names, get] { return std::vector<std::string>{names.at(get())}; };
  return value;
}

std::string format_bytes(std::uint64_t bytes) {
  struct Unit {
    unsigned shift;
    char suffix;
  };
  for (const Unit unit : {Unit{30, 'G'}, Unit{20, 'M'}, Unit{10, 'K'}}) {
    const std::uint64_t mask = (std::uint64_t{1} << unit.shift) - 1;
    if (bytes != 0 && (bytes & mask) == 0) return std::to_string(bytes >> unit.shift) + unit.suffix;
  }
  return std::to_string(bytes);
}

}  // namespace spate::handlers
