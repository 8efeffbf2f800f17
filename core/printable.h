// Makes text that others sent fit for one line of a terminal or a log: what could break the line,
// or speak to the terminal, is spelled out.
#pragma once

#include <string>
#include <string_view>

#include "core/base.h"

namespace spate::core {

// Appends `text` to `out`. Control characters become \n, \t, \r or \xNN (C1 controls too), bytes
// that are not UTF-8 become \xNN, a backslash stays one. At most `max_bytes` of `text` are taken,
// cut between characters, with "…" after a cut.
void append_printable(std::string& out, std::string_view text, std::size_t max_bytes);
std::string printable(std::string_view text, std::size_t max_bytes);

// Bytes of the UTF-8 character at the start of `text` (not empty): 1 to 4; 0 when there is none
// (RFC 3629 §4: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_character_bytes(std::string_view text);

}  // namespace spate::core
