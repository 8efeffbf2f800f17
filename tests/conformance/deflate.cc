#include "tests/conformance/deflate.h"

#include <cstdlib>

namespace spate::tests {
namespace {

constexpr std::string_view kTail("\0\0\xFF\xFF", 4);

void require(bool held) {
  if (!held) std::abort();
}

Bytef* bytes_of(const char* text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

}  // namespace

Compression::Compression(int window_bits, int level) {
  require(deflateInit2(&stream_, level, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
}

Compression::~Compression() {
  (void)deflateEnd(&stream_);
}

std::string Compression::deflate(std::string_view message) {
  std::string out(message.size() + message.size() / 8 + 64, '\0');
  stream_.next_in = bytes_of(message.data());
  stream_.avail_in = static_cast<uInt>(message.size());
  stream_.next_out = bytes_of(out.data());
  stream_.avail_out = static_cast<uInt>(out.size());
  require(::deflate(&stream_, Z_SYNC_FLUSH) == Z_OK && stream_.avail_out > 0);
  out.resize(out.size() - stream_.avail_out);
  require(out.ends_with(kTail));
  out.resize(out.size() - kTail.size());
  return out;
}

std::string deflated(std::string_view message, int window_bits, int level) {
  return Compression(window_bits, level).deflate(message);
}

Inflation::Inflation(std::string_view answer)
    : remembers_(answer.find("server_no_context_takeover") == std::string_view::npos) {
  constexpr std::string_view kWindow = "server_max_window_bits=";
  int bits = 15;
  if (const std::size_t at = answer.find(kWindow); at != std::string_view::npos)
    bits = std::atoi(std::string(answer.substr(at + kWindow.size())).c_str());
  require(inflateInit2(&stream_, -bits) == Z_OK);
}

Inflation::~Inflation() {
  (void)inflateEnd(&stream_);
}

std::optional<std::string> Inflation::inflate(std::string_view payload) {
  if (!remembers_) require(inflateReset(&stream_) == Z_OK);
  const std::string in = std::string(payload) + std::string(kTail);
  stream_.next_in = bytes_of(in.data());
  stream_.avail_in = static_cast<uInt>(in.size());
  std::string out;
  for (bool more = true; more;) {
    char piece[16384];
    stream_.next_out = bytes_of(piece);
    stream_.avail_out = sizeof piece;
    const int result = ::inflate(&stream_, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_BUF_ERROR) return {};
    out.append(piece, sizeof piece - stream_.avail_out);
    // Asked before another call with nothing to read, which would forget it.
    if (stream_.avail_in == 0 && stream_.data_type == 128) return out;
    more = stream_.avail_out == 0;
  }
  return {};
}

}  // namespace spate::tests
