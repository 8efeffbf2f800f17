// A connection's id: a random UUID (RFC 9562 §5.4), as 16 bytes, and as the text that clients see.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spate::handlers::hub {

struct ClientId {
  std::array<std::uint8_t, 16> bytes{};

  static ClientId random();
  // None unless it is a UUID in the form of text().
  static std::optional<ClientId> parse(std::string_view text);

  using Text = std::array<char, 36>;
  Text text() const;
  bool operator==(const ClientId&) const = default;
};

// As views go: `std::string_view id = view(text)`.
inline std::string_view view(const ClientId::Text& text) {
  return {text.data(), text.size()};
}

}  // namespace spate::handlers::hub
