#include "codec/extensions.h"

#include "codec/http_syntax.h"

namespace spate::codec {
namespace {

constexpr std::string_view kExtensionsHeader = "Sec-WebSocket-Extensions";

void skip_space(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

// The byte `c` behind white space.
bool take(std::string_view& text, char c) {
  skip_space(text);
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Empty when there is none.
std::string_view take_token(std::string_view& text) {
  skip_space(text);
  std::size_t bytes = 0;
  while (bytes < text.size() && is_http_char(text[bytes], kTokenChar)) ++bytes;
  const std::string_view token = text.substr(0, bytes);
  text.remove_prefix(bytes);
  return token;
}

// The content of a quoted string whose opening quote was taken; empty when it is no token.
std::string_view take_quoted_token(std::string_view& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      const std::string_view content = text.substr(0, i);
      text.remove_prefix(i + 1);
      return content;
    }
    if (text[i] == '\\') ++i;
    if (i == text.size() || !is_http_char(text[i], kTokenChar)) break;
  }
  return {};
}

enum class Taken : std::uint8_t { param, nothing, bad };

Taken take_param(std::string_view& text, ExtensionParam& out) {
  if (!take(text, ';')) return Taken::nothing;
  out = {take_token(text), {}};
  if (out.name.empty()) return Taken::bad;
  if (!take(text, '=')) return Taken::param;
  out.value = take(text, '"') ? take_quoted_token(text) : take_token(text);
  return out.value.empty() ? Taken::bad : Taken::param;
}

}  // namespace

ExtensionOffers::ExtensionOffers(const HttpHead& head)
    : head_(&head), header_(head.find(kExtensionsHeader)) {
  if (header_ != nullptr) rest_ = header_->value;
}

bool ExtensionOffers::fail() {
  malformed_ = true;
  header_ = nullptr;
  return false;
}

bool ExtensionOffers::next(ExtensionOffer& out) {
  while (header_ != nullptr) {
    while (take(rest_, ',')) {
    }
    if (rest_.empty()) {
      header_ = head_->find(kExtensionsHeader, header_);
      if (header_ != nullptr) rest_ = header_->value;
      continue;
    }
    out.name = take_token(rest_);
    if (out.name.empty()) return fail();
    const std::string_view from = rest_;
    ExtensionParam param;
    Taken taken = Taken::param;
    while (taken == Taken::param) taken = take_param(rest_, param);
    if (taken == Taken::bad) return fail();
    out.params = from.substr(0, from.size() - rest_.size());
    skip_space(rest_);
    return rest_.empty() || rest_.front() == ',' ? true : fail();
  }
  return false;
}

bool next_extension_param(std::string_view& params, ExtensionParam& out) {
  return take_param(params, out) == Taken::param;
}

bool extensions_well_formed(ExtensionOffers offers) {
  if (!offers.more()) return true;
  ExtensionOffer offer;
  bool any = false;
  while (offers.next(offer)) any = true;
  return any && !offers.malformed();
}

}  // namespace spate::codec
