// A state machine that takes framing a byte at a time and content a span at a time. Framing is a
// few bytes a chunk; searching it in larger steps would need bytes kept back, and with them a
// buffer.
#include "codec/http_body.h"

#include <algorithm>

#include "codec/http_syntax.h"

namespace spate::codec {
namespace {

unsigned hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  return static_cast<unsigned>(ascii_lower(c) - 'a') + 10;
}

}  // namespace

HttpError HttpBodyDecoder::start(const HttpHead& head, const HttpBodyLimits& limits) {
  *this = {};
  max_body_bytes_ = limits.max_body_bytes;
  extension_room_ = limits.max_extension_bytes;
  trailer_room_ = limits.max_trailer_bytes;
  switch (head.body) {
    case HttpBodyFraming::none:
      state_ = State::done;
      break;
    case HttpBodyFraming::content_length:
      remaining_ = head.content_length;
      state_ = remaining_ == 0 ? State::done : State::content;
      if (remaining_ > max_body_bytes_) {
        state_ = State::bad;
        error_ = HttpError::body_too_large;
      }
      break;
    case HttpBodyFraming::chunked:
      state_ = State::size;
      break;
  }
  return error_;
}

HttpBodyResult HttpBodyDecoder::take_content(ConstBytes input, std::size_t at) {
  const std::size_t count =
      static_cast<std::size_t>(std::min<std::uint64_t>(input.size() - at, remaining_));
  remaining_ -= count;
  content_bytes_ += count;
  if (remaining_ == 0) state_ = state_ == State::content ? State::done : State::chunk_cr;
  return {HttpBodyStatus::data, HttpError::none, at + count, input.subspan(at, count)};
}

HttpBodyResult HttpBodyDecoder::next(ConstBytes input) {
  std::size_t at = 0;
  while (state_ != State::done && state_ != State::bad) {
    if (at == input.size()) return {HttpBodyStatus::need_more, HttpError::none, at, {}};
    if (in_content()) return take_content(input, at);
    error_ = step(static_cast<char>(input[at]));
    if (error_ != HttpError::none) state_ = State::bad;
    ++at;
  }
  const bool done = state_ == State::done;
  return {done ? HttpBodyStatus::done : HttpBodyStatus::bad, error_, at, {}};
}

HttpError HttpBodyDecoder::step(char c) {
  switch (state_) {
    case State::size:
    case State::space_after_size:
    case State::extension:
      return step_size(c);
    case State::size_lf:
    case State::chunk_cr:
    case State::chunk_lf:
      return step_chunk_end(c);
    default:
      return step_trailer(c);
  }
}

// chunk-size [ chunk-ext ] CR (RFC 9112 §7.1). 16 digits cannot overflow, and a size that the limit
// does not leave room for is refused at the digit that makes it so.
HttpError HttpBodyDecoder::step_size(char c) {
  constexpr std::uint8_t kMaxDigits = 16;
  if (state_ == State::size && is_http_char(c, kHexChar)) {
    if (size_digits_++ == kMaxDigits) return HttpError::bad_chunk_size;
    remaining_ = remaining_ * 16 + hex_value(c);
    const bool fits = remaining_ <= max_body_bytes_ - content_bytes_;
    return fits ? HttpError::none : HttpError::body_too_large;
  }
  if (state_ == State::size && size_digits_ == 0) return HttpError::bad_chunk_size;
  if (c == '\n') return HttpError::bare_lf;
  if (c == '\r' && state_ != State::space_after_size) {
    state_ = State::size_lf;
    return HttpError::none;
  }
  if (extension_room_-- == 0) return HttpError::chunk_extension_too_long;
  if (state_ == State::extension) {
    return is_http_char(c, kValueChar) ? HttpError::none : HttpError::bad_chunk_extension;
  }
  state_ = c == ';' ? State::extension : State::space_after_size;
  return c == ';' || c == ' ' || c == '\t' ? HttpError::none : HttpError::bad_chunk_size;
}

// The line ends around a chunk's content.
HttpError HttpBodyDecoder::step_chunk_end(char c) {
  switch (state_) {
    case State::size_lf:
      if (c != '\n') return HttpError::bare_cr;
      state_ = remaining_ == 0 ? State::trailer_start : State::chunk_content;
      return HttpError::none;
    case State::chunk_cr:
      state_ = State::chunk_lf;
      return c == '\r' ? HttpError::none : HttpError::bad_chunk_end;
    default:  // chunk_lf
      state_ = State::size;
      size_digits_ = 0;
      return c == '\n' ? HttpError::none : HttpError::bad_chunk_end;
  }
}

// *( field-line CRLF ) CRLF (RFC 9112 §7.1.2), by the same strict rules as the head's lines.
HttpError HttpBodyDecoder::step_trailer(char c) {
  if (state_ == State::trailer_start && c == '\r') {
    state_ = State::end_lf;
    return HttpError::none;
  }
  if (state_ == State::end_lf || state_ == State::trailer_lf) {
    state_ = state_ == State::end_lf ? State::done : State::trailer_start;
    return c == '\n' ? HttpError::none : HttpError::bare_cr;
  }
  if (trailer_room_-- == 0) return HttpError::trailer_too_large;
  if (c == '\n') return HttpError::bare_lf;
  if (state_ == State::trailer_value) {
    if (c == '\r') state_ = State::trailer_lf;
    return c == '\r' || is_http_char(c, kValueChar) ? HttpError::none : HttpError::bad_trailer;
  }
  const bool name_ends = state_ == State::trailer_name && c == ':';
  state_ = name_ends ? State::trailer_value : State::trailer_name;
  return name_ends || is_http_char(c, kTokenChar) ? HttpError::none : HttpError::bad_trailer;
}

}  // namespace spate::codec
