// The request body: any splitting gives the same content and the same end, spans alias the input,
// and a slow decoder that sees the whole body at once agrees about what is a complete chunked body.
//
// Input: one byte for framing and step, one for the limits (or the length), then the bytes of the
// body.
#include "codec/http_body.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "codec/http_syntax.h"
#include "tests/codec/http_outline.h"

namespace {

using namespace spate;
using codec::HttpBodyDecoder;
using codec::HttpBodyStatus;

struct Body {
  HttpBodyStatus status = HttpBodyStatus::need_more;
  codec::HttpError error = codec::HttpError::none;
  std::string content;
  std::size_t consumed = 0;

  friend bool operator==(const Body&, const Body&) = default;
};

Body decode(HttpBodyDecoder decoder, std::string_view input, std::size_t step) {
  Body body;
  std::size_t at = 0;
  do {
    const std::size_t count = std::min(step, input.size() - at);
    const test::ExactBlock block(input.substr(at, count));
    ConstBytes rest = block.bytes();
    do {
      const auto result = decoder.next(rest);
      SPATE_CHECK(result.consumed <= rest.size());
      body.status = result.status;
      body.error = result.error;
      body.consumed += result.consumed;
      if (result.status == HttpBodyStatus::data) {
        SPATE_CHECK(!result.data.empty() && result.data.data() >= rest.data());
        SPATE_CHECK(result.data.data() + result.data.size() == rest.data() + result.consumed);
        body.content += as_text(result.data);
      }
      rest = rest.subspan(result.consumed);
      SPATE_CHECK(result.status != HttpBodyStatus::need_more || rest.empty());
    } while (body.status == HttpBodyStatus::data);
    at += count;
  } while (body.status == HttpBodyStatus::need_more && at < input.size());
  SPATE_CHECK(decoder.content_bytes() == body.content.size());
  return body;
}

// A line up to CRLF off the front; nothing when there is no CRLF or the line has other control
// bytes.
std::optional<std::string_view> take_line(std::string_view& input) {
  const std::size_t end = input.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = input.substr(0, end);
  if (!codec::all_http_chars(line, codec::kValueChar)) return std::nullopt;
  input.remove_prefix(end + 2);
  return line;
}

// RFC 9112 §7.1.3, with all of the body at hand: the content if a complete body stands at the
// start.
std::optional<std::string> slow_chunked(std::string_view input,
                                        const codec::HttpBodyLimits& limits) {
  std::string content;
  std::size_t extensions = 0;
  while (true) {
    const auto line = take_line(input);
    if (!line) return std::nullopt;
    const std::size_t digits =
        std::min(line->find_first_not_of("0123456789abcdefABCDEF"), line->size());
    const std::string_view extension = line->substr(digits);
    if (digits == 0 || digits > 16) return std::nullopt;
    if (!extension.empty() && !codec::trim_ows(extension).starts_with(';')) return std::nullopt;
    extensions += extension.size();
    const std::uint64_t size = std::stoull(std::string(line->substr(0, digits)), nullptr, 16);
    if (extensions > limits.max_extension_bytes) return std::nullopt;
    if (size > limits.max_body_bytes - content.size()) return std::nullopt;
    if (size == 0) break;
    if (input.size() < size || !input.substr(size).starts_with("\r\n")) return std::nullopt;
    content += input.substr(0, size);
    input.remove_prefix(size + 2);
  }
  for (std::size_t trailers = 0;;) {
    const auto line = take_line(input);
    if (!line) return std::nullopt;
    if (line->empty()) return content;
    trailers += line->size() + 1;  // the CR counts
    if (trailers > limits.max_trailer_bytes) return std::nullopt;
    const std::size_t colon = line->find(':');
    if (colon == std::string_view::npos || !codec::is_token(line->substr(0, colon))) {
      return std::nullopt;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool chunked = (data[0] & 0x80) == 0;
  const std::size_t step = (data[0] & 0x7f) + 1U;
  codec::HttpBodyLimits limits;
  if ((data[1] & 1) != 0) limits.max_body_bytes = data[1];
  if ((data[1] & 2) != 0) limits.max_extension_bytes = data[1] / 8;
  if ((data[1] & 4) != 0) limits.max_trailer_bytes = data[1] / 8;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);

  codec::HttpHead head;
  head.body = chunked ? codec::HttpBodyFraming::chunked : codec::HttpBodyFraming::content_length;
  head.content_length = data[1];
  HttpBodyDecoder decoder;
  const codec::HttpError refused = decoder.start(head, limits);
  SPATE_CHECK(refused == codec::HttpError::none || head.content_length > limits.max_body_bytes);

  const Body whole = decode(decoder, input, input.size());
  SPATE_CHECK(decode(decoder, input, step) == whole);
  SPATE_CHECK(whole.content.size() <= limits.max_body_bytes);
  if (chunked) {
    const auto slow = slow_chunked(input, limits);
    SPATE_CHECK(slow.has_value() == (whole.status == HttpBodyStatus::done));
    SPATE_CHECK(!slow || *slow == whole.content);
  } else if (whole.status == HttpBodyStatus::done) {
    SPATE_CHECK(whole.content == input.substr(0, head.content_length));
  }
  return 0;
}
