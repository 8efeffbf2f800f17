// One client of the Centrifuge protocol, whatever carries it: who it is, what it is subscribed to,
// and what its commands do.
//
//   connecting --connect--> joining --what it is subscribed to from the start--> connected -->
//   ended
//        \--connect refused--> refused --(another command, or the stale deadline)--> ended
//
// Commands of a frame are handled in order; what they answer leaves together. The broker may answer
// later: what changes subscriptions is waited for before anything else is done for the client,
// whose frames are put aside meanwhile and which is not read (client_waiting.h); everything else is
// answered when the answer comes. A client that ends meanwhile is kept until its last answer.
//
// A client owns no timer but its transport's: the next of ping, pong and expiries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/client/token.h"
#include "handlers/client/transport.h"
#include "handlers/client/writer.h"
#include "handlers/hub/hub.h"

namespace spate::handlers::client {

class Clients;
struct ClientWaiting;
struct Joining;
struct User;

// What few clients have, or only for a while.
struct ClientExtra {
  std::string conn_info;
  std::vector<std::string> token_channels;  // sorted; subscribed to because the token says so
  std::string trusted_user;                 // while connecting: whom a proxy has named
};

class Client final : public hub::Subscriber {
 public:
  struct Origin {
    hub::Framing framing = hub::Framing::websocket_json;
    bool frame_pings = false;    // pinged by the transport, not by the protocol
    std::string_view user = {};  // that a trusted proxy has named
  };

  Client(Clients& clients, ClientTransport& transport, ClientTransport::Link link,
         const Origin& origin);
  ~Client();

  // --- Called by the transport.
  void on_frame(ConstBytes frame);
  // The tick of the next look.
  core::Tick on_timer(core::Tick now);
  void on_drained();
  // Its last call: the transport has lost the client, or ended it. It frees the client.
  void on_end();

  // --- Called by the server.
  void disconnect(const Disconnect& why);
  struct ServerSubscription {
    std::string_view channel;
    std::string_view info{};
    std::string_view data{};
    std::int64_t expire_at = 0;  // Unix seconds; 0: never
    bool recover = false;
    std::uint64_t offset = 0;  // with epoch: where to go on from
    std::string_view epoch;
    OptionOverride options{};
  };
  // `done` is dropped uncalled when the client ends first.
  void subscribe_by_server(const ServerSubscription& wish, std::function<void(const Error&)> done);
  // Of a channel, or of all when it is empty. How many.
  std::uint32_t unsubscribe_by_server(std::string_view channel, const Unsubscribed& why);
  void refresh_by_server(std::int64_t expire_at, std::string_view info);

  hub::Framing framing() const override { return framing_; }
  void deliver(hub::Subscription* listed) override;
  void lost_position(hub::Subscription& subscription) override;

  const hub::ClientId& id() const { return id_; }
  std::string_view user() const;
  bool connected() const { return state_ == State::connected; }
  bool subscribed(std::string_view channel) const { return find(channel) != nullptr; }
  // Tells the broker again who is here: all channels that it is present in.
  void announce_again();
  std::uint32_t subscription_count() const { return subscription_count_; }

 private:
  friend class Clients;
  enum class State : std::uint8_t { connecting, refused, joining, connected, ended };
  friend struct ClientWaiting;
  friend struct Joining;

  // Who others see, for the length of a call.
  struct Self {
    hub::ClientId::Text text;
    ClientInfo info;
  };
  // What a subscription will be.
  struct Terms {
    const hub::ChannelOptions* options = nullptr;
    bool presence = false;
    bool join_leave = false;
    bool push_join_leave = false;
    bool positioned = false;
    bool recoverable = false;
    bool server_side = false;
    std::string_view info{};
    std::string_view data{};
    std::int64_t expire_at = 0;
  };
  // Who may be told what about a connect.
  struct Identity {
    Error error{};
    Disconnect disconnect{};
    ConnectionClaims claims{};
  };

  // Whether a subscription may be, and what its token says of it.
  struct Admitted {
    Error error{};
    Disconnect disconnect{};
    std::string rule{};  // for the log: what refused it
    SubscriptionClaims claims{};
  };

  // client.cc
  struct InHand;
  template <typename Work>
  void in_hand(Work&& work);
  void send_answers();
  void handle(const Command& command);
  void dispatch(const Command& command);
  void end();
  void bad_request(std::string_view rule);
  Encoding encoding() const;
  MessageWriter& writer() const;
  std::string& out(bool urgent = false);
  void reply_error(std::uint32_t id, const Error& error);
  void push(const std::string& message);
  Self self(const hub::Subscription* subscription = nullptr) const;

  // client_connect.cc
  void connect(const Command& command);
  Identity authenticate(const ConnectRequest& request) const;
  bool become(const ConnectionClaims& claims);
  struct Wanted;
  std::vector<Wanted> wanted_channels(const ConnectionClaims& claims, const ConnectRequest& request,
                                      Error& error, bool& bad) const;
  void subscribe_on_connect(std::uint32_t id, const std::vector<Wanted>& wanted);
  void refuse_too_many(std::string_view user);
  void ask_for_too_many();
  void finish_connect();
  void fail_connect(const Error& error);
  void refresh(const Command& command);
  void set_info(std::string_view info);
  void set_expiry(std::int64_t expire_at);
  void expire_behind(core::Tick from, std::uint32_t seconds);
  static Expiry connection_expiry(std::int64_t expire_at);
  static Expiry subscription_expiry(std::int64_t expire_at);
  core::Tick tick_of(std::int64_t expire_at) const;

  // client_subscribe.cc
  void subscribe(const Command& command);
  Error check_channel(std::string_view channel, const hub::ChannelOptions*& options) const;
  Admitted admit(const SubscribeRequest& request, const hub::ChannelOptions& options) const;
  Admitted admit_by_token(std::string_view channel, std::string_view token) const;
  Terms terms(const hub::ChannelOptions& options, const SubscribeRequest& request,
              const OptionOverride& said, bool server_side) const;
  // Joins, at once or when the broker has answered, and calls `told` with the result before
  // anything that follows from it, or `failed`; neither when the client has ended. `told` returns
  // false when the subscription has ended over it.
  using Told = std::function<bool(const SubscribeResult&)>;
  using Failed = std::function<void(const Error&)>;
  void join(const SubscribeRequest& request, const Terms& terms, Told told, Failed failed);
  void join_now(std::string_view channel, const Terms& terms, const Told& told);
  void joined(Joining& joining, const hub::HistoryResult& history);
  void finish_join(Joining& joining, const hub::HistoryResult& history);
  std::uint64_t recovery_room() const;
  hub::Subscription& enter(std::string_view channel, const Terms& terms, StreamPosition position);
  void leave(hub::Subscription& subscription);
  void announce(hub::Subscription& subscription);
  void add_presence(const hub::Subscription& subscription);
  void unsubscribe(const Command& command);
  std::uint32_t unsubscribe_once_connected(std::string_view channel);
  void end_subscription(hub::Subscription& subscription, const Unsubscribed& why,
                        const Disconnect& server_side);
  void sub_refresh(const Command& command);
  hub::Subscription* find(std::string_view channel) const;

  // client_waiting.cc
  bool process(ConstBytes frame, std::size_t& done);
  bool must_wait(Method method) const;
  void wait_for_room();
  void put_aside(ConstBytes frame, std::size_t done);
  void go_on();
  void stop_waiting();
  ClientWaiting& waiting();
  bool joins(std::string_view channel) const;
  std::size_t join_count() const;
  bool answered();
  // Runs `work` with what the broker has answered, unless the client has ended.
  template <typename Work>
  void take_answer(Work&& work);

  // client_deliver.cc
  void send_pushes(hub::PushBatch& batch, std::size_t from, std::size_t to);
  void deliver_batch(hub::Subscription& subscription);
  enum class Verdict : std::uint8_t { take, skip, gap, unfit };
  Verdict judge(hub::Subscription& subscription, const hub::PushBatch& batch,
                const hub::Push& push);
  bool excluded(const hub::Exclusion& exclusion) const;

  // client_commands.cc
  void publish(const Command& command);
  void presence(const Command& command);
  void presence_stats(const Command& command);
  void history(const Command& command);
  void rpc(const Command& command);
  void send(const Command& command);
  const hub::ChannelOptions* options_or_refuse(const Command& command, std::string_view channel);
  const hub::ChannelOptions* presence_options(const Command& command);
  void refuse(const Command& command, std::string_view channel, const Error& error,
              std::string_view rule) {
    refuse(command.id, command.method, channel, error, rule);
  }
  void refuse(std::uint32_t id, Method method, std::string_view channel, const Error& error,
              std::string_view rule);
  void published(std::uint32_t id, const hub::PublishResult& result);
  void history_read(std::uint32_t id, const hub::HistoryResult& result);
  void presence_read(std::uint32_t id, const hub::PresenceResult& result);
  void presence_counted(std::uint32_t id, const hub::PresenceStats& stats);

  // client_timers.cc
  void arm_next();
  core::Tick next_deadline() const;
  void start_pings(core::Tick now);
  void ping(core::Tick now);
  void pong();
  bool check_subscriptions(core::Tick now);

  Clients& clients_;
  ClientTransport& transport_;
  const ClientTransport::Link link_;
  hub::ClientId id_;
  User* user_ = nullptr;
  Client* next_of_user_ = nullptr;
  Client* previous_of_user_ = nullptr;
  hub::Subscription* subscriptions_ = nullptr;
  std::unique_ptr<ClientExtra> extra_;
  std::unique_ptr<ClientWaiting> waiting_;  // null: nothing has been put aside
  std::uint32_t pending_ = 0;               // what the broker has not answered
  std::uint32_t index_ = 0;                 // among all clients
  std::uint32_t subscription_count_ = 0;
  core::Tick due_ = 0;      // connecting: the stale deadline; connected: the next ping, or its pong
  core::Tick expires_ = 0;  // 0: never
  std::uint32_t expires_later_s_ = 0;  // what is left then: ticks do not reach further
  std::uint32_t last_message_ = 0;     // to all, that it was told (Clients::message_all)
  std::int64_t expires_at_ = 0;        // the same as Unix seconds
  State state_ = State::connecting;
  const hub::Framing framing_;
  const bool frame_pings_;
  bool awaiting_pong_ = false;
  bool pong_came_ = false;  // since the last ping; its deadline has not been looked at
  bool client_refreshes_ = false;
  bool any_expiring_ = false;  // a subscription has an expiry
  bool released_ = false;      // freed with the last answer
};

// Text of a ClientInfo that goes to a JSON client must be JSON; what is not is left out.
ClientInfo fit(const ClientInfo& info, Encoding encoding);

}  // namespace spate::handlers::client
