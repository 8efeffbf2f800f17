// The opening handshake as a client makes it (RFC 6455 §4.1, §4.2.2).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/spate-bench/errors.h"

namespace spate::bench {

class Handshake {
 public:
  // `deflate`: permessage-deflate is offered, without contexts, and must be agreed to.
  Handshake(std::string_view host, std::string_view path, const std::vector<std::string>& headers,
            bool deflate = false);

  // The request of attempt `attempt` of connection `id`. Its key follows from the two, so nothing
  // is remembered until the answer comes. Valid until the next call.
  std::string_view request(std::uint32_t id, std::uint32_t attempt);

  // A whole response head, empty line included: nothing when it is right. `attempt` as above.
  [[nodiscard]] std::optional<Error> refuse(std::string_view head, std::uint32_t id,
                                            std::uint32_t attempt) const;

 private:
  std::string request_;
  std::size_t key_at_ = 0;
  const bool deflate_;
};

// Where a response head ends, its empty line included, or nothing yet.
std::optional<std::size_t> head_end(std::string_view bytes);

}  // namespace spate::bench
