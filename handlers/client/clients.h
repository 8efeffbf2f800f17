// All clients of a worker: who they are by user and by id, what they share, and what the server's
// API does to them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/pointer_index.h"
#include "core/reactor.h"
#include "core/siphash.h"
#include "core/slab.h"
#include "core/text_behind.h"
#include "handlers/client/client.h"
#include "handlers/client/options.h"
#include "handlers/client/reader.h"
#include "handlers/client/writer.h"
#include "handlers/hub/channel_options.h"

namespace spate::handlers::client {

// Why commands about a channel are refused, for the log.
inline constexpr std::string_view kNoNamespace =
    "no namespace of that name is configured (channels)";
inline constexpr std::string_view kBadName =
    "the channel's name is too long (max_length), or not as channel_regex wants it";

// With connections; its text is its name.
struct User : core::TextBehind<User> {
  std::uint32_t connections = 0;
  Client* first = nullptr;
};

// A call from a client to code of the server's own.
struct RpcCall {
  const Client& client;
  std::string_view method;
  std::string_view data;
};
struct RpcReply {
  Error error{};
  std::string data{};  // JSON for JSON clients
};
struct RpcHandlers {
  std::map<std::string, std::function<RpcReply(const RpcCall&)>, std::less<>> methods;
  std::function<void(const RpcCall&)> on_send;  // messages without a reply; null: nobody takes them
};

class Clients {
 public:
  struct Parts {
    core::Reactor& reactor;
    hub::Hub& hub;
    hub::Broker& broker;
    const hub::ChannelRules& rules;
    const TokenVerifier& connection_tokens;
    const TokenVerifier& subscription_tokens;
    hub::HubMetrics& metrics;
    hub::ClientMetrics& client_metrics;
    const RpcHandlers& rpc;
    const ClientOptions& options;
    // With several workers: how many clients the others have, and what all of them count the rate
    // of new ones by.
    std::function<std::uint64_t()> elsewhere{};
    std::atomic<std::int64_t>* rate_full_ns = nullptr;
  };

  explicit Clients(const Parts& parts);
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // Whether one more client may come now; if not, what to tell it (a constant). Monotonic time.
  std::optional<std::string_view> turn_away(std::int64_t now_ns);
  Client& open(ClientTransport& transport, ClientTransport::Link link,
               const Client::Origin& origin);

  // --- For the server API. Which connections: all of a user, or one of them.
  struct Target {
    std::string_view user;
    std::string_view client{};                   // empty: all
    std::span<const std::string_view> except{};  // ids of connections to leave alone
  };
  // How many connections were concerned. Of a subscription, when the last of them has been answered
  // or has ended, and with what refused it, if anything did.
  using Subscribed = std::function<void(std::uint32_t count, const Error& error)>;
  void subscribe(const Target& target, const Client::ServerSubscription& wish, Subscribed done);
  std::uint32_t unsubscribe(const Target& target, std::string_view channel);
  std::uint32_t disconnect(const Target& target, const Disconnect& why);
  // `expired`: they are ended with 3005.
  std::uint32_t refresh(const Target& target, bool expired, std::int64_t expire_at,
                        std::string_view info);
  // To everybody connected; to JSON clients when it is JSON. Some in this turn, others in those
  // that follow: when all have been told, `done` hears how many. In the order of the calls.
  static constexpr std::size_t kMessagesATurn = 1024;
  void message_all(std::string_view data, std::span<const std::string_view> exclude_clients,
                   std::span<const std::string_view> exclude_users,
                   std::function<void(std::uint32_t count)> done);
  // What publications of clients and API have in common: counting, and the broker.
  void publish(const hub::ChannelOptions& options, const hub::PublishRequest& request,
               const hub::Broker::Done<hub::PublishResult>& done);

  // Tells the broker again who is here, so many clients at a time: `begin` the first time. True
  // when all have been.
  bool announce(bool begin);

  std::uint32_t count() const { return static_cast<std::uint32_t>(connected_.size()); }
  std::uint32_t user_count() const {
    return static_cast<std::uint32_t>(users_.count()) + (anonymous_ > 0 ? 1 : 0);
  }
  // As many calls as user_count() says; the anonymous are the empty one.
  template <typename Visit>
  void for_each_user(Visit&& visit) const {
    users_.for_each([&](const User& user) { visit(user.text()); });
    if (anonymous_ > 0) visit(std::string_view());
  }
  std::uint64_t subscription_count() const;
  const hub::Hub& hub() const { return parts_.hub; }
  hub::Broker& broker() { return parts_.broker; }
  const hub::ChannelRules& rules() const { return parts_.rules; }

 private:
  friend class Client;
  struct MessageToAll {
    std::array<std::string, kEncodings> texts{};  // empty: cannot be said in it
    hub::Exclusion exclusion;
    std::function<void(std::uint32_t)> done;
    std::uint32_t number = 0;  // 0: nobody has been told yet
    std::size_t left = 0;      // of connected_
    std::uint32_t count = 0;
  };
  std::uint64_t hash_of(std::string_view user) const { return core::siphash64(key_, user); }
  User* find_user(std::string_view name) const {
    return users_.find(hash_of(name), [&](const User& each) { return each.text() == name; });
  }
  // False: the user has as many connections as it may.
  bool enlist(Client& client, std::string_view user);
  void delist(Client& client);
  // Freed when no call of it can be under way any more.
  void release(Client& client);
  // It goes on when the broker takes more.
  void wait_for_room(Client& client) { waiting_for_room_.push_back(&client); }
  void stop_waiting_for_room(Client& client) { std::erase(waiting_for_room_, &client); }
  void on_room();
  void bury();
  void tell_some();
  template <typename Act>
  std::uint32_t for_each(const Target& target, Act&& act);
  core::Tick now() const { return parts_.reactor.now(); }
  CommandReader& reader(Encoding encoding) { return *readers_[static_cast<std::size_t>(encoding)]; }
  void count(hub::Refused reason) {
    parts_.client_metrics.refusals[static_cast<std::size_t>(reason)].add();
  }
  void count(hub::Ended reason) {
    parts_.client_metrics.ended[static_cast<std::size_t>(reason)].add();
  }

  const Parts parts_;
  core::Slab<Client> slab_;
  const core::HashKey key_;  // users' names are others' to choose
  core::PointerIndex<User> users_;
  std::vector<Client*> connected_;
  std::uint32_t anonymous_ = 0;
  std::atomic<std::int64_t> own_rate_full_ns_{0};
  std::vector<Client*> dead_;
  std::vector<Client*> limbo_;  // ended, and the broker owes them an answer
  std::vector<Client*> waiting_for_room_;
  std::size_t announced_ = 0;  // of connected_
  core::PreciseTimer bury_timer_;
  std::deque<MessageToAll> messages_;
  std::uint32_t last_message_ = 0;  // its number
  core::PreciseTimer message_timer_;
  std::array<std::unique_ptr<CommandReader>, kEncodings> readers_;
  // Of the frame in hand; they keep their memory.
  std::string ordered_;
  std::string urgent_;
  Command command_;
  Client* in_hand_ = nullptr;  // whose frame it is
};

}  // namespace spate::handlers::client
