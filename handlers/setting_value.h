// How the text of a setting becomes the value of a variable, and back. One factory per type; each
// binds a variable that must outlive the value.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spate::handlers {

// JSON types that a value takes in a configuration file; they can be or-ed.
enum JsonType : unsigned { kJsonBoolean = 1, kJsonNumber = 2, kJsonString = 4, kJsonObject = 8 };

struct SettingValue {
  std::string type;   // as --help shows it: "MS", "ADDRESS", "text|json"; empty for a boolean
  std::string range;  // "1 to 1024", empty when there is none
  unsigned json = 0;  // JsonType bits
  bool list = false;  // several items; a scalar takes exactly one
  std::function<void()> clear;  // forget the items: a new source replaces the old one whole
  // Takes one item over. Empty, or what is wrong with it and what to write instead ("not a number;
  // …").
  std::function<std::string(std::string_view)> add;
  std::function<std::vector<std::string>()>
      show;  // the items that would bring the present value back

  bool boolean() const { return json == kJsonBoolean; }
};

// true/false, 1/0, yes/no, on/off.
SettingValue boolean_value(bool& variable);

// Sizes take K, M or G (powers of 1024) behind the number.
SettingValue bytes_value(std::uint64_t& variable, std::uint64_t min, std::uint64_t max);

// What a text must fulfil: its name in --help, and a check that returns what is wrong and the
// remedy.
struct TextRule {
  std::string type = "TEXT";
  std::function<std::string(std::string_view)> check;
};
SettingValue text_value(std::string& variable, TextRule rule);  // empty means none, unchecked
SettingValue texts_value(std::vector<std::string>& variable, TextRule rule);

// Permissions of a file, in octal as chmod has them: "660", "0660".
SettingValue mode_value(unsigned& variable);

// A JSON object: in a file the object itself, whose exact text the variable gets, elsewhere that
// text. It is well-formed and nested within kMaxJsonDepth when `check` sees it; what is in it,
// repeated keys too, is the check's business. Empty means none, unchecked.
SettingValue json_value(std::string& variable, std::function<std::string(std::string_view)> check);

// CPU numbers: items such as "3" and "0-7", in the order given.
SettingValue cpus_value(std::vector<int>& variable);

// The two below serve the templates; every instance is one closure over them.
struct IntegerLimits {
  std::int64_t min;
  std::int64_t max;
};
SettingValue integer_value(std::string type, IntegerLimits limits,
                           std::function<void(std::int64_t)> set,
                           std::function<std::int64_t()> get);
SettingValue choice_value(std::vector<std::string> names, std::function<void(std::size_t)> set,
                          std::function<std::size_t()> get);

template <std::integral T>
SettingValue integer_value(T& variable, std::int64_t min, std::int64_t max,
                           std::string type = "N") {
  return integer_value(
      std::move(type), {min, max}, [&variable](std::int64_t to) { variable = static_cast<T>(to); },
      [&variable] { return static_cast<std::int64_t>(variable); });
}

template <std::integral T>
SettingValue milliseconds_value(T& variable, std::int64_t min, std::int64_t max) {
  return integer_value(variable, min, max, "MS");
}

// `names[i]` stands for the enumerator with the value i.
template <typename Enum>
SettingValue choice_value(Enum& variable, std::vector<std::string> names) {
  return choice_value(
      std::move(names), [&variable](std::size_t to) { variable = static_cast<Enum>(to); },
      [&variable] { return static_cast<std::size_t>(variable); });
}

// "64K" for 65536, "1000" for 1000.
std::string format_bytes(std::uint64_t bytes);

}  // namespace spate::handlers
