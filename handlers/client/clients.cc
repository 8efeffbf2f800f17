#include "handlers/client/clients.h"

#include <algorithm>
#include <span>

#include "core/sys.h"
#include "handlers/client/client_waiting.h"

namespace spate::handlers::client {

namespace {

core::HashKey random_key() {
  core::HashKey key{};
  core::sys::random(std::as_writable_bytes(std::span(key)));
  return key;
}

}  // namespace

Clients::Clients(const Parts& parts)
    : parts_(parts),
      key_(random_key()),
      bury_timer_([this] { bury(); }),
      message_timer_([this] { tell_some(); }),
      readers_{make_json_reader(), make_protobuf_reader()} {
  parts_.broker.on_room = [this] { on_room(); };
}

Clients::~Clients() {
  parts_.broker.on_room = nullptr;
  parts_.reactor.precise().cancel(bury_timer_);
  parts_.reactor.precise().cancel(message_timer_);
  bury();
  for (Client* const client : limbo_) slab_.destroy(client);
}

std::optional<std::string_view> Clients::turn_away(std::int64_t now_ns) {
  const ClientOptions& options = parts_.options;
  const std::uint64_t elsewhere =
      options.connection_limit != 0 && parts_.elsewhere ? parts_.elsewhere() : 0;
  if (options.connection_limit != 0 &&
      slab_.count() - dead_.size() + elsewhere >= options.connection_limit) {
    count(hub::Refused::connection_limit);
    return "The hub has as many clients as it may (--client-connection-limit): try again later.";
  }
  if (options.connection_rate_limit == 0) return std::nullopt;
  // A second's worth of tokens; the bucket is the time at which it would be full.
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  std::atomic<std::int64_t>& bucket =
      parts_.rate_full_ns != nullptr ? *parts_.rate_full_ns : own_rate_full_ns_;
  std::int64_t before = bucket.load(std::memory_order_relaxed);
  std::int64_t full_ns = 0;
  do {
    full_ns = std::max(before, now_ns) + kSecondNs / options.connection_rate_limit;
    if (full_ns - now_ns > kSecondNs) {
      count(hub::Refused::connection_rate);
      return "Too many clients connect at once (--client-connection-rate-limit): try again later.";
    }
  } while (!bucket.compare_exchange_weak(before, full_ns, std::memory_order_relaxed));
  return std::nullopt;
}

Client& Clients::open(ClientTransport& transport, ClientTransport::Link link,
                      const Client::Origin& origin) {
  Client* const client = slab_.create(*this, transport, link, origin);
  SPATE_CHECK(client != nullptr);
  return *client;
}

bool Clients::enlist(Client& client, std::string_view name) {
  if (name.empty()) {
    ++anonymous_;
  } else {
    User* user = find_user(name);
    const std::uint32_t limit = parts_.options.user_connection_limit;
    if (user != nullptr && limit != 0 && user->connections >= limit) return false;
    if (user == nullptr) {
      user = User::make(name);
      users_.insert(hash_of(name), user);
    }
    client.user_ = user;
    client.next_of_user_ = user->first;
    if (user->first != nullptr) user->first->previous_of_user_ = &client;
    user->first = &client;
    ++user->connections;
  }
  client.index_ = static_cast<std::uint32_t>(connected_.size());
  connected_.push_back(&client);
  parts_.client_metrics.clients.set(connected_.size());
  parts_.client_metrics.users.set(user_count());
  if (!name.empty()) {
    const hub::ClientId::Text id = client.id_.text();
    parts_.broker.user_connected(name, hub::view(id), client.user_->connections);
  }
  return true;
}

void Clients::delist(Client& client) {
  connected_[client.index_] = connected_.back();
  connected_[client.index_]->index_ = client.index_;
  connected_.pop_back();
  if (client.user_ == nullptr) {
    --anonymous_;
  } else {
    User& user = *client.user_;
    const hub::ClientId::Text id = client.id_.text();
    parts_.broker.user_gone(user.text(), hub::view(id), user.connections - 1);
    (client.previous_of_user_ != nullptr ? client.previous_of_user_->next_of_user_ : user.first) =
        client.next_of_user_;
    if (client.next_of_user_ != nullptr)
      client.next_of_user_->previous_of_user_ = client.previous_of_user_;
    client.user_ = nullptr;
    if (--user.connections == 0) {
      users_.erase(hash_of(user.text()), &user);
      delete &user;
    }
  }
  parts_.client_metrics.clients.set(connected_.size());
  parts_.client_metrics.users.set(user_count());
}

void Clients::release(Client& client) {
  if (client.pending_ > 0) {
    client.released_ = true;
    limbo_.push_back(&client);
    return;
  }
  if (client.released_) std::erase(limbo_, &client);
  dead_.push_back(&client);
  if (!bury_timer_.armed()) parts_.reactor.precise().arm(bury_timer_, parts_.reactor.now_ns());
}

void Clients::bury() {
  for (Client* const client : dead_) slab_.destroy(client);
  dead_.clear();
}

std::uint64_t Clients::subscription_count() const {
  std::uint64_t count = 0;
  for (const Client* const client : connected_) count += client->subscription_count();
  return count;
}

// --- The server API.

template <typename Act>
std::uint32_t Clients::for_each(const Target& target, Act&& act) {
  const User* const user = find_user(target.user);
  if (user == nullptr) return 0;
  std::vector<Client*> chosen;  // acting may end them
  for (Client* each = user->first; each != nullptr; each = each->next_of_user_) {
    const hub::ClientId::Text id = each->id_.text();
    if (!target.client.empty() && target.client != hub::view(id)) continue;
    if (std::ranges::find(target.except, hub::view(id)) != target.except.end()) continue;
    chosen.push_back(each);
  }
  std::uint32_t count = 0;
  for (Client* const each : chosen) count += act(*each) ? 1 : 0;
  return count;
}

void Clients::subscribe(const Target& target, const Client::ServerSubscription& wish,
                        Subscribed done) {
  // Whoever holds on to it has not been answered yet.
  struct Outcome {
    explicit Outcome(Subscribed tell) : done(std::move(tell)) {}
    ~Outcome() { done(count, error); }
    Outcome(const Outcome&) = delete;
    Outcome& operator=(const Outcome&) = delete;

    Subscribed done;
    std::uint32_t count = 0;
    Error error{};
  };
  const auto outcome = std::make_shared<Outcome>(std::move(done));
  for_each(target, [&](Client& client) {
    client.subscribe_by_server(wish, [outcome](const Error& refused) {
      if (refused)
        outcome->error = refused;
      else
        ++outcome->count;
    });
    return true;
  });
}

std::uint32_t Clients::unsubscribe(const Target& target, std::string_view channel) {
  return for_each(target, [&](Client& client) {
    return client.unsubscribe_by_server(channel, kUnsubscribedByServer) > 0;
  });
}

std::uint32_t Clients::disconnect(const Target& target, const Disconnect& why) {
  return for_each(target, [&](Client& client) {
    count(hub::Ended::api);
    client.disconnect(why);
    return true;
  });
}

std::uint32_t Clients::refresh(const Target& target, bool expired, std::int64_t expire_at,
                               std::string_view info) {
  return for_each(target, [&](Client& client) {
    if (expired) {
      count(hub::Ended::expired);
      client.disconnect(kDisconnectConnectionExpired);
    } else {
      client.refresh_by_server(expire_at, info);
    }
    return true;
  });
}

// Made once for each encoding, not for each client.
void Clients::message_all(std::string_view data, std::span<const std::string_view> exclude_clients,
                          std::span<const std::string_view> exclude_users,
                          std::function<void(std::uint32_t)> done) {
  MessageToAll& message = messages_.emplace_back(
      MessageToAll{.exclusion{exclude_users, exclude_clients}, .done = std::move(done)});
  auto& texts = message.texts;
  protobuf_writer().message(texts[static_cast<std::size_t>(Encoding::protobuf)], data);
  if (std::string scratch; is_json(data))
    json_writer().message(texts[static_cast<std::size_t>(Encoding::json)], one_line(data, scratch));
  if (messages_.size() == 1) tell_some();
}

// From the end down: who ends meanwhile moves one that has been told to where we have not been, and
// that one is not told again.
void Clients::tell_some() {
  for (std::size_t room = kMessagesATurn; !messages_.empty() && room > 0;) {
    MessageToAll& message = messages_.front();
    if (message.number == 0) {
      message.number = ++last_message_;
      message.left = connected_.size();
    }
    for (; message.left > 0 && room > 0; --room) {
      message.left = std::min(message.left, connected_.size());
      if (message.left == 0) break;
      Client& client = *connected_[--message.left];
      if (std::exchange(client.last_message_, message.number) == message.number) continue;
      const std::string& text = message.texts[static_cast<std::size_t>(client.encoding())];
      if (text.empty() || !client.connected() || client.excluded(message.exclusion)) continue;
      client.push(text);
      ++message.count;
    }
    if (message.left > 0) break;
    const auto done = std::move(message.done);
    const std::uint32_t count = message.count;
    messages_.pop_front();
    done(count);
  }
  if (!messages_.empty()) parts_.reactor.precise().arm(message_timer_, parts_.reactor.now_ns() + 1);
}

// --- The broker.

void Clients::on_room() {
  const std::vector<Client*> waiting = std::exchange(waiting_for_room_, {});
  for (Client* const client : waiting) client->waiting_->for_room = false;
  // Those that end meanwhile are freed at the end of the turn.
  for (Client* const client : waiting) client->go_on();
}

bool Clients::announce(bool begin) {
  constexpr std::size_t kAtOnce = 64;
  // Whoever ends meanwhile is taken back, and moves one that may not have been announced to where
  // we have been; so it goes from the end down.
  std::size_t left = kAtOnce;
  if (begin) announced_ = connected_.size();
  announced_ = std::min(announced_, connected_.size());
  for (; announced_ > 0 && left > 0; --left) {
    Client& client = *connected_[--announced_];
    if (client.user_ != nullptr) {
      const hub::ClientId::Text id = client.id_.text();
      parts_.broker.user_connected(client.user(), hub::view(id), client.user_->connections);
    }
    client.announce_again();
  }
  return announced_ == 0;
}

void Clients::publish(const hub::ChannelOptions& options, const hub::PublishRequest& request,
                      const hub::Broker::Done<hub::PublishResult>& done) {
  parts_.metrics.of(options.index).publications.add();
  parts_.broker.publish(request, done);
}

}  // namespace spate::handlers::client
