// The members of a JSON object, or the items of an array, one by one as spans of the source (RFC
// 8259): for texts of which some values are looked at and others are passed on byte for byte.
//
//   {"sub": "42", "info": {"name": "Al"}}
//     key   text   key    text              text of a string has its quotes; `string` is decoded
//
// No tree is built; what is nested is checked and skipped, down to kMaxJsonDepth. Allocates for the
// longest string and a few bytes for each level.
#pragma once

#include <string_view>
#include <type_traits>

namespace spate::handlers::client {

enum class JsonKind : unsigned char { null, boolean, number, string, object, array };

// Views die when the call that shows them returns, but for `text`, which aliases the source.
struct JsonValue {
  std::string_view key;  // decoded; empty in an array
  JsonKind kind = JsonKind::null;
  std::string_view text;
  std::string_view string;  // of a string
};

namespace detail {
using VisitJson = bool (*)(void* context, const JsonValue& value);
bool walk_json(std::string_view text, JsonKind container, VisitJson visit, void* context);

template <typename Visit>
bool walk_json(std::string_view text, JsonKind container, Visit&& visit) {
  return walk_json(
      text, container,
      [](void* context, const JsonValue& value) -> bool {
        return (*static_cast<std::remove_reference_t<Visit>*>(context))(value);
      },
      const_cast<void*>(static_cast<const void*>(&visit)));
}
}  // namespace detail

// Calls `visit` for each member in order, those with the same key too, until it says false. False
// then, and when `text` is not one JSON object in UTF-8 with nothing but white space around it.
template <typename Visit>
bool for_each_member(std::string_view text, Visit&& visit) {
  return detail::walk_json(text, JsonKind::object, visit);
}
// The same for the items of an array.
template <typename Visit>
bool for_each_item(std::string_view text, Visit&& visit) {
  return detail::walk_json(text, JsonKind::array, visit);
}

}  // namespace spate::handlers::client
