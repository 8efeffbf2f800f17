// What the lines of a request head mean: request-target forms, Host, persistence, body framing.
// Internal to codec/http_head: users call parse_http_head().
#pragma once

#include <string_view>

#include "codec/http_error.h"
#include "codec/http_head.h"

namespace spate::codec {

// Fills the resolved members of a head whose method, target, version and headers are parsed.
// RFC 9112 §3.2 (target, Host), §6 (framing), §9.3 (persistence); RFC 9110 §10.1.1 (Expect).
[[nodiscard]] HttpError resolve_http_fields(HttpHead& head);

// host[":"port] (RFC 3986 §3.2.2, §3.2.3): a name, an IPv4 address or a bracketed IPv6 address,
// never empty, no user information. The port is at most 65535 and may be empty.
[[nodiscard]] bool is_valid_host(std::string_view host);

}  // namespace spate::codec
