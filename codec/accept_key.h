// Sec-WebSocket-Accept (RFC 6455 §4.2.2 item 5.4): what proves to the client that the server read
// its Sec-WebSocket-Key.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace spate::codec {

// A Sec-WebSocket-Key is 16 bytes in base 64 (RFC 6455 §4.1 item 7), a Sec-WebSocket-Accept 20
// bytes.
inline constexpr std::size_t kWebSocketKeyBytes = 24;
inline constexpr std::size_t kWebSocketAcceptBytes = 28;

// The key as it stands in the header, without white space around it. It must have been validated:
// one that has not kWebSocketKeyBytes characters is a bug of the caller's. No allocation; any
// thread.
std::array<char, kWebSocketAcceptBytes> accept_key(std::string_view sec_websocket_key);

}  // namespace spate::codec
