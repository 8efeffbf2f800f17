// The client protocol from a client's side, for one connection after another: what is said at the
// start, what is made of what comes, and the positions that survive a connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spate::cli {

// Where what is heard goes. JSON is as the server sent it, on one line.
class Listener {
 public:
  virtual ~Listener() = default;
  // `offset` is 0 in a channel without history.
  virtual void publication(std::string_view channel, std::uint64_t offset,
                           std::string_view data) = 0;
  virtual void presence(std::string_view channel, bool joined, std::string_view client_info) = 0;
  // After a drop: everything missed follows (`recovered`), or may be lost from `since` to `now`.
  virtual void resumed(std::string_view channel, bool recovered, std::uint64_t since,
                       std::uint64_t now) = 0;
  virtual void refused(std::string_view channel, std::string_view why) = 0;
};

class Subscription {
 public:
  Subscription(const std::vector<std::string>& channels, bool join_leave, Listener& listener);

  // The first message of a connection: connect and all subscriptions, with recovery where there is
  // a position to go on from.
  std::string hello(std::string_view token);

  enum class Fate : std::uint8_t {
    go_on,
    reconnect,  // for now
    expired,    // with a new token
    refused,    // for good
  };
  // One message of the server. What must be answered is appended to `answer`, a message too.
  Fate take(std::string_view message, std::string& answer);

  const std::string& why() const { return why_; }
  bool connected() const { return connected_; }
  std::int64_t ping_seconds() const { return ping_seconds_; }  // 0: the server sends none

 private:
  struct Channel {
    std::string name;
    bool over = false;         // refused, or ended by the server
    bool recoverable = false;  // then the position is one to recover from
    std::uint64_t offset = 0;
    std::string epoch;
    bool recovering = false;  // asked for in this connection
  };

  std::string subscribe_command(Channel& channel);
  Fate take_line(std::string_view line, std::string& answer);
  Fate take_reply(std::uint64_t id, std::string_view connect, std::string_view subscribe,
                  std::string_view error);
  Fate take_connect_error(std::string_view error);
  Fate take_subscribe_error(Channel& channel, std::string_view error);
  void take_connected(std::string_view result);
  void take_subscribed(Channel& channel, std::string_view result);
  Fate take_push(std::string_view push, std::string& answer);
  Fate take_unsubscribe(Channel& channel, std::string_view push, std::string& answer);
  void take_publication(Channel& channel, std::string_view publication);
  Fate give_up(Channel& channel, std::string_view why);

  std::vector<Channel> channels_;
  bool join_leave_;
  Listener& listener_;
  std::uint64_t next_id_ = 1;
  std::vector<std::pair<std::uint64_t, std::size_t>> waiting_;  // id of a subscribe, its channel
  std::uint64_t connect_id_ = 0;
  bool connected_ = false;
  bool pong_ = false;
  std::int64_t ping_seconds_ = 0;
  std::string why_;
};

}  // namespace spate::cli
