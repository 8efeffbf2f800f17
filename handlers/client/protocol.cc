#include "handlers/client/protocol.h"

#include <array>

namespace spate::handlers::client {

std::string_view method_name(Method method) {
  constexpr std::array<std::string_view, kMethods> kNames = {
      "none",    "connect", "subscribe", "unsubscribe", "publish",     "presence", "presence_stats",
      "history", "rpc",     "send",      "refresh",     "sub_refresh", "ping"};
  return kNames[static_cast<std::size_t>(method)];
}

void Command::clear() {
  std::vector<SubscribeRequest> subs = std::move(connect.subs);
  auto headers = std::move(connect.headers);
  subs.clear();
  headers.clear();
  *this = {};
  connect.subs = std::move(subs);
  connect.headers = std::move(headers);
}

Error error_of(std::uint32_t code) {
  for (const Error& error :
       {kErrorUnauthorized, kErrorUnknownChannel, kErrorPermissionDenied, kErrorMethodNotFound,
        kErrorAlreadySubscribed, kErrorLimitExceeded, kErrorBadRequest, kErrorNotAvailable,
        kErrorTokenExpired, kErrorExpired, kErrorTooManyRequests, kErrorUnrecoverablePosition})
    if (error.code == code) return error;
  return kErrorInternal;
}

}  // namespace spate::handlers::client
