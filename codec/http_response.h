// Response heads (RFC 9112 §4), written into the caller's span. No allocation. The status line says
// HTTP/1.1 whatever the request said (RFC 9110 §2.5).
//
//   HttpResponseWriter response(buffer, 200);
//   response.header("Content-Type",
//   "text/plain").content_length(5).connection(keep_alive).body("hello"); const std::size_t bytes =
//   response.finish();  // 0: it did not fit
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base.h"

namespace spate::codec {

// The phrase for a status (RFC 9110 §15, RFC 6585), or "Unknown": the phrase means nothing to a
// client.
std::string_view reason_phrase(int status);

// Sticky failure: once something does not fit, or a header would break the head (a control
// character in a value, a name that is not a token), all later calls do nothing and finish() says
// 0. Keeps views of nothing after a call returns.
class HttpResponseWriter {
 public:
  // `status` is 100..999.
  HttpResponseWriter(Bytes out, int status);

  HttpResponseWriter& header(std::string_view name, std::string_view value);
  HttpResponseWriter& header(std::string_view name, std::uint64_t value);
  HttpResponseWriter& content_length(std::uint64_t bytes) {
    return header("Content-Length", bytes);
  }
  // `date` as http_date() makes it.
  HttpResponseWriter& date(std::string_view date) { return header("Date", date); }
  HttpResponseWriter& connection(bool keep_alive) {
    return header("Connection", keep_alive ? "keep-alive" : "close");
  }
  // Ends the head and puts content behind it. Without a call finish() ends the head.
  HttpResponseWriter& body(std::string_view content);

  // The bytes written to the span so far, the empty line included; 0 when the response failed.
  [[nodiscard]] std::size_t finish();

 private:
  void append(std::string_view text);

  Bytes out_;
  std::size_t used_ = 0;
  bool failed_ = false;
  bool head_ended_ = false;
};

// IMF-fixdate (RFC 9110 §5.6.7), "Sun, 06 Nov 1994 08:49:37 GMT", of seconds since 1970 (years 1970
// to 9999). Meant to be made once a second.
std::array<char, 29> http_date(std::int64_t unix_seconds);

// A refusal that closes the connection. `remedy` and a line end are the body (left out for HEAD).
struct HttpRefusal {
  int status;
  std::string_view remedy;         // e.g. describe(error).remedy
  bool head_only = false;          // the request was a HEAD
  std::string_view allow = "GET";  // for a 405, which must say what is allowed (RFC 9110 §15.5.6)
  std::string_view date = {};      // as http_date() makes it; no Date when empty
};

// The whole response: status line, Content-Type, Content-Length, Connection: close, body; a 426
// also says `Upgrade: websocket` and `Sec-WebSocket-Version: 13` (RFC 9110 §15.5.22, RFC 6455
// §4.4). Bytes written, or 0 when it did not fit; kRefusalBytes suffice for every remedy in this
// library.
inline constexpr std::size_t kRefusalBytes = 512;
[[nodiscard]] std::size_t write_refusal(Bytes out, const HttpRefusal& refusal);

}  // namespace spate::codec
