// Close codes (RFC 6455 §7.4 and the IANA WebSocket Close Code Number Registry) and the payload of
// a close frame (§5.5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base.h"

namespace spate::codec {

using CloseCode = std::uint16_t;

inline constexpr CloseCode kCloseNormal = 1000;
inline constexpr CloseCode kCloseGoingAway = 1001;
inline constexpr CloseCode kCloseProtocolError = 1002;
inline constexpr CloseCode kCloseUnsupportedData = 1003;
inline constexpr CloseCode kCloseNoStatus =
    1005;  // never on the wire: a close frame without a code
inline constexpr CloseCode kCloseAbnormal = 1006;  // never on the wire: no close frame came
inline constexpr CloseCode kCloseInvalidPayload = 1007;
inline constexpr CloseCode kClosePolicyViolation = 1008;
inline constexpr CloseCode kCloseMessageTooBig = 1009;
inline constexpr CloseCode kCloseInternalError = 1011;
inline constexpr CloseCode kCloseTryAgainLater = 1013;

// A close frame carries at most 125 bytes: the code and 123 bytes of reason.
inline constexpr std::size_t kMaxCloseReasonBytes = 123;

// May `code` appear in a close frame? 1000–1003 and 1007–1014 are registered for the wire,
// 3000–3999 belong to libraries and frameworks, 4000–4999 to applications; all else is reserved.
constexpr bool close_code_on_wire(CloseCode code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

// Writes code and reason as a close frame's payload; `to` has room for 2 + reason.size() bytes.
// A reason beyond kMaxCloseReasonBytes is cut at a character boundary. Returns the bytes written.
std::size_t build_close_payload(std::byte* to, CloseCode code, std::string_view reason);

}  // namespace spate::codec
