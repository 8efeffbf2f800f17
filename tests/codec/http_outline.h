// What tests and fuzz targets of HTTP share: exact-size input blocks, and a head in one comparable
// line.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "codec/http_head.h"
#include "core/base.h"

namespace spate::test {

// A heap block of exactly the size of its content, so that a sanitizer sees an over-read.
class ExactBlock {
 public:
  explicit ExactBlock(std::string_view content)
      : size_(content.size()), bytes_(std::make_unique<std::byte[]>(content.size())) {
    if (!content.empty()) std::memcpy(bytes_.get(), content.data(), content.size());
  }
  ConstBytes bytes() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
};

// Everything a head says, in one line.
inline std::string outline(const codec::HttpHead& head) {
  std::string text = std::string(head.method) + " " + std::string(head.target) + " 1." +
                     std::to_string(head.version_minor) + " path=" + std::string(head.path) +
                     " query=" + std::string(head.query) + " host=" + std::string(head.host);
  if (head.keep_alive) text += " keep_alive";
  if (head.expect_continue) text += " expect_continue";
  if (head.upgrade_websocket) text += " upgrade_websocket";
  if (head.connection_upgrade) text += " connection_upgrade";
  if (head.body == codec::HttpBodyFraming::chunked) text += " chunked";
  if (head.body == codec::HttpBodyFraming::content_length) {
    text += " length=" + std::to_string(head.content_length);
  }
  for (const codec::HttpHeader& header : head.headers()) {
    text += " [" + std::string(header.name) + "=" + std::string(header.value) + "]";
  }
  return text;
}

}  // namespace spate::test
