// The request head: any splitting of the bytes gives the same outcome, what is accepted aliases the
// input, and an accepted head written out again parses to the same.
//
// Input: one byte that chooses the step of the split feed and the limits, then the bytes of the
// head.
#include "codec/http_head.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "tests/codec/http_outline.h"

namespace {

using namespace spate;
using codec::HttpHead;
using codec::HttpParse;

bool inside(std::string_view part, ConstBytes whole) {
  const auto* begin = reinterpret_cast<const std::byte*>(part.data());
  return part.empty() ||
         (begin >= whole.data() && begin + part.size() <= whole.data() + whole.size());
}

void check_aliases(const HttpHead& head, ConstBytes consumed) {
  SPATE_CHECK(inside(head.method, consumed));
  SPATE_CHECK(inside(head.target, consumed));
  const bool constant_path = head.path == "/" && head.target.find("://") != std::string_view::npos;
  SPATE_CHECK(inside(head.path, consumed) || constant_path);
  SPATE_CHECK(inside(head.query, consumed));
  SPATE_CHECK(inside(head.host, consumed));
  for (const codec::HttpHeader& header : head.headers()) {
    SPATE_CHECK(inside(header.name, consumed) && inside(header.value, consumed));
    SPATE_CHECK(head.find(header.name) <= &header);
  }
}

std::string written(const HttpHead& head) {
  std::string text = std::string(head.method) + " " + std::string(head.target) + " HTTP/1." +
                     std::to_string(head.version_minor) + "\r\n";
  for (const codec::HttpHeader& header : head.headers()) {
    text += std::string(header.name) + ": " + std::string(header.value) + "\r\n";
  }
  return text + "\r\n";
}

// Feeds growing prefixes, each in a block of its own, until one is decided.
void check_steps(std::string_view input, std::size_t step, const codec::HttpLimits& limits,
                 const codec::HttpHeadResult& whole, const std::string& whole_outline) {
  HttpHead head;
  std::size_t scanned = 0;
  for (std::size_t length = std::min(step, input.size());;
       length = std::min(length + step, input.size())) {
    const test::ExactBlock block(input.substr(0, length));
    const auto result = codec::parse_http_head(block.bytes(), limits, head, scanned);
    SPATE_CHECK(result.scanned <= length);
    scanned = result.scanned;
    if (result.status == HttpParse::need_more && length < input.size()) continue;
    SPATE_CHECK(result.status == whole.status && result.error == whole.error);
    SPATE_CHECK(result.consumed == whole.consumed);
    const bool ok = result.status == HttpParse::ok;
    SPATE_CHECK((ok ? test::outline(head) : head.method) == whole_outline);
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = (data[0] & 0x7f) + 1U;
  codec::HttpLimits limits;
  if ((data[0] & 0x80) != 0)
    limits = {.max_head_bytes = 200, .max_target_bytes = 40, .max_headers = 4};
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);

  const test::ExactBlock block(input);
  HttpHead head;
  const auto whole = codec::parse_http_head(block.bytes(), limits, head);
  SPATE_CHECK((whole.status == HttpParse::bad) == (whole.error != codec::HttpError::none));
  SPATE_CHECK(whole.status != HttpParse::need_more || input.size() < limits.max_head_bytes);
  std::string outline(head.method);
  SPATE_CHECK(inside(head.method, block.bytes()));
  if (whole.status == HttpParse::ok) {
    outline = test::outline(head);
    SPATE_CHECK(whole.consumed <= std::min(input.size(), limits.max_head_bytes));
    check_aliases(head, block.bytes().first(whole.consumed));
    const std::string again = written(head);
    HttpHead second;
    // Writing adds a space to ": " where there was none, so the limit on the head does not apply.
    const codec::HttpLimits wide{.max_head_bytes = again.size()};
    const auto result = codec::parse_http_head(as_bytes(again), wide, second);
    SPATE_CHECK(result.status == HttpParse::ok && result.consumed == again.size());
    SPATE_CHECK(test::outline(second) == outline);
  }
  check_steps(input, step, limits, whole, outline);
  return 0;
}
