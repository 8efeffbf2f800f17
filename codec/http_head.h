// The request head of HTTP/1.1 (RFC 9112 §2–§6), parsed in place: either it is all there and is
// consumed, or more bytes are needed, or it is bad; outputs alias the input; nothing is allocated.
//
//   GET /chat?room=1 HTTP/1.1 CRLF          request line: method, target, version
//   Host: example.com CRLF                  header lines, at most 64
//   CRLF                                    the head ends here; `consumed` is the length up to here
//
// Strict: what RFC 9112 lets a server repair (bare LF, folded lines, white space before the colon)
// is refused, because another parser in front of this one may repair it differently (request
// smuggling). One CRLF before the request line is skipped (RFC 9112 §2.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "codec/http_error.h"
#include "core/base.h"

namespace spate::codec {

inline constexpr std::size_t kMaxHttpHeaders = 64;

struct HttpLimits {
  std::size_t max_head_bytes = 16 * 1024;  // request line, headers and the empty line
  std::size_t max_target_bytes = 8 * 1024;
  std::size_t max_headers = kMaxHttpHeaders;  // not above kMaxHttpHeaders
};

struct HttpHeader {
  std::string_view name;   // as sent
  std::string_view value;  // without white space around it; may be empty
};

// How long the body is (RFC 9112 §6.3). A Content-Length of 0 is `none`.
enum class HttpBodyFraming : std::uint8_t { none, content_length, chunked };

// A parsed request head. Views alias the input and die with it (one exception: `path`, see there).
// About 2 KiB: keep one and parse into it again and again. Only after HttpParse::ok is it whole;
// after bad, `method` alone is good: that of the refused request (a HEAD's refusal has no body), or
// empty.
struct HttpHead {
  std::string_view method;  // case-sensitive (RFC 9110 §9.1)
  std::string_view target;  // as sent
  // Of the target, not percent-decoded. "*" for OPTIONS *, empty for CONNECT. When an absolute-form
  // target has no path, this is a constant "/" outside the input.
  std::string_view path;
  std::string_view query;  // without the '?'
  // host[:port], of an absolute-form target or else of Host; empty only when HTTP/1.0 sends none.
  std::string_view host;
  int version_minor = 1;            // HTTP/1.0 or HTTP/1.1
  bool keep_alive = false;          // the peer wants to go on after this request (RFC 9112 §9.3)
  bool expect_continue = false;     // the peer waits for "100 Continue" before it sends the body
  bool upgrade_websocket = false;   // Upgrade lists "websocket"
  bool connection_upgrade = false;  // Connection lists "upgrade"
  HttpBodyFraming body = HttpBodyFraming::none;
  std::uint64_t content_length = 0;
  std::size_t header_count = 0;
  std::array<HttpHeader, kMaxHttpHeaders> header_slots;  // the first header_count are valid

  std::span<const HttpHeader> headers() const { return {header_slots.data(), header_count}; }
  // The first header of this name (case ignored) behind `after`, or null: pass the last result to
  // walk over repeated headers.
  const HttpHeader* find(std::string_view name, const HttpHeader* after = nullptr) const;
};

enum class HttpParse : std::uint8_t { ok, need_more, bad };

struct [[nodiscard]] HttpHeadResult {
  HttpParse status;
  HttpError error;       // only when bad
  std::size_t consumed;  // only when ok: the bytes of the head; the body or the next request follow
  std::size_t scanned;   // only when need_more: give it back with the next call
};

// Parses the head at the start of `input`. After need_more call again with the same bytes and more
// behind them (they may have moved) and with `scanned` from the last result: then a head that
// arrives byte by byte costs linear time. The outcome does not depend on how the bytes were split.
HttpHeadResult parse_http_head(ConstBytes input, const HttpLimits& limits, HttpHead& head,
                               std::size_t scanned = 0);

}  // namespace spate::codec
