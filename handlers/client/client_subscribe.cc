// Joining and leaving channels: who may, on what terms, and what is made good.
#include <algorithm>

#include "core/log.h"
#include "core/sys.h"
#include "handlers/client/client.h"
#include "handlers/client/client_waiting.h"
#include "handlers/client/clients.h"
#include "handlers/client/fitting.h"
#include "handlers/client/recovery.h"

namespace spate::handlers::client {

using hub::ChannelOptions;
using hub::Refused;

namespace {

// Until a namespace says otherwise; SDKs refuse to combine these with each other anyway.
constexpr std::int32_t kTypeStream = 0;
constexpr std::int32_t kTypeSharedPoll = 4;

// Why check_channel() says what it says, and what to do about it.
std::string_view rule_of(const Error& error) {
  switch (error.code) {
    case kErrorAlreadySubscribed.code:
      return "the client is subscribed to it";
    case kErrorLimitExceeded.code:
      return "the client is subscribed to as many as it may be (--client-channel-limit)";
    case kErrorUnknownChannel.code:
      return kNoNamespace;
    default:
      return kBadName;
  }
}

}  // namespace

void Client::subscribe(const Command& command) {
  const SubscribeRequest& request = command.subscribe;
  if (request.channel.empty()) return bad_request("subscribe without a channel");
  if (request.type == kTypeSharedPoll)
    return refuse(command, request.channel, kErrorNotAvailable, "shared poll is not available");
  if (request.type != kTypeStream)
    return refuse(command, request.channel, kErrorPermissionDenied,
                  "the channel is a stream, not a map");
  if (!request.delta.empty() && request.delta != "fossil")
    return bad_request("subscribe with an unknown kind of delta");
  const ChannelOptions* options = nullptr;
  if (const Error error = check_channel(request.channel, options))
    return refuse(command, request.channel, error, rule_of(error));
  const Admitted admitted = admit(request, *options);
  if (admitted.error) return refuse(command, request.channel, admitted.error, admitted.rule);
  if (admitted.disconnect) {
    clients_.count(Refused::invalid_token);
    return disconnect(admitted.disconnect);
  }
  if (request.has_filter)
    return refuse(command, request.channel, kErrorBadRequest, "tag filters are not available");

  const SubscriptionClaims& claims = admitted.claims;
  Terms terms = this->terms(*options, request, claims.options.override_, false);
  terms.info = claims.options.info;
  terms.data = claims.options.data;
  terms.expire_at = claims.expire_at;
  join(
      request, terms,
      [this, id = command.id](const SubscribeResult& result) {
        writer().subscribed(out(), id, result);
        return true;
      },
      [this, id = command.id](const Error& error) {
        refuse(id, Method::subscribe, {}, error, "the subscription could not be had as asked");
      });
}

// In the order in which the protocol has its errors.
Error Client::check_channel(std::string_view channel, const ChannelOptions*& options) const {
  const ClientOptions& limits = clients_.parts_.options;
  if (channel.size() > limits.channel_max_length) return kErrorBadRequest;
  if (find(channel) != nullptr || joins(channel)) return kErrorAlreadySubscribed;
  if (subscription_count_ + join_count() >= limits.channel_limit) return kErrorLimitExceeded;
  options = clients_.parts_.rules.options_of(channel);
  if (options == nullptr) return kErrorUnknownChannel;
  const hub::ChannelName name = clients_.parts_.rules.name_of(channel);
  if (!hub::ChannelRules::well_formed(*options, name)) return kErrorBadRequest;
  return {};
}

Client::Admitted Client::admit(const SubscribeRequest& request,
                               const ChannelOptions& options) const {
  const hub::ChannelRules& rules = clients_.parts_.rules;
  const bool insecure = clients_.parts_.options.insecure;
  if (!request.token.empty())
    return insecure ? Admitted{} : admit_by_token(request.channel, request.token);
  const auto permission =
      hub::may_subscribe(rules, options, rules.name_of(request.channel), user());
  if (permission.allowed) return {};
  return {.error = kErrorPermissionDenied, .rule = permission.why(options)};
}

Client::Admitted Client::admit_by_token(std::string_view channel, std::string_view token) const {
  const std::int64_t now = core::sys::wall_seconds();
  auto verified = clients_.parts_.subscription_tokens.subscription(token, now);
  const SubscriptionClaims& claims = verified.claims;
  if (verified.error == TokenError::expired)
    return {.error = kErrorTokenExpired, .rule = std::string(verified.why)};
  if (verified.error == TokenError::invalid)
    return {.error = kErrorPermissionDenied, .rule = std::string(verified.why)};
  const hub::ClientId::Text id = id_.text();
  if (claims.channel != channel || claims.user != user() ||
      (!claims.client.empty() && claims.client != hub::view(id)))
    return {.disconnect = kDisconnectInvalidToken};
  if (claims.expire_at != 0 && claims.expire_at <= now)
    return {.error = kErrorTokenExpired, .rule = "the subscription's expire_at has passed"};
  return {.claims = std::move(verified.claims)};
}

// The namespace's options, what a token says of them, then what the client wishes and may have.
Client::Terms Client::terms(const ChannelOptions& options, const SubscribeRequest& request,
                            const OptionOverride& said, bool server_side) const {
  const hub::ChannelRules& rules = clients_.parts_.rules;
  const hub::Asker asker{.user = user(), .subscribed = true};
  // Where publications are left out on purpose there is no position to keep.
  const bool history = options.history.on() && options.slow_policy != hub::SlowPolicy::conflate;
  const bool may_history = hub::may_read_history(rules, options, asker).allowed;
  Terms terms{.options = &options, .server_side = server_side};
  terms.presence = said.presence.value_or(options.presence);
  terms.join_leave = said.join_leave.value_or(options.join_leave);
  terms.recoverable = history && (said.force_recovery.value_or(options.force_recovery) ||
                                  (request.recoverable && (options.allow_recovery || may_history)));
  terms.positioned =
      history && (terms.recoverable || said.force_positioning.value_or(options.force_positioning) ||
                  (request.positioned && (options.allow_positioning || may_history)));
  terms.push_join_leave =
      terms.join_leave &&
      (said.force_push_join_leave.value_or(options.force_push_join_leave) ||
       (request.join_leave && hub::may_see_presence(rules, options, asker).allowed));
  return terms;
}

namespace {

// What does not depend on the stream.
SubscribeResult result_of(Encoding encoding, std::string_view data, const Expiry& expiry) {
  SubscribeResult result;
  if (encoding != Encoding::json || is_json(data)) result.data = data;
  result.expires = expiry.expires;
  result.ttl = expiry.ttl;
  return result;
}

bool wants_recovery(const SubscribeRequest& request, bool recoverable,
                    const ChannelOptions& options) {
  return recoverable && (request.recover || options.auto_cache_recover);
}

// An epoch that is none of ours is still one: it is not "any".
StreamPosition position_asked(const SubscribeRequest& request) {
  return {.offset = request.offset, .epoch = hub::Epoch::parse(request.epoch)};
}

}  // namespace

void Client::join(const SubscribeRequest& request, const Terms& terms, Told told, Failed failed) {
  hub::Broker& broker = clients_.parts_.broker;
  if (!terms.positioned && broker.current()) return join_now(request.channel, terms, told);
  auto joining =
      std::make_shared<Joining>(*this, request, terms, std::move(told), std::move(failed));
  waiting().joins.push_back(joining);
  ++pending_;
  if (!terms.positioned)
    return broker.when_current([joining] { joining->client.joined(*joining, {}); });
  const ChannelOptions& options = *terms.options;
  hub::HistoryRequest wanted;
  wanted.channel = request.channel;
  wanted.history = options.history;
  if (wants_recovery(request, terms.recoverable, options))
    wanted =
        recovery_request(request.channel, options.history, options.force_recovery_mode,
                         position_asked(request), clients_.parts_.options.history_max_publications);
  broker.history(wanted, [joining](const hub::HistoryResult& history) {
    joining->client.joined(*joining, history);
  });
}

// Without a position: what comes from now on.
void Client::join_now(std::string_view channel, const Terms& terms, const Told& told) {
  const Expiry expiry = terms.server_side ? Expiry{} : subscription_expiry(terms.expire_at);
  hub::Subscription& subscription = enter(channel, terms, {});
  if (told(result_of(encoding(), terms.data, expiry))) announce(subscription);
}

void Client::joined(Joining& joining, const hub::HistoryResult& history) {
  if (!answered() || joining.cancelled) return;
  std::erase_if(waiting_->joins, [&](const auto& each) { return each.get() == &joining; });
  in_hand([&] { finish_join(joining, history); });
  go_on();
}

void Client::finish_join(Joining& joining, const hub::HistoryResult& history) {
  const SubscribeRequest& request = joining.request;
  const Terms& terms = joining.terms;
  if (!terms.positioned) return join_now(joining.channel, terms, joining.told);
  const ChannelOptions& options = *terms.options;
  if (history.error != hub::BrokerError::none) {
    clients_.count(Refused::broker);
    return joining.failed(kErrorInternal);
  }
  SubscribeResult result = result_of(
      encoding(), terms.data, terms.server_side ? Expiry{} : subscription_expiry(terms.expire_at));
  result.positioned = true;
  result.recoverable = terms.recoverable;
  result.position = history.top;
  const hub::ClientId::Text id = id_.text();
  FittingPublications fitting(encoding(), user(), hub::view(id));
  if (wants_recovery(request, terms.recoverable, options)) {
    const auto mode = options.force_recovery_mode;
    const StreamPosition asked = position_asked(request);
    const RecoveryOutcome outcome = recover(mode, asked, request.epoch.empty() || asked.epoch,
                                            history, {.max_bytes = recovery_room()});
    auto& recoveries = clients_.parts_.metrics.of(options.index).recoveries;
    const auto count = [&](hub::Recovery how) { recoveries[static_cast<std::size_t>(how)].add(); };
    if (!outcome.recovered && (request.flag & kFlagRejectUnrecovered) != 0) {
      count(hub::Recovery::rejected);
      return joining.failed(kErrorUnrecoverablePosition);
    }
    count(outcome.recovered ? hub::Recovery::recovered : hub::Recovery::unrecovered);
    result.was_recovering = true;
    result.recovered = outcome.recovered;
    if (outcome.recovered) {
      if (!fitting.add(outcome.publications)) {
        clients_.count(hub::Ended::payload);
        return disconnect(kDisconnectInappropriateProtocol);
      }
      result.publications = fitting.publications();
      // The client moves on from there by itself, publication by publication.
      if (mode == hub::RecoveryMode::stream) result.position.offset = request.offset;
    }
  }
  hub::Subscription& subscription = enter(request.channel, terms, history.top);
  if (!joining.told(result)) return;
  if (!joining.unsubscribed) return announce(subscription);
  (void)unsubscribe_by_server(request.channel, kUnsubscribedByServer);
}

// What waits for the client already counts: ten recoveries in a row must not make it slow either.
std::uint64_t Client::recovery_room() const {
  std::uint64_t ahead = transport_.unsent_bytes(link_);
  if (waiting_ != nullptr && waiting_->connecting) ahead += waiting_->connecting->told_bytes;
  if (clients_.in_hand_ == this) ahead += clients_.ordered_.size() + clients_.urgent_.size();
  const std::uint64_t most = clients_.parts_.options.recovery_max_bytes;
  return most > ahead ? most - ahead : 0;
}

hub::Subscription& Client::enter(std::string_view channel, const Terms& terms,
                                 StreamPosition position) {
  hub::Subscription& subscription =
      clients_.parts_.hub.add(*this, channel, *terms.options, terms.positioned, position);
  subscription.next = subscriptions_;
  subscriptions_ = &subscription;
  ++subscription_count_;
  subscription.server_side = terms.server_side;
  subscription.wants_join_leave = terms.push_join_leave;
  subscription.emits_join_leave = terms.join_leave;
  subscription.in_presence = terms.presence;
  if (!terms.info.empty()) subscription.chan_info = std::make_unique<std::string>(terms.info);
  subscription.expires = tick_of(terms.expire_at);
  if (subscription.expires != 0) {
    any_expiring_ = true;
    if (state_ == State::connected) arm_next();
  }
  return subscription;
}

// Others learn of it when it has been told itself.
void Client::announce(hub::Subscription& subscription) {
  subscription.announced = true;
  add_presence(subscription);
  if (!subscription.emits_join_leave) return;
  Self self = this->self(&subscription);
  self.info.client = hub::view(self.text);
  clients_.parts_.broker.publish_join(subscription.channel->name, self.info);
}

void Client::add_presence(const hub::Subscription& subscription) {
  if (!subscription.announced || !subscription.in_presence) return;
  Self self = this->self(&subscription);
  self.info.client = hub::view(self.text);
  clients_.parts_.broker.add_presence(subscription.channel->name, self.info,
                                      subscription.emits_join_leave);
}

void Client::leave(hub::Subscription& subscription) {
  hub::Subscription** place = &subscriptions_;
  while (*place != &subscription) place = &(*place)->next;
  *place = subscription.next;
  --subscription_count_;
  const bool in_presence = subscription.announced && subscription.in_presence;
  const bool emits = subscription.announced && subscription.emits_join_leave;
  if (!in_presence && !emits) return clients_.parts_.hub.remove(subscription);
  Self self = this->self(&subscription);
  self.info.client = hub::view(self.text);
  const std::unique_ptr<std::string> chan_info = std::move(subscription.chan_info);
  const std::string channel = subscription.channel->name;
  clients_.parts_.hub.remove(subscription);
  if (in_presence) clients_.parts_.broker.remove_presence(channel, self.info.client);
  if (emits) clients_.parts_.broker.publish_leave(channel, self.info);
}

hub::Subscription* Client::find(std::string_view channel) const {
  for (hub::Subscription* each = subscriptions_; each != nullptr; each = each->next)
    if (each->channel->name == channel) return each;
  return nullptr;
}

void Client::unsubscribe(const Command& command) {
  if (command.channel.empty()) return bad_request("unsubscribe without a channel");
  if (hub::Subscription* const subscription = find(command.channel)) leave(*subscription);
  writer().done(out(), command.id, Method::unsubscribe);
}

// The server ends it: a client-side one by a push, a server-side one with its connection.
void Client::end_subscription(hub::Subscription& subscription, const Unsubscribed& why,
                              const Disconnect& server_side) {
  if (subscription.server_side) {
    clients_.count(server_side.code == kDisconnectSubscriptionExpired.code
                       ? hub::Ended::expired
                       : hub::Ended::insufficient_state);
    return disconnect(server_side);
  }
  std::string text;
  writer().unsubscribe(text, subscription.channel->name, why);
  leave(subscription);
  push(text);
}

void Client::lost_position(hub::Subscription& subscription) {
  end_subscription(subscription, kUnsubscribedInsufficientState, kDisconnectInsufficientState);
}

void Client::sub_refresh(const Command& command) {
  if (command.channel.empty()) return bad_request("sub_refresh without a channel");
  hub::Subscription* const subscription = find(command.channel);
  if (command.type != 0)
    return refuse(command, command.channel, kErrorNotAvailable, "keys cannot be tracked");
  if (subscription == nullptr)
    return refuse(command, command.channel, kErrorPermissionDenied,
                  "sub_refresh of a channel that the client is not subscribed to");
  if (subscription->server_side) return bad_request("sub_refresh of a server-side subscription");
  if (command.token.empty())
    return refuse(command, command.channel, kErrorBadRequest, "sub_refresh without a token");
  const Admitted admitted = admit_by_token(command.channel, command.token);
  if (admitted.error && admitted.error.code == kErrorTokenExpired.code)
    return refuse(command, command.channel, kErrorTokenExpired, admitted.rule);
  if (admitted.error || admitted.disconnect) {
    clients_.count(Refused::invalid_token);
    return disconnect(kDisconnectInvalidToken);
  }
  const SubscriptionClaims& claims = admitted.claims;
  subscription->expires = tick_of(claims.expire_at);
  any_expiring_ |= subscription->expires != 0;
  if (const std::string& info = claims.options.info; !info.empty()) {
    subscription->chan_info = std::make_unique<std::string>(info);
    add_presence(*subscription);
  }
  writer().refreshed(out(), command.id, Method::sub_refresh, subscription_expiry(claims.expire_at));
  arm_next();
}

void Client::subscribe_by_server(const ServerSubscription& wish,
                                 std::function<void(const Error&)> done) {
  if (state_ != State::connected) return done(kErrorInternal);  // it has not been told who it is
  if (find(wish.channel) != nullptr || joins(wish.channel)) return done({});
  const ChannelOptions* options = nullptr;
  if (const Error error = check_channel(wish.channel, options)) return done(error);
  const SubscribeRequest request{
      .channel = wish.channel, .recover = wish.recover, .epoch = wish.epoch, .offset = wish.offset};
  Terms terms = this->terms(*options, request, wish.options, true);
  terms.info = wish.info;
  terms.data = wish.data;
  terms.expire_at = wish.expire_at;
  join(
      request, terms,
      [this, channel = std::string(wish.channel), done](const SubscribeResult& result) {
        std::string text;
        writer().subscribe(text, channel, result);
        // A push has no place for them: what was missed follows as publications.
        for (const hub::KeptPublication& kept : result.publications)
          writer().publication(text, channel, kept.publication, {});
        push(text);
        done({});
        return state_ == State::connected;
      },
      done);
}

std::uint32_t Client::unsubscribe_by_server(std::string_view channel, const Unsubscribed& why) {
  if (state_ == State::joining) return unsubscribe_once_connected(channel);
  std::uint32_t count = 0;
  if (waiting_ != nullptr)
    for (const auto& joining : waiting_->joins)
      if (channel.empty() || joining->channel == channel)
        count += std::exchange(joining->unsubscribed, true) ? 0 : 1;
  for (hub::Subscription* each = subscriptions_; each != nullptr && state_ == State::connected;) {
    hub::Subscription* const next = each->next;
    if (channel.empty() || each->channel->name == channel) {
      std::string text;
      writer().unsubscribe(text, each->channel->name, why);
      leave(*each);
      push(text);
      ++count;
    }
    each = next;
  }
  return count;
}

// It must hear first that it was subscribed.
std::uint32_t Client::unsubscribe_once_connected(std::string_view channel) {
  Connecting& connecting = *waiting_->connecting;
  std::uint32_t count = 0;
  for (const ToldSubscription& told : connecting.told) {
    if (!channel.empty() && told.channel != channel) continue;
    if (std::ranges::find(connecting.unsubscribed, told.channel) != connecting.unsubscribed.end())
      continue;
    connecting.unsubscribed.push_back(told.channel);
    ++count;
  }
  return count;
}

}  // namespace spate::handlers::client
