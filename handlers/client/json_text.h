// What reading and writing of JSON share here. RFC 8259, with three limits: nesting is bounded, an
// escaped surrogate must be half of a pair (text is UTF-8 inside), and a number must fit a double.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spate::handlers::client {

// Arrays and objects inside each other. The parser keeps a few bytes for each that is open.
inline constexpr std::size_t kMaxJsonDepth = 512;

// What JSON calls white space.
inline constexpr std::string_view kJsonSpace = " \t\r\n";

// RapidJSON decodes half a surrogate pair as if it were a character. Of text whose source was valid
// UTF-8, so that the first two bytes show it.
bool has_lone_surrogate(std::string_view decoded);

// `text`, which is UTF-8, as a JSON string, quotes included. Allocates only where `out` must grow.
void append_json_string(std::string& out, std::string_view text);

// Whether there is no line end in it.
bool is_one_line(std::string_view json);
// `json` without the line ends between its tokens. Inside strings there are none.
void append_one_line(std::string& out, std::string_view json);

}  // namespace spate::handlers::client
