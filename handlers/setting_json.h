// JSON as the value of a setting: an object that somebody else understands, kept as its text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spate::handlers {

// Objects and lists within each other, the outermost counted. Bounds what may be kept of a value;
// no parser here uses the stack for nesting.
inline constexpr std::size_t kMaxJsonDepth = 16;
// What a value nested deeper is told.
std::string too_deep();

// RapidJSON's sentence for a ParseErrorCode in the form of ours: "not JSON: invalid value".
std::string json_syntax_error(int code);

// Whether `text` is one JSON object (RFC 8259, strictly), nested within the bound. Empty, or what
// is wrong and what to write instead. Keys given twice are its reader's to find.
std::string check_json_object(std::string_view text);

// The same JSON in one line without spaces between tokens. Anything else comes back the like.
std::string squeezed_json(std::string_view text);

}  // namespace spate::handlers
