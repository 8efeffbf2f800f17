// Orders every channel, keeps its history and knows who is there: what stands between the hub of a
// worker and the log.
//
// A request is answered by calling `done` once, on the worker's thread: by the inline broker before
// the call returns, by one in another process later. What `done` is handed lives until it returns.
// Publications, joins and leaves come out at the sink, in each channel's order; a publication comes
// out before its own request is answered.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "handlers/hub/publication.h"

namespace spate::handlers::hub {

// How long what is kept. History is on when size and ttl are both above zero.
struct HistoryPolicy {
  std::uint32_t size = 0;        // publications
  std::int64_t ttl_ms = 0;       // after the last publication
  std::int64_t meta_ttl_ms = 0;  // of epoch and top offset, after the last publication or reading

  bool on() const { return size > 0 && ttl_ms > 0; }
};

enum class BrokerError : std::uint8_t {
  none,
  no_room,      // the log's memory is used up by what may not be dropped: later there may be some
  too_large,    // no segment of the log could ever hold it: asking again is of no use
  unavailable,  // no answer in time: whether it was done is unknown
};

struct PublishRequest {
  std::string_view channel{};
  Publication publication{};  // its offset is the broker's to give
  HistoryPolicy history{};    // off: it goes to those who are there, and is forgotten
  std::string_view
      idempotency_key{};             // empty: none. Per channel; results are kept for five minutes
  std::uint64_t version = 0;         // 0: none. Not above the channel's last: dropped silently
  std::string_view version_epoch{};  // versions are compared within one only; empty: within any
  // Kept: they hold in recovery too.
  std::span<const std::string_view> exclude_users{};
  std::span<const std::string_view> exclude_clients{};
};

struct PublishResult {
  BrokerError error = BrokerError::none;
  StreamPosition
      position;  // where it is, or the earlier one that stands for it; without history: {}
  bool suppressed = false;  // nothing was published: a repeat by its key, or an old version
};

struct HistoryRequest {
  std::string_view channel{};
  HistoryPolicy history{};
  std::int64_t limit = 0;                 // 0: the position only; below 0: all
  std::optional<StreamPosition> since{};  // its epoch empty: any. Exclusive, either way
  bool reverse = false;
};

// A publication that was kept, with whom it is not for.
struct KeptPublication {
  Publication publication{};
  std::span<const std::string_view> exclude_users{};
  std::span<const std::string_view> exclude_clients{};
};

struct HistoryResult {
  BrokerError error = BrokerError::none;
  StreamPosition top{};
  bool wrong_epoch = false;  // since.epoch names another incarnation; then nothing is returned
  std::span<const KeptPublication> publications{};  // ascending, or descending for reverse
};

struct PresenceEntry {
  ClientInfo info{};
};

struct PresenceResult {
  BrokerError error = BrokerError::none;
  std::span<const PresenceEntry> entries{};
};

struct PresenceStats {
  BrokerError error = BrokerError::none;
  std::uint32_t clients = 0;
  std::uint32_t users = 0;  // distinct; the anonymous count as one
};

struct UserStatus {
  BrokerError error = BrokerError::none;
  bool online = false;
  std::uint32_t connections = 0;
  std::int64_t since_ms = 0;  // wall time of the last change; 0: never seen
};

// Where a broker's events come out. Called on the worker's thread.
class BrokerSink {
 public:
  virtual void on_publication(std::string_view channel, const Publication& publication,
                              StreamPosition position,
                              std::span<const std::string_view> exclude_users,
                              std::span<const std::string_view> exclude_clients) = 0;
  virtual void on_join(std::string_view channel, const ClientInfo& info) = 0;
  virtual void on_leave(std::string_view channel, const ClientInfo& info) = 0;
  // A user's first connection has come, or the last has been gone for the grace time.
  virtual void on_user_status(std::string_view user, std::string_view client, bool online) = 0;

 protected:
  ~BrokerSink() = default;
};

class Broker {
 public:
  template <typename Result>
  using Done = std::function<void(const Result&)>;

  virtual ~Broker() = default;

  virtual void publish(const PublishRequest& request, const Done<PublishResult>& done) = 0;
  // Reading makes the stream when there is none, and renews epoch and top offset. A subscriber that
  // asks from its `done` sees everything before `top` there and everything behind it at the sink.
  virtual void history(const HistoryRequest& request, const Done<HistoryResult>& done) = 0;
  // Drops what is kept; epoch and top offset stay.
  virtual void remove_history(std::string_view channel, const Done<BrokerError>& done) = 0;

  // Entries live as long as the worker that added them. Adding one that is there replaces its info.
  // `tells_leave`: should the worker die, the channel is told that the client has left.
  virtual void add_presence(std::string_view channel, const ClientInfo& info, bool tells_leave) = 0;
  virtual void remove_presence(std::string_view channel, std::string_view client) = 0;
  virtual void presence(std::string_view channel, const Done<PresenceResult>& done) = 0;
  virtual void presence_stats(std::string_view channel, const Done<PresenceStats>& done) = 0;

  // At most so many a second and channel come out; the rest is counted.
  virtual void publish_join(std::string_view channel, const ClientInfo& info) = 0;
  virtual void publish_leave(std::string_view channel, const ClientInfo& info) = 0;

  // A connection of a user came or went, and this worker has so many of it now; anonymous ones are
  // not followed.
  virtual void user_connected(std::string_view user, std::string_view client,
                              std::uint32_t connections) = 0;
  virtual void user_gone(std::string_view user, std::string_view client,
                         std::uint32_t connections) = 0;
  virtual void user_status(std::string_view user, const Done<UserStatus>& done) = 0;

  // Whether all that has come out of the broker so far has been seen at the sink; and `done` when
  // that is so of what has by now. Who joins then sees what comes from now on, and nothing that
  // somebody has been told to be published before.
  virtual bool current() const { return true; }
  virtual void when_current(std::function<void()> done) { done(); }

  // Somebody here is subscribed to the channel now, or nobody any more: whether it need be told.
  virtual void follow(std::string_view) {}
  virtual void unfollow(std::string_view) {}

  // Once a second or so: what has expired goes. Monotonic nanoseconds.
  virtual void tick(std::int64_t now_ns) = 0;

  // False: it takes no more requests for now, and clients should not be read. `on_room`, if
  // anybody has set it, is called when it does again.
  virtual bool has_room() const { return true; }
  std::function<void()> on_room;
};

}  // namespace spate::handlers::hub
