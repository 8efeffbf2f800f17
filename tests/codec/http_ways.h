// Feeds one input to parse_http_head() in every way that bytes can arrive, and checks that the
// outcome is always the same: whole, split at every byte, a byte at a time, and every prefix
// against a PROT_NONE page.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>

#include "codec/http_head.h"
#include "tests/codec/http_outline.h"
#include "tests/guard_page.h"

namespace spate::codec {

// Names instead of numbers in a failure's text.
inline void PrintTo(HttpError error, std::ostream* out) {
  *out << describe(error).name;
}
inline void PrintTo(HttpParse status, std::ostream* out) {
  *out << (status == HttpParse::ok ? "ok" : status == HttpParse::bad ? "bad" : "need_more");
}

}  // namespace spate::codec

namespace spate::test {

struct HeadOutcome {
  codec::HttpParse status;
  codec::HttpError error;
  std::size_t consumed;
  std::string outline;  // when ok; the method alone when not

  friend bool operator==(const HeadOutcome&, const HeadOutcome&) = default;
};

inline HeadOutcome head_outcome(const codec::HttpHeadResult& result, const codec::HttpHead& head) {
  const bool ok = result.status == codec::HttpParse::ok;
  return {result.status, result.error, result.consumed,
          ok ? outline(head) : std::string(head.method)};
}

inline HeadOutcome parse_whole(std::string_view input, const codec::HttpLimits& limits = {}) {
  const ExactBlock block(input);
  codec::HttpHead head;
  const auto result = codec::parse_http_head(block.bytes(), limits, head);
  return head_outcome(result, head);
}

// Parses every prefix with and without what was scanned before; once a prefix is decided, all
// longer ones must say the same. Returns the outcome of the whole.
inline HeadOutcome parse_in_every_way(std::string_view input,
                                      const codec::HttpLimits& limits = {}) {
  const HeadOutcome whole = parse_whole(input, limits);
  const GuardPages pages(input.size());
  codec::HttpHead head;
  std::size_t dripped = 0;  // `scanned` of the byte-at-a-time feed
  bool decided = false;
  for (std::size_t length = 0; length <= input.size(); ++length) {
    const ExactBlock prefix(input.substr(0, length));
    const auto fresh = codec::parse_http_head(prefix.bytes(), limits, head);
    const HeadOutcome outcome = head_outcome(fresh, head);
    const auto guarded = codec::parse_http_head(pages.copy_to_end(prefix.bytes()), limits, head);
    EXPECT_EQ(head_outcome(guarded, head), outcome) << "guarded prefix of " << length;
    const auto drip = codec::parse_http_head(prefix.bytes(), limits, head, dripped);
    EXPECT_EQ(head_outcome(drip, head), outcome) << "byte at a time, " << length;
    dripped = drip.status == codec::HttpParse::need_more ? drip.scanned : 0;
    if (decided || outcome.status != codec::HttpParse::need_more) {
      EXPECT_EQ(outcome, whole) << "prefix of " << length;
      decided = true;
    } else {
      const ExactBlock rest(input);  // split in two: the bytes have moved meanwhile
      const auto joined = codec::parse_http_head(rest.bytes(), limits, head, fresh.scanned);
      EXPECT_EQ(head_outcome(joined, head), whole) << "split at " << length;
    }
  }
  return whole;
}

inline std::ostream& operator<<(std::ostream& out, const HeadOutcome& outcome) {
  return out << (outcome.status == codec::HttpParse::ok ? outcome.outline
                                                        : describe(outcome.error).name)
             << " consumed " << outcome.consumed;
}

}  // namespace spate::test
