#include "handlers/hub/client_id.h"

#include "core/sys.h"

namespace spate::handlers::hub {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";

constexpr bool is_dash(std::size_t at) {
  return at == 8 || at == 13 || at == 18 || at == 23;
}

int digit_of(char c) {
  const std::size_t found = kHex.find(c);
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

}  // namespace

ClientId ClientId::random() {
  ClientId id;
  core::sys::random({reinterpret_cast<std::byte*>(id.bytes.data()), id.bytes.size()});
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x40);  // version 4
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);  // variant
  return id;
}

std::optional<ClientId> ClientId::parse(std::string_view text) {
  if (text.size() != std::tuple_size_v<Text>) return std::nullopt;
  ClientId id;
  std::size_t nibble = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_dash(at)) {
      if (text[at] != '-') return std::nullopt;
      continue;
    }
    const int digit = digit_of(text[at]);
    if (digit < 0) return std::nullopt;
    std::uint8_t& byte = id.bytes[nibble / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | digit);
    ++nibble;
  }
  return id;
}

ClientId::Text ClientId::text() const {
  Text text;
  std::size_t nibble = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_dash(at)) {
      text[at] = '-';
      continue;
    }
    const std::uint8_t byte = bytes[nibble / 2];
    text[at] = kHex[nibble % 2 == 0 ? byte >> 4 : byte & 0x0F];
    ++nibble;
  }
  return text;
}

}  // namespace spate::handlers::hub
