// Who a client is, and what it is subscribed to from the start.
#include <algorithm>

#include "core/log.h"
#include "core/sys.h"
#include "handlers/client/client.h"
#include "handlers/client/clients.h"

namespace spate::handlers::client {

using hub::Refused;

namespace {

constexpr std::int64_t kMaxTtlSeconds = 365 * 86'400;

// What a connect result tells of a subscription, when the log's views may be gone.
struct ToldSubscription {
  std::string channel;
  std::string data;
  SubscribeResult result;
  std::vector<std::string> text;
  std::vector<hub::KeptPublication> publications;
  std::vector<ClientInfo> infos;
  std::vector<std::vector<hub::Tag>> tags;

  void copy(const SubscribeResult& from) {
    result = from;
    data = from.data;
    text.reserve(from.publications.size() * 5 + 64);
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
      copy.exclude_users = {};
    }
    for (std::size_t i = 0; i < publications.size(); ++i)
      publications[i].publication.tags = tags[i];
    result.publications = publications;
    result.data = data;
  }
};

}  // namespace

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
  if (!become(identity.claims)) {
    clients_.count(Refused::connection_limit);
    core::log::limited(core::log::Level::info, "user connection limit",
                       "ended a connection with 3504: the user has as many as it may "
                       "(--user-connection-limit)",
                       {{"user", identity.claims.user}});
    return disconnect(kDisconnectConnectionLimit);
  }
  subscribe_on_connect(command, wanted);
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
  state_ = State::connected;
  if (extra_ != nullptr || !claims.info.empty() || !claims.meta.empty() || !claims.subs.empty()) {
    if (extra_ == nullptr) extra_ = std::make_unique<ClientExtra>();
    extra_->conn_info = claims.info;
    extra_->meta = claims.meta;
    for (const auto& [channel, options] : claims.subs) extra_->token_channels.push_back(channel);
    std::ranges::sort(extra_->token_channels);
  }
  client_refreshes_ = claims.expire_at != 0;
  set_expiry(claims.expire_at);
  return true;
}

std::vector<Client::Wanted> Client::wanted_channels(const ConnectionClaims& claims,
                                                    const ConnectRequest& request, Error& error,
                                                    bool& bad) const {
  const hub::ChannelRules& rules = clients_.parts_.rules;
  std::vector<Wanted> wanted;
  const auto add = [&](std::string channel, const SubscribeOptions& options) {
    const bool there =
        std::ranges::any_of(wanted, [&](const Wanted& each) { return each.channel == channel; });
    if (!there) wanted.push_back({std::move(channel), options, nullptr});
  };
  for (const auto& [channel, options] : claims.subs) {
    if (rules.options_of(channel) == nullptr) {
      clients_.count(Refused::unknown_channel);
      error = kErrorUnknownChannel;
      return {};
    }
    add(channel, options);
  }
  if (clients_.parts_.options.user_channels && !claims.user.empty()) {
    const std::string& space = clients_.parts_.options.user_channel_namespace;
    add((space.empty() ? std::string() : space + ":") + "#" + claims.user, {});
  }
  for (const SubscribeRequest& said : request.subs) {
    const hub::ChannelOptions* const options = rules.options_of(said.channel);
    if (options == nullptr) {
      bad = true;
      return {};
    }
    const hub::ChannelName name = rules.name_of(said.channel);
    if (hub::may_subscribe(rules, *options, name, claims.user).allowed &&
        hub::ChannelRules::well_formed(*options, name))
      add(std::string(said.channel), {});
  }
  for (Wanted& each : wanted)
    for (const SubscribeRequest& said : request.subs)
      if (said.channel == each.channel) each.request = &said;
  return wanted;
}

void Client::subscribe_on_connect(const Command& command, const std::vector<Wanted>& wanted) {
  std::vector<ToldSubscription> told(wanted.size());
  std::vector<ConnectedSubscription> subs;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Wanted& each = wanted[i];
    const hub::ChannelOptions& options = *clients_.parts_.rules.options_of(each.channel);
    SubscribeRequest request = each.request != nullptr ? *each.request : SubscribeRequest{};
    request.channel = each.channel;
    request.flag = 0;
    Terms terms = this->terms(options, request, each.options.override_, true);
    terms.info = each.options.info;
    terms.data = each.options.data;
    told[i].channel = each.channel;
    const Error error = join(request, terms, [&](const SubscribeResult& result) {
      told[i].copy(result);
      return true;
    });
    if (state_ == State::ended) return;
    if (error) {
      state_ = State::refused;
      while (subscriptions_ != nullptr) leave(*subscriptions_);
      clients_.delist(*this);
      return reply_error(command.id, error);
    }
    subs.push_back({told[i].channel, told[i].result});
  }
  const ClientOptions& options = clients_.parts_.options;
  const hub::ClientId::Text id = id_.text();
  ConnectResult result{.client = hub::view(id), .version = options.version};
  if (!frame_pings_ && options.ping_interval_ms > 0) {
    result.ping = std::max(1u, options.ping_interval_ms / 1000);
    result.pong = options.pong_timeout_ms > 0;
  }
  if (expires_at_ != 0) {
    const Expiry expiry = expiry_of(expires_at_);
    result.expires = expiry.expires;
    result.ttl = expiry.ttl;
  }
  writer().connected(out(), command.id, result, subs);
  clients_.parts_.client_metrics.connected.add();
  start_pings(clients_.now());
}

Expiry Client::expiry_of(std::int64_t expire_at) const {
  if (expire_at == 0) return {};
  const std::int64_t left = expire_at - core::sys::wall_seconds();
  return {.expires = true,
          .ttl = static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, kMaxTtlSeconds))};
}

void Client::set_expiry(std::int64_t expire_at) {
  expires_at_ = expire_at;
  expires_ = tick_of(expire_at);
}

// Wall time as a tick of the loop's clock; 0 stays never.
core::Tick Client::tick_of(std::int64_t expire_at) const {
  if (expire_at == 0) return 0;
  const std::int64_t left =
      std::clamp<std::int64_t>(expire_at - core::sys::wall_seconds(), 0, kMaxTtlSeconds);
  const core::Tick tick =
      clients_.now() + core::ticks_of_ms(static_cast<std::uint64_t>(left) * 1000);
  return tick == 0 ? 1 : tick;
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
  if (extra_ == nullptr) extra_ = std::make_unique<ClientExtra>();
  std::vector<std::string> channels;
  for (const auto& [channel, options] : claims.subs) channels.push_back(channel);
  std::ranges::sort(channels);
  if (channels != extra_->token_channels) return disconnect(kDisconnectInsufficientState);
  extra_->conn_info = claims.info;
  extra_->meta = claims.meta;
  set_expiry(claims.expire_at);
  writer().refreshed(out(), command.id, Method::refresh, expiry_of(claims.expire_at));
  arm_next(clients_.now());
}

void Client::refresh_by_server(std::int64_t expire_at, std::string_view info) {
  if (state_ != State::connected) return;
  if (!info.empty()) {
    if (extra_ == nullptr) extra_ = std::make_unique<ClientExtra>();
    extra_->conn_info = info;
  }
  set_expiry(expire_at);
  std::string text;
  writer().refresh(text, expiry_of(expire_at));
  push(text);
  if (state_ == State::connected) arm_next(clients_.now());
}

}  // namespace spate::handlers::client
