// Why a request is refused: one list over what codec/ finds wrong with it and what the server will
// not do, so that each reason has its name in the metrics.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "codec/handshake.h"
#include "codec/http_error.h"

namespace spate::handlers {

struct Refusal {
  std::size_t reason;  // index in refusal_names()
  int status;
  std::string_view remedy;
};

// The tables' first rows stand for no error.
constexpr Refusal refusal_of(codec::HttpError error) {
  const auto& info = codec::describe(error);
  return {static_cast<std::size_t>(error) - 1, info.status, info.remedy};
}
inline constexpr std::size_t kFirstHandshakeReason = codec::kHttpErrors.size() - 1;
constexpr Refusal refusal_of(codec::HandshakeError error) {
  const auto& info = codec::describe(error);
  return {kFirstHandshakeReason + static_cast<std::size_t>(error) - 1, info.status, info.remedy};
}

inline constexpr std::size_t kFirstOwnReason =
    kFirstHandshakeReason + codec::kHandshakeErrors.size() - 1;
inline constexpr Refusal kNotFound{kFirstOwnReason, 404, "Nothing is served at this path."};
inline constexpr Refusal kMethodNotAllowed{kFirstOwnReason + 1, 405,
                                           "This method is not served at this path."};
inline constexpr Refusal kRequestTimeout{kFirstOwnReason + 2, 408,
                                         "The request took too long to arrive."};
inline constexpr Refusal kShortOfMemory{kFirstOwnReason + 3, 503,
                                        "The server is short of memory: try again later."};
// An endpoint's own: its admit() said no.
constexpr Refusal refusal_by_endpoint(int status, std::string_view remedy) {
  return {kFirstOwnReason + 4, status, remedy};
}
// Its code threw.
inline constexpr Refusal kEndpointFailed{kFirstOwnReason + 5, 500,
                                         "The server failed to answer: try again later."};
inline constexpr std::size_t kRefusalReasons = kFirstOwnReason + 6;

std::vector<std::string> refusal_names();

}  // namespace spate::handlers
