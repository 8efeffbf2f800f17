// The text of a log line: message with its fields, as a sentence or as the inside of a JSON object.
// Pure; what it appends never holds a control character, so a line stays a line.
#pragma once

#include <string>
#include <string_view>

#include "core/log.h"

namespace spate::core::log {

// A whole line, time and end included, fits a pipe's atomic write (PIPE_BUF), so that the lines of
// several processes never mix. What a renderer appends leaves room for the time and the level in
// front.
inline constexpr std::size_t kMaxLineBytes = 4096;
inline constexpr std::size_t kMaxRenderedBytes = kMaxLineBytes - 96;
inline constexpr std::size_t kMaxValueBytes = 512;  // of a value's source text; the rest is cut

struct LineParts {
  std::string_view process;
  std::string_view message;  // {key} stands for that field's value
  Fields fields;
  std::uint64_t suppressed = 0;  // like lines held back before this one
};

// "worker 3: refused http://a.example rule=origin (12 more like this)"
void append_text(std::string& out, const LineParts& parts);

// "process":"worker 3","message":"refused …","rule":"origin","suppressed":12 (bytes that are not
// UTF-8 become U+FFFD; fields that do not fit are left out, and "truncated":true says so)
void append_json(std::string& out, const LineParts& parts);

}  // namespace spate::core::log
