#include "codec/forwarded.h"

#include <array>
#include <optional>

#include "codec/http_syntax.h"

namespace spate::codec {

namespace {

constexpr std::size_t kMaxNodeBytes = 64;  // "[" 45 "]:" 5

std::string_view name_of(ForwardedHeader kind) {
  return kind == ForwardedHeader::forwarded ? "Forwarded" : "X-Forwarded-For";
}

void skip_space(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

// RFC 7239 §6, and what others write into X-Forwarded-For: an IPv6 address without brackets.
ForwardedHop parse_node(std::string_view node) {
  ForwardedHop hop;
  std::optional<IpAddress> address;
  std::string_view port;
  if (node.starts_with('[')) {
    const std::size_t end = node.find(']');
    if (end == std::string_view::npos) return hop;
    address = parse_ipv6(node.substr(1, end - 1));
    port = node.substr(end + 1);
  } else if (node.find(':') != node.rfind(':')) {
    address = parse_ipv6(node);
  } else {
    const std::size_t colon = node.find(':');
    address = parse_ipv4(node.substr(0, colon));
    if (colon != std::string_view::npos) port = node.substr(colon);
  }
  if (!address || (!port.empty() && port.front() != ':')) return hop;
  hop = {.known = true, .address = *address};
  // One that is hidden ("_http") says nothing against the address.
  if (!port.empty()) hop.port = parse_port(port.substr(1)).value_or(0);
  return hop;
}

// A parameter's value, without quotes and backslashes.
struct Value {
  std::array<char, kMaxNodeBytes> text;
  std::size_t bytes = 0;
  bool cut = false;

  void add(char c) {
    if (bytes < text.size())
      text[bytes++] = c;
    else
      cut = true;
  }
  std::string_view view() const { return {text.data(), cut ? 0 : bytes}; }
};

bool take_value(std::string_view& text, Value& value) {
  if (!text.starts_with('"')) {
    while (!text.empty() && is_http_char(text.front(), kTokenChar)) {
      value.add(text.front());
      text.remove_prefix(1);
    }
    return value.bytes > 0;
  }
  for (text.remove_prefix(1); !text.empty(); text.remove_prefix(1)) {
    if (text.front() == '"') {
      text.remove_prefix(1);
      return true;
    }
    if (text.front() == '\\') text.remove_prefix(1);
    if (text.empty()) break;
    value.add(text.front());
  }
  return false;
}

// One element of Forwarded (RFC 7239 §4), up to a comma or the end; false when it is malformed.
bool take_forwarded(std::string_view& text, ForwardedHop& hop) {
  bool named = false;
  for (;;) {
    skip_space(text);
    std::size_t bytes = 0;
    while (bytes < text.size() && is_http_char(text[bytes], kTokenChar)) ++bytes;
    const std::string_view name = text.substr(0, bytes);
    text.remove_prefix(bytes);
    if (!name.empty()) {
      Value value;
      if (!text.starts_with('=')) return false;
      text.remove_prefix(1);
      if (!take_value(text, value)) return false;
      if (equals_ignoring_case(name, "for")) {
        if (named) return false;
        named = true;
        hop = parse_node(value.view());
      }
      skip_space(text);
    }
    if (text.empty() || text.front() == ',') return true;
    if (text.front() != ';') return false;
    text.remove_prefix(1);
  }
}

}  // namespace

ForwardedHops::ForwardedHops(const HttpHead& head, ForwardedHeader kind)
    : head_(head), kind_(kind) {
  if (kind != ForwardedHeader::none) header_ = head.find(name_of(kind));
  if (header_ != nullptr) rest_ = header_->value;
}

bool ForwardedHops::next(ForwardedHop& out) {
  while (header_ != nullptr) {
    while (!rest_.empty() &&
           (rest_.front() == ',' || rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);  // empty elements are ignored
    if (!rest_.empty()) return take_element(out);
    header_ = head_.find(name_of(kind_), header_);
    if (header_ != nullptr) rest_ = header_->value;
  }
  return false;
}

bool ForwardedHops::take_element(ForwardedHop& out) {
  out = {};
  if (kind_ == ForwardedHeader::x_forwarded_for) {
    out = parse_node(next_list_element(rest_));
  } else if (!take_forwarded(rest_, out)) {
    out = {};
    rest_ = {};
  }
  return true;
}

}  // namespace spate::codec
