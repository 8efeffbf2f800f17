// A message's members in JSON: `{"name":value,…}`. What is zero or empty is left out, but where a
// method says `always`. Writes at the end of `out` and allocates only where that must grow.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "handlers/client/field.h"
#include "handlers/client/json_text.h"

namespace spate::handlers::client {

class JsonFields {
 public:
  // One whole message, behind a newline when there is one before it.
  template <typename Body>
  static void message(std::string& out, Body body) {
    if (!out.empty()) out.push_back('\n');
    braces(out, body);
  }

  void text(Field field, std::string_view value) {
    if (!value.empty()) text_always(field, value);
  }
  void text_always(Field field, std::string_view value) {
    key(field);
    append_json_string(out_, value);
  }
  void number(Field field, std::uint64_t value) {
    if (value != 0) number_always(field, value);
  }
  void number_always(Field field, std::uint64_t value) {
    key(field);
    char digits[20];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void flag(Field field, bool value) {
    if (!value) return;
    key(field);
    out_.append("true");
  }
  // JSON already.
  void payload(Field field, std::string_view value) {
    if (value.empty()) return;
    key(field);
    out_.append(value);
  }
  template <typename Body>
  void object_always(Field field, Body body) {
    key(field);
    braces(out_, body);
  }
  template <typename Items, typename Body>
  void list(Field field, const Items& items, Body body) {
    if (!items.empty()) list_always(field, items, body);
  }
  template <typename Items, typename Body>
  void list_always(Field field, const Items& items, Body body) {
    key(field);
    out_.push_back('[');
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_.push_back(',');
      first = false;
      braces(out_, [&](JsonFields& object) { body(object, item); });
    }
    out_.push_back(']');
  }
  // Objects by what `key_of` gives of each item.
  template <typename Items, typename Key, typename Body>
  void map(Field field, const Items& items, Key key_of, Body body) {
    if (!items.empty()) map_always(field, items, key_of, body);
  }
  template <typename Items, typename Key, typename Body>
  void map_always(Field field, const Items& items, Key key_of, Body body) {
    object_always(field, [&](JsonFields& object) {
      for (const auto& item : items) {
        object.entry(key_of(item));
        braces(out_, [&](JsonFields& value) { body(value, item); });
      }
    });
  }
  template <typename Items, typename Key, typename Value>
  void text_map(Field field, const Items& items, Key key_of, Value value_of) {
    if (items.empty()) return;
    object_always(field, [&](JsonFields& object) {
      for (const auto& item : items) {
        object.entry(key_of(item));
        append_json_string(out_, value_of(item));
      }
    });
  }

 private:
  explicit JsonFields(std::string& out) : out_(out) {}

  template <typename Body>
  static void braces(std::string& out, Body body) {
    out.push_back('{');
    JsonFields fields(out);
    body(fields);
    out.push_back('}');
  }
  void comma() {
    if (!first_) out_.push_back(',');
    first_ = false;
  }
  void key(Field field) {
    comma();
    out_.push_back('"');
    out_.append(field.name);
    out_.append("\":");
  }
  void entry(std::string_view name) {
    comma();
    append_json_string(out_, name);
    out_.push_back(':');
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace spate::handlers::client
