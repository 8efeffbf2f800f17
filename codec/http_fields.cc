// One walk over the headers, told apart by the length of their names before any character is
// compared: the six names that matter here have six different lengths.
#include "codec/http_fields.h"

#include "codec/http_syntax.h"

namespace spate::codec {
namespace {

// What the walk over the headers gathers.
struct Gathered {
  std::string_view host;
  bool host_seen = false;
  bool close = false;
  bool keep_alive = false;
  bool length_seen = false;
  bool transfer_encoding_seen = false;
  bool chunked = false;         // the last coding so far is chunked
  bool unknown_coding = false;  // some coding before it is not understood
  bool expect_continue = false;
};

HttpError take_host(std::string_view value, Gathered& gathered) {
  if (gathered.host_seen) return HttpError::repeated_host;
  gathered.host_seen = true;
  gathered.host = value;
  return is_valid_host(value) ? HttpError::none : HttpError::bad_host;
}

// Digits only: no sign, no list, no white space inside, nothing that overflows (RFC 9110 §8.6).
// Also a repetition of the same value is refused: no honest client sends one.
HttpError take_content_length(std::string_view value, HttpHead& head, Gathered& gathered) {
  if (gathered.length_seen) return HttpError::repeated_content_length;
  gathered.length_seen = true;
  constexpr std::size_t kMaxDigits = 19;  // 10^19 - 1 is below 2^64
  if (value.empty() || value.size() > kMaxDigits) return HttpError::bad_content_length;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (!is_http_char(c, kDigitChar)) return HttpError::bad_content_length;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  head.content_length = length;
  return HttpError::none;
}

// RFC 9112 §6.1, §7: the codings of all Transfer-Encoding headers form one list.
HttpError take_transfer_encoding(std::string_view list, Gathered& gathered) {
  gathered.transfer_encoding_seen = true;
  bool any = false;
  for (auto coding = next_list_element(list); !coding.empty(); coding = next_list_element(list)) {
    any = true;
    if (gathered.chunked) return HttpError::bad_transfer_encoding;
    gathered.chunked = equals_ignoring_case(coding, "chunked");
    if (!gathered.chunked) {
      if (!is_token(coding.substr(0, coding.find(';')))) return HttpError::bad_transfer_encoding;
      gathered.unknown_coding = true;
    }
  }
  return any ? HttpError::none : HttpError::bad_transfer_encoding;
}

void take_connection(std::string_view list, HttpHead& head, Gathered& gathered) {
  for (auto option = next_list_element(list); !option.empty(); option = next_list_element(list)) {
    if (equals_ignoring_case(option, "close")) gathered.close = true;
    if (equals_ignoring_case(option, "keep-alive")) gathered.keep_alive = true;
    if (equals_ignoring_case(option, "upgrade")) head.connection_upgrade = true;
  }
}

void take_upgrade(std::string_view list, HttpHead& head) {
  for (auto name = next_list_element(list); !name.empty(); name = next_list_element(list)) {
    if (equals_ignoring_case(name, "websocket")) head.upgrade_websocket = true;
  }
}

HttpError take_expect(std::string_view value, const HttpHead& head, Gathered& gathered) {
  if (head.version_minor == 0) return HttpError::none;  // RFC 9110 §10.1.1: to be ignored
  if (!equals_ignoring_case(value, "100-continue")) return HttpError::unsupported_expectation;
  gathered.expect_continue = true;
  return HttpError::none;
}

HttpError take_header(const HttpHeader& header, HttpHead& head, Gathered& gathered) {
  const auto is = [&header](std::string_view name) {
    return equals_ignoring_case(header.name, name);
  };
  switch (header.name.size()) {
    case 4:
      return is("host") ? take_host(header.value, gathered) : HttpError::none;
    case 6:
      return is("expect") ? take_expect(header.value, head, gathered) : HttpError::none;
    case 7:
      if (is("upgrade")) take_upgrade(header.value, head);
      return HttpError::none;
    case 10:
      if (is("connection")) take_connection(header.value, head, gathered);
      return HttpError::none;
    case 14:
      return is("content-length") ? take_content_length(header.value, head, gathered)
                                  : HttpError::none;
    case 17:
      return is("transfer-encoding") ? take_transfer_encoding(header.value, gathered)
                                     : HttpError::none;
    default:
      return HttpError::none;
  }
}

// RFC 9112 §6.3. What is ambiguous is refused, whoever would win by the letter.
HttpError resolve_framing(const Gathered& gathered, HttpHead& head) {
  if (gathered.transfer_encoding_seen) {
    if (head.version_minor == 0) return HttpError::transfer_encoding_on_http10;
    if (gathered.length_seen) return HttpError::length_and_transfer_encoding;
    if (!gathered.chunked) return HttpError::bad_transfer_encoding;
    if (gathered.unknown_coding) return HttpError::unknown_transfer_coding;
    head.body = HttpBodyFraming::chunked;
  } else if (head.content_length > 0) {
    head.body = HttpBodyFraming::content_length;
  }
  return HttpError::none;
}

void split_query(std::string_view path_and_query, HttpHead& head) {
  const std::size_t mark = path_and_query.find('?');
  head.path = path_and_query.substr(0, mark);
  if (mark != std::string_view::npos) head.query = path_and_query.substr(mark + 1);
}

// absolute-form (RFC 9112 §3.2.2): scheme "://" authority path-abempty ["?" query]
HttpError resolve_absolute_form(std::string_view target, HttpHead& head) {
  const std::size_t colon = target.find(':');
  if (colon == std::string_view::npos) return HttpError::bad_target;
  const std::string_view scheme = target.substr(0, colon);
  const bool is_http =
      equals_ignoring_case(scheme, "http") || equals_ignoring_case(scheme, "https");
  if (!is_http || !target.substr(colon).starts_with("://")) return HttpError::bad_target;
  const std::string_view rest = target.substr(colon + 3);
  const std::size_t authority_end = rest.find_first_of("/?");
  head.host = rest.substr(0, authority_end);
  // RFC 9110 §4.2.4: user information in a request is an error, and is_valid_host() knows no '@'.
  if (!is_valid_host(head.host)) return HttpError::bad_target;
  if (authority_end != std::string_view::npos) split_query(rest.substr(authority_end), head);
  if (head.path.empty()) head.path = "/";
  return HttpError::none;
}

// The four forms of request-target (RFC 9112 §3.2) and the methods they go with.
HttpError resolve_target(HttpHead& head) {
  const std::string_view target = head.target;
  if (head.method == "CONNECT") {
    head.host = target;
    const bool has_port = !target.empty() && is_http_char(target.back(), kDigitChar) &&
                          target.find(':') != std::string_view::npos;
    return has_port && is_valid_host(target) ? HttpError::none : HttpError::wrong_target_form;
  }
  if (target.front() == '/') {
    split_query(target, head);
    return HttpError::none;
  }
  if (target == "*") {
    head.path = target;
    return head.method == "OPTIONS" ? HttpError::none : HttpError::wrong_target_form;
  }
  return resolve_absolute_form(target, head);
}

bool is_valid_port(std::string_view port) {
  if (port.size() > 5 || !all_http_chars(port, kDigitChar)) return false;
  unsigned value = 0;
  for (const char c : port) value = value * 10 + static_cast<unsigned>(c - '0');
  return value <= 65535;
}

}  // namespace

bool is_valid_host(std::string_view host) {
  std::size_t name_end = 0;
  if (host.starts_with('[')) {
    name_end = host.find(']');
    if (name_end == std::string_view::npos || name_end < 3) return false;  // "[::]" is the shortest
    for (const char c : host.substr(1, name_end - 1)) {
      if (!is_http_char(c, kHexChar) && c != ':' && c != '.') return false;
    }
    ++name_end;
  } else {
    while (name_end < host.size() && is_http_char(host[name_end], kRegNameChar)) {
      if (host[name_end] == '%' &&
          (host.size() - name_end < 3 || !all_http_chars(host.substr(name_end + 1, 2), kHexChar))) {
        return false;
      }
      ++name_end;
    }
    if (name_end == 0) return false;
  }
  if (name_end == host.size()) return true;
  return host[name_end] == ':' && is_valid_port(host.substr(name_end + 1));
}

HttpError resolve_http_fields(HttpHead& head) {
  head.path = head.query = head.host = {};
  head.keep_alive = head.expect_continue = false;
  head.upgrade_websocket = head.connection_upgrade = false;
  head.body = HttpBodyFraming::none;
  head.content_length = 0;

  HttpError error = resolve_target(head);
  Gathered gathered;
  for (const HttpHeader& header : head.headers()) {
    if (error != HttpError::none) return error;
    error = take_header(header, head, gathered);
  }
  if (error != HttpError::none) return error;

  if (!gathered.host_seen && head.version_minor == 1) return HttpError::missing_host;
  if (head.host.empty()) head.host = gathered.host;  // an absolute-form target has said it already
  head.keep_alive = !gathered.close && (head.version_minor == 1 || gathered.keep_alive);
  error = resolve_framing(gathered, head);
  head.expect_continue = gathered.expect_continue && head.body != HttpBodyFraming::none;
  return error;
}

}  // namespace spate::codec
