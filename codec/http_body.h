// The body of an HTTP/1.1 request (RFC 9112 §6, §7), decoded as it arrives and in place: spans of
// the input that are content, whatever framing stands between them. No allocation, no copy, no
// buffer of its own: every byte is consumed when it is seen.
//
//   Content-Length   ddddddddd
//   chunked          5 ;ext CRLF ddddd CRLF … 0 CRLF trailers CRLF
//
// Chunk extensions and trailers are read over and dropped, each up to a total (RFC 9112 §7.1.1).
// Lines end in CRLF only. A body's size is checked against the limit before its bytes are taken.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/http_error.h"
#include "codec/http_head.h"
#include "core/base.h"

namespace spate::codec {

struct HttpBodyLimits {
  std::uint64_t max_body_bytes = 1024 * 1024;    // content, without chunk framing
  std::uint32_t max_extension_bytes = 4 * 1024;  // of all chunks together
  std::uint32_t max_trailer_bytes = 4 * 1024;    // of all trailer lines together
};

enum class HttpBodyStatus : std::uint8_t { data, need_more, done, bad };

struct [[nodiscard]] HttpBodyResult {
  HttpBodyStatus status;
  HttpError error;  // only when bad
  std::size_t
      consumed;     // of the input, also when more is needed; drop these bytes before the next call
  ConstBytes data;  // only when data: not empty, aliases the input
};

// Trivially copyable, 40 bytes; it may move with its connection between two reads.
class HttpBodyDecoder {
 public:
  HttpBodyDecoder() = default;

  // For the body that `head` announces. Refuses a Content-Length above the limit (body_too_large)
  // here, before "100 Continue" would ask the peer for it.
  [[nodiscard]] HttpError start(const HttpHead& head, const HttpBodyLimits& limits);

  // Call with the unread input again and again, until need_more (all of it was consumed), done
  // (what is left belongs to the next request) or bad. `done` may come with an empty input; after
  // `done` and `bad` the answer stays the same. The content is the same however the input was
  // split, its spans are not.
  HttpBodyResult next(ConstBytes input);

  // Content bytes given out so far.
  std::uint64_t content_bytes() const { return content_bytes_; }

 private:
  enum class State : std::uint8_t {
    content,           // of a Content-Length
    size,              // hexadecimal digits of a chunk's size
    space_after_size,  // white space, then ';'
    extension,
    size_lf,
    chunk_content,
    chunk_cr,
    chunk_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    done,
    bad,
  };

  bool in_content() const { return state_ == State::content || state_ == State::chunk_content; }
  HttpBodyResult take_content(ConstBytes input, std::size_t at);
  HttpError step(char c);
  HttpError step_size(char c);
  HttpError step_chunk_end(char c);
  HttpError step_trailer(char c);

  std::uint64_t remaining_ = 0;  // of the content or chunk; while its size is read, the size so far
  std::uint64_t content_bytes_ = 0;
  std::uint64_t max_body_bytes_ = 0;
  std::uint32_t extension_room_ = 0;
  std::uint32_t trailer_room_ = 0;
  std::uint8_t size_digits_ = 0;
  State state_ = State::done;
  HttpError error_ = HttpError::none;
};

}  // namespace spate::codec
