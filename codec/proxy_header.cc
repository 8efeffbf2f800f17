#include "codec/proxy_header.h"

#include <algorithm>

namespace spate::codec {

namespace {

constexpr std::string_view kWord = "PROXY ";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kMaxLineBytes = 107;
constexpr std::size_t kFixedBytes = 16;

ProxyHeader bad(ProxyHeaderError error) {
  return {.status = ProxyParse::bad, .error = error};
}
ProxyHeader need_more() {
  return {.status = ProxyParse::need_more};
}

// As far as there is of it, `text` begins with `prefix`.
bool may_begin_with(std::string_view text, std::string_view prefix) {
  const std::size_t bytes = std::min(text.size(), prefix.size());
  return text.substr(0, bytes) == prefix.substr(0, bytes);
}

// Up to the next space, which is taken with it; all of it when there is none.
std::string_view take_word(std::string_view& text) {
  const std::size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

ProxyHeader parse_line(std::string_view input) {
  const std::size_t end = input.substr(0, kMaxLineBytes).find("\r\n");
  if (end == std::string_view::npos)
    return input.size() < kMaxLineBytes ? need_more() : bad(ProxyHeaderError::line_too_long);
  ProxyHeader header{.status = ProxyParse::ok, .consumed = end + 2};
  std::string_view line = input.substr(kWord.size(), end - kWord.size());
  if (std::ranges::count(line, ' ') != 4) {
    // What follows UNKNOWN is to be ignored (§2.1).
    return take_word(line) == "UNKNOWN" ? header : bad(ProxyHeaderError::bad_line);
  }
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") return header;
  if (family != "TCP4" && family != "TCP6") return bad(ProxyHeaderError::bad_line);
  const auto parse = family == "TCP4" ? parse_ipv4 : parse_ipv6;
  const auto source = parse(take_word(line));
  const auto destination = parse(take_word(line));
  if (!source || !destination) return bad(ProxyHeaderError::bad_address);
  const auto source_port = parse_port(take_word(line));
  const auto destination_port = parse_port(line);
  if (!source_port || !destination_port) return bad(ProxyHeaderError::bad_port);
  header.source = ProxySource::ip;
  header.address = *source;
  header.port = *source_port;
  return header;
}

// The addresses of a family: how many bytes both and their ports have (§2.2).
std::size_t address_bytes(unsigned family) {
  constexpr std::array<std::size_t, 4> kBytes{0, 12, 36, 216};
  return kBytes[family];
}

ProxyHeader parse_binary(ConstBytes input) {
  if (input.size() < kSignature.size() + 1) return need_more();
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(input[at]); };
  const unsigned command = byte(12) & 0x0F;
  if (byte(12) >> 4 != 2) return bad(ProxyHeaderError::bad_version);
  if (command > 1) return bad(ProxyHeaderError::bad_command);
  if (input.size() < kFixedBytes) return need_more();
  const std::size_t length = byte(14) << 8 | byte(15);
  if (kFixedBytes + length > kMaxProxyHeaderBytes) return bad(ProxyHeaderError::too_long);
  const unsigned family = byte(13) >> 4;
  const unsigned kind = byte(13) & 0x0F;
  const bool proxied = command == 1;  // the family of LOCAL is to be ignored
  if (proxied && (family > 3 || kind > 2 || (family > 0 && kind != 1)))
    return bad(ProxyHeaderError::bad_family);
  if (proxied && length < address_bytes(family)) return bad(ProxyHeaderError::too_short);
  if (input.size() < kFixedBytes + length) return need_more();
  ProxyHeader header{.status = ProxyParse::ok, .consumed = kFixedBytes + length};
  if (!proxied || family == 0) return header;
  if (family == 3) {
    header.source = ProxySource::unix_domain;
    return header;
  }
  header.source = ProxySource::ip;
  const ConstBytes addresses = input.subspan(kFixedBytes, length);
  header.address =
      family == 1 ? ipv4_address(addresses.first<4>()) : ipv6_address(addresses.first<16>());
  // Behind both addresses.
  header.port = big_endian(load<std::uint16_t>(addresses.data() + (family == 1 ? 8 : 32)));
  return header;
}

}  // namespace

ProxyHeader parse_proxy_header(ConstBytes input) {
  const std::string_view text = as_text(input);
  if (text.empty()) return need_more();
  const bool line = text.front() == kWord.front();
  const std::string_view begins = line ? kWord : kSignature;
  if (!may_begin_with(text, begins)) return bad(ProxyHeaderError::no_signature);
  if (text.size() < begins.size()) return need_more();
  return line ? parse_line(text) : parse_binary(input);
}

}  // namespace spate::codec
