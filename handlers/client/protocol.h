// The Centrifuge client protocol, version 2, as values: what a client asks and what it is told,
// whatever the encoding. Field names are the protocol's. All text is views; `data` and its like are
// payloads, passed on byte for byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/hub/broker.h"
#include "handlers/hub/publication.h"

namespace spate::handlers::client {

using hub::ClientInfo;
using hub::Publication;
using hub::StreamPosition;

enum class Encoding : std::uint8_t { json, protobuf };
inline constexpr std::size_t kEncodings = 2;

// What a client can ask, in the order in which a command that holds several is understood.
enum class Method : std::uint8_t {
  none,  // a pong, when there is no id either
  connect,
  subscribe,
  unsubscribe,
  publish,
  presence,
  presence_stats,
  history,
  rpc,
  send,
  refresh,
  sub_refresh,
  ping,
};
inline constexpr std::size_t kMethods = 13;
std::string_view method_name(Method method);

// Bits of SubscribeRequest::flag. Others are ignored.
inline constexpr std::int64_t kFlagCompaction = 1;
inline constexpr std::int64_t kFlagRejectUnrecovered = 2;  // error 112 instead of recovered: false

struct SubscribeRequest {
  std::string_view channel{};
  std::string_view token{};
  bool recover = false;
  std::string_view epoch{};
  std::uint64_t offset = 0;
  std::string_view data{};
  bool positioned = false;
  bool recoverable = false;
  bool join_leave = false;
  std::string_view delta{};
  bool has_filter = false;  // `tf` was given
  std::int64_t flag = 0;
  std::int32_t type = 0;
};

struct ConnectRequest {
  std::string_view token{};
  std::string_view data{};
  std::vector<SubscribeRequest> subs;  // the map's key is in `channel`
  std::string_view name{};
  std::string_view version{};
  std::vector<std::pair<std::string_view, std::string_view>> headers;
};

struct HistoryQuery {
  std::string_view channel{};
  std::int32_t limit = 0;
  bool has_since = false;
  std::uint64_t since_offset = 0;
  std::string_view since_epoch{};
  bool reverse = false;
};

// One command. Only the members of its method mean anything.
struct Command {
  std::uint32_t id = 0;
  Method method = Method::none;
  ConnectRequest connect;
  SubscribeRequest subscribe;
  HistoryQuery history;
  // unsubscribe, publish, presence, presence_stats, sub_refresh
  std::string_view channel{};
  std::string_view token{};  // refresh, sub_refresh
  std::string_view data{};   // publish, rpc, send
  std::string_view rpc_method{};
  std::int32_t type = 0;  // publish, sub_refresh

  void clear();  // keeps the vectors' memory
};

// A server's error in a reply. Text and temporary follow from the code.
struct Error {
  std::uint32_t code = 0;
  std::string_view message{};
  bool temporary = false;

  explicit operator bool() const { return code != 0; }
};

inline constexpr Error kErrorInternal{100, "internal server error", true};
inline constexpr Error kErrorUnauthorized{101, "unauthorized"};
inline constexpr Error kErrorUnknownChannel{102, "unknown channel"};
inline constexpr Error kErrorPermissionDenied{103, "permission denied"};
inline constexpr Error kErrorMethodNotFound{104, "method not found"};
inline constexpr Error kErrorAlreadySubscribed{105, "already subscribed"};
inline constexpr Error kErrorLimitExceeded{106, "limit exceeded"};
inline constexpr Error kErrorBadRequest{107, "bad request"};
inline constexpr Error kErrorNotAvailable{108, "not available"};
inline constexpr Error kErrorTokenExpired{109, "token expired"};
inline constexpr Error kErrorExpired{110, "expired"};
inline constexpr Error kErrorTooManyRequests{111, "too many requests", true};
inline constexpr Error kErrorUnrecoverablePosition{112, "unrecoverable position"};

// The one with that code; kErrorInternal for others.
Error error_of(std::uint32_t code);

// Why the server ends a connection. From 3500 on clients do not come back. The reason is neither
// empty nor JSON: SDKs take those for something else.
struct Disconnect {
  std::uint16_t code = 0;
  std::string_view reason{};

  explicit operator bool() const { return code != 0; }
};

inline constexpr Disconnect kDisconnectShutdown{3001, "shutdown"};
inline constexpr Disconnect kDisconnectInternal{3004, "internal server error"};
inline constexpr Disconnect kDisconnectConnectionExpired{3005, "connection expired"};
inline constexpr Disconnect kDisconnectSubscriptionExpired{3006, "subscription expired"};
inline constexpr Disconnect kDisconnectSlow{3008, "slow"};
inline constexpr Disconnect kDisconnectInsufficientState{3010, "insufficient state"};
inline constexpr Disconnect kDisconnectForceReconnect{3011, "force reconnect"};
inline constexpr Disconnect kDisconnectNoPong{3012, "no pong"};
inline constexpr Disconnect kDisconnectTooManyRequests{3013, "too many requests"};
inline constexpr Disconnect kDisconnectInvalidToken{3500, "invalid token"};
inline constexpr Disconnect kDisconnectBadRequest{3501, "bad request"};
inline constexpr Disconnect kDisconnectNoCredentials{3501, "bad request: no credentials"};
inline constexpr Disconnect kDisconnectStale{3502, "stale"};
inline constexpr Disconnect kDisconnectForced{3503, "force disconnect"};
inline constexpr Disconnect kDisconnectConnectionLimit{3504, "connection limit"};
inline constexpr Disconnect kDisconnectChannelLimit{3505, "channel limit"};
inline constexpr Disconnect kDisconnectInappropriateProtocol{3506, "inappropriate protocol"};
inline constexpr Disconnect kDisconnectPermissionDenied{3507, "permission denied"};
inline constexpr Disconnect kDisconnectNotAvailable{3508, "not available"};

// Why the server ends a subscription. From 2500 on clients subscribe again at once.
struct Unsubscribed {
  std::uint32_t code = 0;
  std::string_view reason{};
};
inline constexpr Unsubscribed kUnsubscribedByServer{2000, "server unsubscribe"};
inline constexpr Unsubscribed kUnsubscribedInsufficientState{2500, "insufficient state"};
inline constexpr Unsubscribed kUnsubscribedExpired{2501, "subscription expired"};

struct SubscribeResult {
  bool expires = false;
  std::uint32_t ttl = 0;  // seconds, at least 1 when it expires
  bool recoverable = false;
  bool positioned = false;
  StreamPosition position{};
  std::span<const hub::KeptPublication> publications{};
  bool recovered = false;
  bool was_recovering = false;
  std::string_view data{};
};

// A server-side subscription in a connect result.
struct ConnectedSubscription {
  std::string_view channel{};
  SubscribeResult result;
};

struct ConnectResult {
  std::string_view client{};
  std::string_view version{};
  bool expires = false;
  std::uint32_t ttl = 0;
  std::string_view data{};
  std::uint32_t ping = 0;  // seconds
  bool pong = false;
  std::string_view session{};
  std::string_view node{};
};

struct Expiry {
  bool expires = false;
  std::uint32_t ttl = 0;
};

}  // namespace spate::handlers::client
