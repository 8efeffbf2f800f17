// Which pages may open a WebSocket here (RFC 6455 §4.2.2 step 4, §10.2). A browser states the
// page's Origin and cannot lie about it; other clients can, so this protects users of browsers and
// nothing else.
#pragma once

#include <span>
#include <string_view>

namespace spate::codec {

// Does the origin name the host that the request was sent to? `origin` is scheme "://" host [":"
// port] (RFC 6454 §7), `host` is host [":" port]; case is ignored, and a port left out on either
// side is the default of the origin's scheme (http 80, https 443): behind a TLS proxy the scheme
// seen here is not the one the page was loaded with. "null" and origins of other schemes are never
// the same.
[[nodiscard]] bool is_same_origin(std::string_view origin, std::string_view host);

// '*' stands for any run of characters, also an empty one; everything else for itself, case
// ignored. Costs at most text × pattern, whatever the number of stars.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text);

// The rule of a server: without patterns the same origin, with patterns any of them ("*" is all). A
// request without an Origin is not from a browser's page and is not asked here.
[[nodiscard]] bool is_origin_allowed(std::string_view origin, std::string_view host,
                                     std::span<const std::string_view> patterns);

}  // namespace spate::codec
