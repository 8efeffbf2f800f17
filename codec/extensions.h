// Sec-WebSocket-Extensions (RFC 6455 §9.1), as a client sends it: what it offers, in its order,
// over all its header lines. Pure functions; views alias the head's input; no allocation.
//
//   permessage-deflate; client_max_window_bits; server_max_window_bits="10", x-other
//   ^ name            ^ parameters: each a token, alone or with a value       ^ the next offer
//
// White space is allowed around every token (the grammar is RFC 2616's, with its implied LWS), and
// empty elements of the list are ignored. A value is a token, or a quoted string whose content,
// unescaped, is one.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/http_head.h"

namespace spate::codec {

struct ExtensionOffer {
  std::string_view name;
  std::string_view params;  // from the first semicolon on; well-formed
};

struct ExtensionParam {
  std::string_view name;
  // As sent, without its quotes: a backslash stands for nothing, and the byte behind it for itself.
  // No token is empty, so that neither is the value of a parameter that has one.
  std::string_view value;

  bool has_value() const { return !value.empty(); }
};

// Walks over the offers:
//   for (ExtensionOffer offer; offers.next(offer);) …
// Reads the head as it goes: valid as long as the head is. Copy it to walk again.
class ExtensionOffers {
 public:
  ExtensionOffers() = default;
  explicit ExtensionOffers(const HttpHead& head);

  // False at the end, and at what is malformed: an offer is judged whole before it is given out.
  bool next(ExtensionOffer& out);
  bool malformed() const { return malformed_; }
  // Whether there is a header of this name with something left in it or behind it.
  bool more() const { return header_ != nullptr; }

 private:
  bool fail();

  const HttpHead* head_ = nullptr;
  const HttpHeader* header_ = nullptr;
  std::string_view rest_;
  bool malformed_ = false;
};

// Takes the first parameter off `params` of an offer. False when there is none left.
bool next_extension_param(std::string_view& params, ExtensionParam& out);

// A header of this name that offers nothing is as malformed as one that breaks the grammar.
bool extensions_well_formed(ExtensionOffers offers);

}  // namespace spate::codec
