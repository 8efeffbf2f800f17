// Two passes: the first finds the end of the head with memchr() over line ends, the second reads
// the lines with one 256-entry table. The first keeps a slow drip linear (it starts where it
// stopped) and gives the second a sentinel: it runs over bytes that are known to end in CRLF CRLF
// and checks no bounds.
#include "codec/http_head.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "codec/http_fields.h"
#include "codec/http_syntax.h"

namespace spate::codec {
namespace {

constexpr HttpHeadResult bad(HttpError error) {
  return {HttpParse::bad, error, 0, 0};
}
constexpr HttpHeadResult need_more(std::size_t scanned) {
  return {HttpParse::need_more, HttpError::none, 0, scanned};
}

// What the first bytes alone tell, so that a peer that speaks something else is answered at once:
// waiting for its CRLF CRLF would end in a time-out.
HttpHeadResult check_first_bytes(std::string_view text) {
  const bool empty_line = text.starts_with("\r\n");
  const std::size_t start = empty_line ? 2 : 0;
  if (text.size() <= start) return need_more(0);
  const char first = text[start];
  if (is_http_char(first, kTokenChar)) return {HttpParse::ok, HttpError::none, start, 0};
  if (empty_line) return bad(HttpError::bad_request_line);
  if (first == '\n') return bad(HttpError::bare_lf);
  if (first != '\r' && first != '\x16') return bad(HttpError::bad_method);
  if (text.size() < 2) return need_more(0);
  if (first == '\r') return bad(HttpError::bare_cr);
  return bad(text[1] == '\x03' ? HttpError::tls_on_plain_port : HttpError::bad_method);
}

// Finds the empty line; `consumed` of the result is the length of the head.
HttpHeadResult find_head_end(std::string_view text, const HttpLimits& limits, std::size_t scanned) {
  const std::size_t window = std::min(text.size(), limits.max_head_bytes);
  std::size_t at = std::min(scanned, window);
  while (at < window) {
    const void* hit = std::memchr(text.data() + at, '\n', window - at);
    if (hit == nullptr) break;
    const std::size_t lf = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
    if (lf == 0 || text[lf - 1] != '\r') return bad(HttpError::bare_lf);
    if (lf >= 3 && text[lf - 2] == '\n' && text[lf - 3] == '\r') {
      return {HttpParse::ok, HttpError::none, lf + 1, 0};
    }
    at = lf + 1;
  }
  if (text.size() < limits.max_head_bytes) return need_more(window);
  const bool one_line = text.substr(0, window).find('\n', 2) == std::string_view::npos;
  return bad(one_line ? HttpError::target_too_long : HttpError::head_too_large);
}

const char* skip(const char* at, std::uint8_t classes) {
  while (is_http_char(*at, classes)) ++at;
  return at;
}

// Values are the bulk of a head, so they go 16 bytes at a time where SSE2 is part of the
// architecture. A block is only read when all of it is inside the head.
const char* skip_value(const char* at, [[maybe_unused]] const char* end) {
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, last_control), block);
    const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), control),
                                     _mm_cmpeq_epi8(block, del));
    const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask != 0) return at + std::countr_zero(mask);
  }
#endif
  return skip(at, kValueChar);
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// The error for a byte at which a line's element ended but may not end. A CR is the line's end or
// bare.
HttpError stopped_at(const char* at, HttpError at_line_end, HttpError otherwise) {
  if (*at != '\r') return otherwise;
  return at[1] == '\n' ? at_line_end : HttpError::bare_cr;
}

// HTTP-version and the line's end (RFC 9112 §2.3); `at` moves behind it.
HttpError parse_version(const char*& at, HttpHead& head) {
  constexpr std::string_view kShape = "HTTP/d.d";
  for (std::size_t i = 0; i < kShape.size(); ++i) {  // ends at the line's end at the latest
    const bool fits = kShape[i] == 'd' ? is_http_char(at[i], kDigitChar) : at[i] == kShape[i];
    if (!fits) return stopped_at(at + i, HttpError::bad_version, HttpError::bad_version);
  }
  const char* line_end = at + kShape.size();
  if (line_end[0] != '\r') return HttpError::bad_version;
  if (line_end[1] != '\n') return HttpError::bare_cr;
  if (at[5] != '1' || at[7] > '1') {
    const bool preface = head.method == "PRI" && head.target == "*" && at[5] == '2';
    return preface ? HttpError::http2_preface : HttpError::unsupported_version;
  }
  head.version_minor = at[7] - '0';
  at = line_end + 2;
  return HttpError::none;
}

// method SP request-target SP HTTP-version CRLF (RFC 9112 §3); `at` moves behind it.
HttpError parse_request_line(const char*& at, const HttpLimits& limits, HttpHead& head) {
  const char* method_end = skip(at, kTokenChar);
  if (*method_end != ' ') {
    return stopped_at(method_end, HttpError::bad_request_line, HttpError::bad_method);
  }
  head.method = between(at, method_end);

  const char* target = method_end + 1;
  const char* target_end = skip(target, kTargetChar);
  if (*target_end != ' ') {
    return stopped_at(target_end, HttpError::bad_request_line, HttpError::bad_target);
  }
  head.target = between(target, target_end);
  if (head.target.empty()) return HttpError::bad_request_line;
  if (head.target.size() > limits.max_target_bytes) return HttpError::target_too_long;

  at = target_end + 1;
  return parse_version(at, head);
}

HttpError name_error(const char* at, bool name_is_empty) {
  if (*at == '\r') return at[1] == '\n' ? HttpError::missing_colon : HttpError::bare_cr;
  if (name_is_empty || (*at != ' ' && *at != '\t')) return HttpError::bad_header_name;
  while (*at == ' ' || *at == '\t') ++at;
  return *at == ':' ? HttpError::space_before_colon : HttpError::bad_header_name;
}

// field-name ":" OWS field-value OWS CRLF, until the empty line (RFC 9112 §5).
HttpError parse_header_lines(const char* at, const char* end, const HttpLimits& limits,
                             HttpHead& head) {
  const std::size_t max_headers = std::min(limits.max_headers, kMaxHttpHeaders);
  std::size_t count = 0;
  while (at[0] != '\r' || at[1] != '\n') {
    if (*at == ' ' || *at == '\t') {
      return count == 0 ? HttpError::space_before_first_header : HttpError::obs_fold;
    }
    const char* name_end = skip(at, kTokenChar);
    if (*name_end != ':' || name_end == at) return name_error(name_end, name_end == at);
    const char* value = name_end + 1;
    while (*value == ' ' || *value == '\t') ++value;
    const char* line_end = skip_value(value, end);
    if (line_end[0] != '\r') return HttpError::bad_header_value;
    if (line_end[1] != '\n') return HttpError::bare_cr;
    if (count == max_headers) return HttpError::too_many_headers;
    const char* value_end = line_end;
    while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
    head.header_slots[count++] = {between(at, name_end), between(value, value_end)};
    at = line_end + 2;
  }
  head.header_count = count;
  return HttpError::none;
}

}  // namespace

const HttpHeader* HttpHead::find(std::string_view name, const HttpHeader* after) const {
  const HttpHeader* const end = header_slots.data() + header_count;
  for (const HttpHeader* at = after == nullptr ? header_slots.data() : after + 1; at < end; ++at) {
    if (equals_ignoring_case(at->name, name)) return at;
  }
  return nullptr;
}

HttpHeadResult parse_http_head(ConstBytes input, const HttpLimits& limits, HttpHead& head,
                               std::size_t scanned) {
  head.method = {};  // the last request's bytes may be gone, and a refusal asks for the method
  const std::string_view text = as_text(input);
  const HttpHeadResult first = check_first_bytes(text);
  if (first.status != HttpParse::ok) return first;
  const HttpHeadResult found = find_head_end(text, limits, scanned);
  if (found.status != HttpParse::ok) return found;

  const char* at = text.data() + first.consumed;
  head.header_count = 0;
  HttpError error = parse_request_line(at, limits, head);
  if (error == HttpError::none)
    error = parse_header_lines(at, text.data() + found.consumed, limits, head);
  if (error == HttpError::none) error = resolve_http_fields(head);
  return error == HttpError::none ? found : bad(error);
}

}  // namespace spate::codec
