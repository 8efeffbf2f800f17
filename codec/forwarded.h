// Who sent a request through which proxies, as these wrote it into the head: X-Forwarded-For, which
// everybody writes, and Forwarded (RFC 7239). Pure; views alias the head; no allocation.
//
//   X-Forwarded-For: client, proxy1, proxy2          each proxy adds whom it was called by
//   Forwarded: for=192.0.2.7;proto=https, for="[2001:db8::1]:4711"
//
// Anybody may send either: only what a trusted proxy added is worth something.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/http_head.h"
#include "codec/ip_address.h"

namespace spate::codec {

enum class ForwardedHeader : std::uint8_t { x_forwarded_for, forwarded, none };

struct ForwardedHop {
  bool known = false;  // an address; else hidden ("unknown", "_secret"), or not to be made out
  IpAddress address{};
  std::uint16_t port = 0;  // 0: not said
};

// The hops over all header lines of that kind, the farthest from us first:
//   for (ForwardedHop hop; hops.next(hop);) …
// A line that breaks the grammar of Forwarded is a hop that is not known from there to its end.
// Reads the head as it goes: valid as long as the head is.
class ForwardedHops {
 public:
  ForwardedHops(const HttpHead& head, ForwardedHeader kind);

  bool next(ForwardedHop& out);

 private:
  bool take_element(ForwardedHop& out);

  const HttpHead& head_;
  const ForwardedHeader kind_;
  const HttpHeader* header_ = nullptr;
  std::string_view rest_;
};

}  // namespace spate::codec
