// What can be wrong with an HTTP/1.1 request, one value per clause, and what to tell the peer.
// Errors of the head and of the body share one table: a server answers both in the same way, with
// the status, the remedy as the response body, and a close (after any of these the framing is not
// trusted).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace spate::codec {

enum class HttpError : std::uint8_t {
  none,
  // the start of the connection
  tls_on_plain_port,
  http2_preface,
  // sizes
  head_too_large,
  target_too_long,
  too_many_headers,
  // lines
  bare_lf,
  bare_cr,
  // request line
  bad_method,
  bad_request_line,
  bad_target,
  wrong_target_form,
  bad_version,
  unsupported_version,
  // header lines
  space_before_first_header,
  obs_fold,
  bad_header_name,
  space_before_colon,
  missing_colon,
  bad_header_value,
  // Host
  missing_host,
  repeated_host,
  bad_host,
  // framing
  bad_content_length,
  repeated_content_length,
  length_and_transfer_encoding,
  transfer_encoding_on_http10,
  bad_transfer_encoding,
  unknown_transfer_coding,
  unsupported_expectation,
  // body
  body_too_large,
  bad_chunk_size,
  chunk_extension_too_long,
  bad_chunk_extension,
  bad_chunk_end,
  trailer_too_large,
  bad_trailer,
};

struct HttpErrorInfo {
  HttpError error;
  std::string_view name;    // the enumerator, for logs and metric labels
  int status;               // RFC 9110 §15
  std::string_view clause;  // where the rule stands
  std::string_view remedy;  // one sentence for the response body and the log
};

inline constexpr auto kHttpErrors = std::to_array<HttpErrorInfo>({
    {HttpError::none, "none", 200, "", ""},
    {HttpError::tls_on_plain_port, "tls_on_plain_port", 400, "RFC 9110 §4.2.2",
     "This port speaks plain HTTP: use http:// or ws://, or connect to the TLS port."},
    {HttpError::http2_preface, "http2_preface", 505, "RFC 9113 §3.4",
     "This server speaks HTTP/1.1 only: disable HTTP/2 with prior knowledge."},
    {HttpError::head_too_large, "head_too_large", 431, "RFC 6585 §5",
     "The request line and headers together are too long: send fewer or smaller cookies and "
     "headers."},
    {HttpError::target_too_long, "target_too_long", 414, "RFC 9110 §15.5.15",
     "The request target is too long: send the data in a request body."},
    {HttpError::too_many_headers, "too_many_headers", 431, "RFC 6585 §5",
     "The request has too many header lines: send fewer."},
    {HttpError::bare_lf, "bare_lf", 400, "RFC 9112 §2.2",
     "A line ended with LF alone: end lines with CRLF."},
    {HttpError::bare_cr, "bare_cr", 400, "RFC 9112 §2.2",
     "A CR was not followed by LF: end lines with CRLF."},
    {HttpError::bad_method, "bad_method", 400, "RFC 9112 §3.1",
     "The request does not begin with a method: is the client speaking HTTP?"},
    {HttpError::bad_request_line, "bad_request_line", 400, "RFC 9112 §3",
     "Write the request line as method, target and version with one space between them."},
    {HttpError::bad_target, "bad_target", 400, "RFC 9112 §3.2",
     "Percent-encode everything in the request target but visible ASCII, and leave out fragment "
     "and "
     "user information."},
    {HttpError::wrong_target_form, "wrong_target_form", 400, "RFC 9112 §3.2",
     "This form of request target does not go with this method: use a path."},
    {HttpError::bad_version, "bad_version", 400, "RFC 9112 §2.3",
     "The request line does not end in HTTP/1.1."},
    {HttpError::unsupported_version, "unsupported_version", 505, "RFC 9110 §15.6.6",
     "Use HTTP/1.1."},
    {HttpError::space_before_first_header, "space_before_first_header", 400, "RFC 9112 §2.2",
     "Remove the white space between the request line and the first header."},
    {HttpError::obs_fold, "obs_fold", 400, "RFC 9112 §5.2",
     "Write each header on one line: folded lines are refused."},
    {HttpError::bad_header_name, "bad_header_name", 400, "RFC 9112 §5.1",
     "A header name is empty or has a character that is not allowed."},
    {HttpError::space_before_colon, "space_before_colon", 400, "RFC 9112 §5.1",
     "Remove the white space between header name and colon."},
    {HttpError::missing_colon, "missing_colon", 400, "RFC 9112 §5", "A header line has no colon."},
    {HttpError::bad_header_value, "bad_header_value", 400, "RFC 9110 §5.5",
     "A header value has a control character."},
    {HttpError::missing_host, "missing_host", 400, "RFC 9112 §3.2", "Send a Host header."},
    {HttpError::repeated_host, "repeated_host", 400, "RFC 9112 §3.2",
     "Send exactly one Host header."},
    {HttpError::bad_host, "bad_host", 400, "RFC 9112 §3.2",
     "The host must be a name or an address with an optional port."},
    {HttpError::bad_content_length, "bad_content_length", 400, "RFC 9112 §6.3",
     "Content-Length must be one decimal number."},
    {HttpError::repeated_content_length, "repeated_content_length", 400, "RFC 9112 §6.3",
     "Send Content-Length once."},
    {HttpError::length_and_transfer_encoding, "length_and_transfer_encoding", 400, "RFC 9112 §6.1",
     "Send either Content-Length or Transfer-Encoding, not both."},
    {HttpError::transfer_encoding_on_http10, "transfer_encoding_on_http10", 400, "RFC 9112 §6.1",
     "HTTP/1.0 has no Transfer-Encoding: send Content-Length or use HTTP/1.1."},
    {HttpError::bad_transfer_encoding, "bad_transfer_encoding", 400, "RFC 9112 §6.3",
     "The last transfer coding must be chunked, once and without parameters."},
    {HttpError::unknown_transfer_coding, "unknown_transfer_coding", 501, "RFC 9112 §6.1",
     "The only transfer coding understood is chunked."},
    {HttpError::unsupported_expectation, "unsupported_expectation", 417, "RFC 9110 §10.1.1",
     "The only expectation understood is 100-continue."},
    {HttpError::body_too_large, "body_too_large", 413, "RFC 9110 §15.5.14",
     "The request body is larger than this server accepts."},
    {HttpError::bad_chunk_size, "bad_chunk_size", 400, "RFC 9112 §7.1",
     "A chunk must begin with its size in hexadecimal and CRLF."},
    {HttpError::chunk_extension_too_long, "chunk_extension_too_long", 400, "RFC 9112 §7.1.1",
     "The chunk extensions together are too long: leave them out."},
    {HttpError::bad_chunk_extension, "bad_chunk_extension", 400, "RFC 9112 §7.1.1",
     "A chunk extension has a control character."},
    {HttpError::bad_chunk_end, "bad_chunk_end", 400, "RFC 9112 §7.1",
     "A chunk's data must be followed by CRLF: is the chunk size right?"},
    {HttpError::trailer_too_large, "trailer_too_large", 431, "RFC 6585 §5",
     "The trailer section is too long: leave it out."},
    {HttpError::bad_trailer, "bad_trailer", 400, "RFC 9112 §7.1.2",
     "A trailer line is not written as a header line."},
});

constexpr const HttpErrorInfo& describe(HttpError error) {
  return kHttpErrors[static_cast<std::size_t>(error)];
}

static_assert(
    [] {
      for (std::size_t i = 0; i < kHttpErrors.size(); ++i) {
        if (static_cast<std::size_t>(kHttpErrors[i].error) != i) return false;
      }
      return kHttpErrors.back().error == HttpError::bad_trailer;
    }(),
    "the table has one row per error, in the order of the enum");

}  // namespace spate::codec
