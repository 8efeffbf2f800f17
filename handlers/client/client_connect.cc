// Who a client is, and what it is subscribed to from the start.
#include <algorithm>
#include <limits>

#include "core/log.h"
#include "core/sys.h"
#include "handlers/client/client.h"
#include "handlers/client/client_waiting.h"
#include "handlers/client/clients.h"
#include "handlers/client/recovery.h"

namespace spate::handlers::client {

using hub::Refused;

namespace {

// Ticks are compared by their difference, which is worth 198 days: a connection that may stay
// longer waits in turns, a subscription is asked for a new token by then.
constexpr std::uint32_t kMaxTickSeconds = 180 * 86'400;
static_assert(std::uint64_t{kMaxTickSeconds} * 1'000'000'000 / core::kTickNs < 1u << 31);

// Until a Unix time, which may be any number.
std::uint32_t seconds_until(std::int64_t time) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(std::max<std::int64_t>(time, 0) - core::sys::wall_seconds(), 0,
                               std::numeric_limits<std::uint32_t>::max()));
}

core::Tick tick_behind(core::Tick from, std::uint32_t seconds) {
  const core::Tick tick = from + core::ticks_of_ms(std::uint64_t{seconds} * 1000);
  return tick == 0 ? 1 : tick;  // 0 stays never
}

std::vector<std::string> names_of(
    const std::vector<std::pair<std::string, SubscribeOptions>>& subs) {
  std::vector<std::string> names;
  for (const auto& [channel, options] : subs) names.push_back(channel);
  std::ranges::sort(names);
  return names;
}

}  // namespace

void ToldSubscription::copy(const SubscribeResult& from) {
  result = from;
  data = from.data;
  const auto keep = [&](std::string_view view) {
    return std::string_view(text.emplace_back(view));
  };
  std::size_t texts = 0;
  for (const auto& kept : from.publications) texts += 5 + 2 * kept.publication.tags.size();
  text.reserve(texts);
  for (const auto& kept : from.publications) {
    hub::KeptPublication& copy = publications.emplace_back(kept);
    copy.publication.data = keep(kept.publication.data);
    if (kept.publication.info)
      copy.publication.info = ClientInfo{
          keep(kept.publication.info->user), keep(kept.publication.info->client),
          keep(kept.publication.info->conn_info), keep(kept.publication.info->chan_info)};
    auto& copied = tags.emplace_back();
    for (const hub::Tag& tag : kept.publication.tags)
      copied.push_back({keep(tag.key), keep(tag.value)});
    copy.exclude_users = copy.exclude_clients = {};
  }
  for (std::size_t i = 0; i < publications.size(); ++i) publications[i].publication.tags = tags[i];
  result.publications = publications;
  result.data = data;
}

struct Client::Wanted {
  std::string channel;
  SubscribeOptions options;
  const SubscribeRequest* request = nullptr;  // what the client said of it; may be null
};

void Client::connect(const Command& command) {
  Identity identity = authenticate(command.connect);
  if (identity.disconnect) return disconnect(identity.disconnect);
  bool bad = false;
  std::vector<Wanted> wanted;
  if (!identity.error)
    wanted = wanted_channels(identity.claims, command.connect, identity.error, bad);
  if (bad) return bad_request("connect names a channel of an unknown namespace");
  if (identity.error) {
    state_ = State::refused;
    return reply_error(command.id, identity.error);
  }
  if (wanted.size() > clients_.parts_.options.channel_limit) {
    clients_.count(Refused::channel_limit);
    return disconnect(kDisconnectChannelLimit);
  }
  if (!become(identity.claims)) return refuse_too_many(identity.claims.user);
  subscribe_on_connect(command.id, wanted);
}

void Client::refuse_too_many(std::string_view user) {
  clients_.count(Refused::connection_limit);
  core::log::limited(core::log::Level::info, "user connection limit",
                     "ended a connection with 3504: the user has as many as it may "
                     "(--user-connection-limit)",
                     {{"user", user}});
  disconnect(kDisconnectConnectionLimit);
}

// This worker does not know of the user's connections to others. Its own counts by now.
void Client::ask_for_too_many() {
  ++pending_;
  ++waiting_->connecting->left;
  clients_.parts_.broker.user_status(user(), [this](const hub::UserStatus& status) {
    take_answer([&] {
      if (state_ != State::joining) return;
      if (status.connections > clients_.parts_.options.user_connection_limit)
        return refuse_too_many(user());
      if (--waiting_->connecting->left == 0) finish_connect();
    });
  });
}

// A token first, then what a proxy says, then nobody.
Client::Identity Client::authenticate(const ConnectRequest& request) const {
  const ClientOptions& options = clients_.parts_.options;
  const auto refused = [&](Refused reason, std::string_view rule) {
    clients_.count(reason);
    core::log::limited(core::log::Level::info, "client credentials", "refused a connect: {rule}",
                       {{"rule", rule}});
  };
  Identity identity;
  if (!request.token.empty() && !options.insecure) {
    auto verified =
        clients_.parts_.connection_tokens.connection(request.token, core::sys::wall_seconds());
    if (verified.error == TokenError::expired) {
      refused(Refused::expired_token, verified.why);
      identity.error = kErrorTokenExpired;
    } else if (verified.error == TokenError::invalid) {
      refused(Refused::invalid_token, verified.why);
      identity.disconnect = kDisconnectInvalidToken;
    } else if (verified.claims.user.empty() && !options.anonymous_tokens) {
      refused(Refused::permission, "the token names no user (--client-anonymous-tokens allows it)");
      identity.disconnect = kDisconnectPermissionDenied;
    } else {
      identity.claims = std::move(verified.claims);
      if (identity.claims.expire_at != 0 &&
          identity.claims.expire_at <= core::sys::wall_seconds()) {
        refused(Refused::expired_token, "the connection's expire_at has passed");
        identity.error = kErrorExpired;
      }
    }
    return identity;
  }
  if (extra_ != nullptr && !extra_->trusted_user.empty()) {
    identity.claims.user = extra_->trusted_user;
    return identity;
  }
  if (options.anonymous || options.insecure) return identity;
  refused(Refused::no_credentials,
          "no token, and anonymous clients are not allowed (send a token, or set "
          "--client-anonymous)");
  identity.disconnect = kDisconnectNoCredentials;
  return identity;
}

bool Client::become(const ConnectionClaims& claims) {
  if (!clients_.enlist(*this, claims.user)) return false;
  state_ = State::joining;
  extra_.reset();
  if (!claims.info.empty() || !claims.subs.empty()) {
    extra_ = std::make_unique<ClientExtra>();
    extra_->conn_info = claims.info;
    extra_->token_channels = names_of(claims.subs);
  }
  client_refreshes_ = claims.expire_at != 0;
  set_expiry(claims.expire_at);
  return true;
}

// What the token says, the personal channel, and what the client asks for and may have. One more
// than the limit is enough to refuse them all: a frame has room for thousands.
std::vector<Client::Wanted> Client::wanted_channels(const ConnectionClaims& claims,
                                                    const ConnectRequest& request, Error& error,
                                                    bool& bad) const {
  const hub::ChannelRules& rules = clients_.parts_.rules;
  const ClientOptions& limits = clients_.parts_.options;
  std::vector<Wanted> wanted;
  const auto add = [&](std::string_view channel, const SubscribeOptions& options) {
    const auto there = std::ranges::find(wanted, channel, &Wanted::channel);
    if (there != wanted.end()) return there;
    return wanted.insert(there, {std::string(channel), options, nullptr});
  };
  const auto add_or_refuse = [&](std::string_view channel, const SubscribeOptions& options) {
    if (rules.options_of(channel) == nullptr) {
      clients_.count(Refused::unknown_channel);
      core::log::limited(core::log::Level::info, "connect channel",
                         "refused a connect with 102: a channel of the token, or the user's own, "
                         "is of no namespace that is configured (channels, "
                         "--user-channels-namespace)",
                         {{"channel", channel}, {"user", claims.user}});
      error = kErrorUnknownChannel;
    } else {
      add(channel, options);
    }
    return !error;
  };
  for (const auto& [channel, options] : claims.subs) {
    if (!add_or_refuse(channel, options)) return {};
    if (wanted.size() > limits.channel_limit) return wanted;
  }
  if (limits.user_channels && !claims.user.empty()) {
    const std::string& space = limits.user_channel_namespace;
    if (!add_or_refuse((space.empty() ? std::string() : space + ":") + "#" + claims.user, {}))
      return {};
  }
  for (const SubscribeRequest& said : request.subs) {
    const hub::ChannelOptions* const options = rules.options_of(said.channel);
    if (options == nullptr) {
      bad = true;
      return {};
    }
    auto there = std::ranges::find(wanted, said.channel, &Wanted::channel);
    if (there == wanted.end()) {
      const hub::ChannelName name = rules.name_of(said.channel);
      if (said.channel.empty() || said.channel.size() > limits.channel_max_length ||
          !hub::ChannelRules::well_formed(*options, name) ||
          !hub::may_subscribe(rules, *options, name, claims.user).allowed)
        continue;
      there = add(said.channel, {});
    }
    there->request = &said;
    if (wanted.size() > limits.channel_limit) return wanted;
  }
  return wanted;
}

// All at once: what the broker answers comes in the same order.
void Client::subscribe_on_connect(std::uint32_t id, const std::vector<Wanted>& wanted) {
  waiting().connecting = std::make_unique<Connecting>();
  Connecting& connecting = *waiting_->connecting;
  connecting.id = id;
  connecting.told.resize(wanted.size());
  connecting.left = wanted.size() + 1;
  if (clients_.parts_.elsewhere && clients_.parts_.options.user_connection_limit != 0 &&
      user_ != nullptr)
    ask_for_too_many();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Wanted& each = wanted[i];
    const hub::ChannelOptions& options = *clients_.parts_.rules.options_of(each.channel);
    SubscribeRequest request = each.request != nullptr ? *each.request : SubscribeRequest{};
    request.channel = each.channel;
    request.flag = 0;
    Terms terms = this->terms(options, request, each.options.override_, true);
    terms.info = each.options.info;
    terms.data = each.options.data;
    ToldSubscription& told = connecting.told[i];
    told.channel = each.channel;
    join(
        request, terms,
        [this, &connecting, &told](const SubscribeResult& result) {
          told.copy(result);
          connecting.told_bytes += bytes_of(result.publications);
          if (--connecting.left > 0) return true;
          const std::string channel = told.channel;
          finish_connect();
          return find(channel) != nullptr;
        },
        [this](const Error& error) { fail_connect(error); });
    if (state_ != State::joining) return;
  }
  if (--connecting.left == 0) finish_connect();
}

void Client::fail_connect(const Error& error) {
  const std::uint32_t id = waiting_->connecting->id;
  for (const auto& joining : waiting_->joins) joining->cancelled = true;
  waiting_->joins.clear();
  waiting_->connecting.reset();
  state_ = State::refused;
  while (subscriptions_ != nullptr) leave(*subscriptions_);
  clients_.delist(*this);
  reply_error(id, error);
}

void Client::finish_connect() {
  const std::unique_ptr<Connecting> connecting = std::move(waiting_->connecting);
  std::vector<ConnectedSubscription> subs;
  for (const ToldSubscription& told : connecting->told) subs.push_back({told.channel, told.result});
  state_ = State::connected;
  const ClientOptions& options = clients_.parts_.options;
  const hub::ClientId::Text id_text = id_.text();
  ConnectResult result{.client = hub::view(id_text), .version = options.version};
  if (!frame_pings_ && options.ping_interval_ms > 0) {
    result.ping = std::max(1u, options.ping_interval_ms / 1000);
    result.pong = options.pong_timeout_ms > 0;
  }
  if (expires_at_ != 0) {
    const Expiry expiry = connection_expiry(expires_at_);
    result.expires = expiry.expires;
    result.ttl = expiry.ttl;
  }
  writer().connected(out(), connecting->id, result, subs);
  clients_.parts_.client_metrics.connected.add();
  start_pings(clients_.now());
  if (!connecting->held.empty()) send_answers();
  for (const core::BlockRef& held : connecting->held)
    if (state_ == State::connected) transport_.send(link_, held);
  for (const std::string& channel : connecting->unsubscribed)
    (void)unsubscribe_by_server(channel, kUnsubscribedByServer);
}

Expiry Client::connection_expiry(std::int64_t expire_at) {
  if (expire_at == 0) return {};
  return {.expires = true, .ttl = std::max(seconds_until(expire_at), 1u)};
}

Expiry Client::subscription_expiry(std::int64_t expire_at) {
  Expiry expiry = connection_expiry(expire_at);
  expiry.ttl = std::min(expiry.ttl, kMaxTickSeconds);
  return expiry;
}

void Client::set_expiry(std::int64_t expire_at) {
  expires_at_ = expire_at;
  expires_ = 0;
  expires_later_s_ = 0;
  if (expire_at != 0) expire_behind(clients_.now(), seconds_until(expire_at));
}

// As far as ticks reach; when that is over, the rest.
void Client::expire_behind(core::Tick from, std::uint32_t seconds) {
  const std::uint32_t reach = std::min(seconds, kMaxTickSeconds);
  expires_ = tick_behind(from, reach);
  expires_later_s_ = seconds - reach;
}

// Wall time as a tick of the loop's clock.
core::Tick Client::tick_of(std::int64_t expire_at) const {
  if (expire_at == 0) return 0;
  return tick_behind(clients_.now(), std::min(seconds_until(expire_at), kMaxTickSeconds));
}

void Client::refresh(const Command& command) {
  if (!client_refreshes_) return bad_request("refresh of a connection that does not expire");
  if (command.token.empty()) return bad_request("refresh without a token");
  const auto verified =
      clients_.parts_.connection_tokens.connection(command.token, core::sys::wall_seconds());
  if (verified.error == TokenError::expired) {
    clients_.count(Refused::expired_token);
    return disconnect(kDisconnectConnectionExpired);
  }
  if (verified.error != TokenError::none || verified.claims.user != user()) {
    clients_.count(Refused::invalid_token);
    return disconnect(kDisconnectInvalidToken);
  }
  const ConnectionClaims& claims = verified.claims;
  const std::vector<std::string> channels = names_of(claims.subs);
  if (extra_ != nullptr ? channels != extra_->token_channels : !channels.empty())
    return disconnect(kDisconnectInsufficientState);
  set_info(claims.info);
  set_expiry(claims.expire_at);
  writer().refreshed(out(), command.id, Method::refresh, connection_expiry(claims.expire_at));
  arm_next();
}

// Others are told by presence what a client's info is now.
void Client::set_info(std::string_view info) {
  if (info == (extra_ != nullptr ? std::string_view(extra_->conn_info) : std::string_view()))
    return;
  if (extra_ == nullptr) extra_ = std::make_unique<ClientExtra>();
  extra_->conn_info = info;
  for (const hub::Subscription* each = subscriptions_; each != nullptr; each = each->next)
    add_presence(*each);
}

void Client::refresh_by_server(std::int64_t expire_at, std::string_view info) {
  if (state_ != State::connected) return;
  if (!info.empty()) set_info(info);
  set_expiry(expire_at);
  std::string text;
  writer().refresh(text, connection_expiry(expire_at));
  push(text);
  if (state_ == State::connected) arm_next();
}

}  // namespace spate::handlers::client
