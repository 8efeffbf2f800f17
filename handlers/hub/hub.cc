// Why a batch a channel and not a cursor a subscriber: every subscriber is visited once a batch, so
// where it stands follows from where the visit stands; a cursor of its own would be written to
// memory once for each of a million subscribers, for a value that all of them share.
#include "handlers/hub/hub.h"

#include <algorithm>
#include <span>

#include "core/sys.h"

namespace spate::handlers::hub {

namespace {

// Batches that are kept for the next turn, and how much memory one may bring along.
constexpr std::size_t kSpareBatches = 64;
constexpr std::size_t kSpareBytes = 64 * 1024;
constexpr std::size_t kSparePushes = 1024;
// Channels that catch up at a time.
constexpr std::size_t kCatchUpAtOnce = 64;

core::HashKey random_key() {
  core::HashKey key{};
  core::sys::random(std::as_writable_bytes(std::span(key)));
  return key;
}

}  // namespace

void PushBatch::clear() {
  if (pushes.capacity() > kSparePushes) pushes = {};
  pushes.clear();
  exclusions.clear();
  for (std::string& text : bytes) {
    if (text.capacity() > kSpareBytes) text = {};
    text.clear();
  }
  for (core::BlockRef& block : blocks) block = {};
  for (auto& list : messages) list.clear();
  published_ns = 0;
}

Hub::Hub(core::Reactor& reactor, PushEncoder& encoder, HubMetrics& metrics, const Options& options)
    : reactor_(reactor),
      encoder_(encoder),
      metrics_(metrics),
      options_(options),
      flush_timer_([this] { flush(); }),
      check_timer_([this] { check_some(); }),
      key_(random_key()) {}

Hub::~Hub() {
  reactor_.precise().cancel(flush_timer_);
  reactor_.precise().cancel(check_timer_);
}

// --- Who is there.

Channel* Hub::find(std::string_view name) {
  return by_name_.find(core::siphash64(key_, name),
                       [&](const Channel& channel) { return channel.name == name; });
}

const Channel* Hub::find(std::string_view name) const {
  return const_cast<Hub*>(this)->find(name);
}

Subscription& Hub::add(Subscriber& subscriber, std::string_view name, const ChannelOptions& options,
                       bool positioned, StreamPosition position) {
  Channel* channel = follow(name, position);
  if (channel == nullptr) {
    channel = channels_.emplace_back(std::make_unique<Channel>()).get();
    channel->name = name;
    channel->hash = core::siphash64(key_, name);
    channel->options = &options;
    channel->position = position;
    channel->index = static_cast<std::uint32_t>(channels_.size() - 1);
    by_name_.insert(channel->hash, channel);
    if (broker_ != nullptr) broker_->follow(name);
    metrics_.of(options.index).channels.add();
  }
  Subscription* const subscription = subscriptions_.create();
  SPATE_CHECK(subscription != nullptr);
  subscription->channel = channel;
  subscription->subscriber = &subscriber;
  subscription->from = channel->next_push;
  subscription->offset = position.offset;
  subscription->positioned = positioned;
  subscription->index = static_cast<std::uint32_t>(channel->subscribers.size());
  channel->subscribers.push_back(subscription);
  channel->framings[static_cast<std::size_t>(subscriber.framing())] += 1;
  channel->positioned += positioned ? 1 : 0;
  metrics_.of(options.index).subscriptions.add();
  return *subscription;
}

void Hub::remove(Subscription& subscription) {
  Channel& channel = *subscription.channel;
  // It may be about to be delivered to, in the slice under way.
  for (Subscription** place = &subscription.subscriber->dirty; *place != nullptr;
       place = &(*place)->next_dirty)
    if (*place == &subscription) {
      *place = subscription.next_dirty;
      break;
    }
  auto& list = channel.subscribers;
  std::uint32_t hole = subscription.index;
  const auto move_into_hole = [&](std::uint32_t from) {
    list[hole] = list[from];
    list[hole]->index = hole;
    hole = from;
  };
  // Those before `pass` have had the batch, those behind it have not: it stays so.
  if (hole < channel.pass) {
    channel.pass -= 1;
    move_into_hole(static_cast<std::uint32_t>(channel.pass));
  }
  move_into_hole(static_cast<std::uint32_t>(list.size() - 1));
  list.pop_back();
  channel.framings[static_cast<std::size_t>(subscription.subscriber->framing())] -= 1;
  channel.positioned -= subscription.positioned ? 1 : 0;
  metrics_.of(channel.options->index).subscriptions.sub();
  subscriptions_.destroy(&subscription);
  forget_if_empty(channel);
}

void Hub::forget_if_empty(Channel& channel) {
  if (!channel.subscribers.empty() || channel.dirty) return;
  metrics_.of(channel.options->index).channels.sub();
  if (broker_ != nullptr) broker_->unfollow(channel.name);
  by_name_.erase(channel.hash, &channel);
  std::swap(channels_[channel.index], channels_.back());
  channels_[channel.index]->index = channel.index;
  channels_.pop_back();
}

// The channel, which knows then that its stream is at `position`; null when nobody is there. A
// position without an epoch says nothing of the stream.
Channel* Hub::follow(std::string_view name, StreamPosition position) {
  Channel* channel = find(name);
  if (channel == nullptr || !position.epoch) return channel;
  // Another incarnation of the stream: nobody's position is in it.
  if (channel->position.epoch && channel->position.epoch != position.epoch) {
    lose_positions(*channel);
    channel = find(name);
    if (channel == nullptr) return nullptr;
    channel->catching_up = false;
    channel->position = position;
  }
  // What was missed counts from where those stand who missed it, not from where somebody joins.
  if (channel->catching_up) return channel;
  if (channel->position.epoch != position.epoch || channel->position.offset < position.offset)
    channel->position = position;
  return channel;
}

// --- What comes.

void Hub::on_publication(std::string_view name, const Publication& publication,
                         StreamPosition position, std::span<const std::string_view> exclude_users,
                         std::span<const std::string_view> exclude_clients) {
  // What it missed comes first, and this with it.
  if (const Channel* const behind = find(name);
      behind != nullptr && behind->catching_up && position.epoch)
    return;
  Channel* const channel = follow(name, position);
  if (channel == nullptr || channel->subscribers.empty()) return;

  Push& push = append(*channel, PushKind::publication);
  PushBatch& batch = *channel->open;
  push.offset = position.offset;
  if (!exclude_users.empty() || !exclude_clients.empty()) {
    batch.exclusions.emplace_back(exclude_users, exclude_clients);
    push.excluded = static_cast<std::uint32_t>(batch.exclusions.size());
  }
  const Epoch epoch = position.offset == 1 ? position.epoch : Epoch{};
  Publication placed = publication;
  placed.offset = position.offset;
  for (std::size_t i = 0; i < kFramings; ++i) {
    std::string& out = batch.bytes[i];
    if (channel->framings[i] > 0 &&
        !encoder_.publication(static_cast<Framing>(i), out, channel->name, placed, epoch))
      push.unfit = static_cast<std::uint8_t>(push.unfit | 1u << i);
    push.end[i] = static_cast<std::uint32_t>(out.size());
  }
  enqueue(*channel);
}

void Hub::on_join(std::string_view channel, const ClientInfo& info) {
  presence_push(channel, info, PushKind::join);
}

void Hub::on_leave(std::string_view channel, const ClientInfo& info) {
  presence_push(channel, info, PushKind::leave);
}

void Hub::presence_push(std::string_view name, const ClientInfo& info, PushKind kind) {
  Channel* const channel = find(name);
  if (channel == nullptr || channel->subscribers.empty()) return;
  Push& push = append(*channel, kind);
  for (std::size_t i = 0; i < kFramings; ++i) {
    std::string& out = channel->open->bytes[i];
    if (channel->framings[i] > 0) {
      if (kind == PushKind::join)
        encoder_.join(static_cast<Framing>(i), out, channel->name, info);
      else
        encoder_.leave(static_cast<Framing>(i), out, channel->name, info);
    }
    push.end[i] = static_cast<std::uint32_t>(out.size());
  }
  metrics_.of(channel->options->index).joins_leaves.add();
  enqueue(*channel);
}

void Hub::on_user_status(std::string_view user, std::string_view client, bool online) {
  if (options_.on_user) options_.on_user(user, client, online);
}

Push& Hub::append(Channel& channel, PushKind kind) {
  if (channel.open == nullptr) {
    channel.open = take_batch();
    channel.open->first = channel.next_push;
    channel.open->published_ns = core::sys::monotonic_ns();
  }
  ++channel.next_push;
  Push& push = channel.open->pushes.emplace_back();
  push.kind = kind;
  return push;
}

void Hub::enqueue(Channel& channel) {
  if (!channel.dirty) {
    channel.dirty = true;
    queue_.push_back(&channel);
  }
  std::size_t bytes = 0;
  for (const std::string& text : channel.open->bytes) bytes += text.size();
  const std::int64_t linger = bytes >= options_.max_batch_bytes ? 0 : options_.linger_ns;
  if (!flush_timer_.armed() || linger == 0)
    reactor_.precise().arm(flush_timer_, reactor_.now_ns() + linger);
}

std::unique_ptr<PushBatch> Hub::take_batch() {
  if (spare_.empty()) return std::make_unique<PushBatch>();
  std::unique_ptr<PushBatch> batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

// --- What leaves.

void Hub::flush() {
  std::uint32_t budget = options_.fanout_slice;
  std::size_t at = queue_front_;
  while (at < queue_.size() && budget > 0) {
    Channel& channel = *queue_[at];
    if (channel.sending == nullptr) seal(channel);
    budget -= list(channel, budget);
    if (channel.pass < channel.subscribers.size()) break;  // its rest is the next slice's
    passed_.push_back(&channel);
    ++at;
  }
  queue_front_ = at;
  // They may end while they are delivered to, and take their subscriptions along.
  for (std::size_t i = 0; i < listed_.size(); ++i)
    if (Subscription* const dirty = std::exchange(listed_[i]->dirty, nullptr))
      listed_[i]->deliver(dirty);
  listed_.clear();
  // By index: what ends meanwhile may tell others, and queue new channels.
  for (std::size_t i = 0; i < passed_.size(); ++i) finish(*passed_[i]);
  passed_.clear();
  if (queue_front_ == queue_.size()) {
    queue_.clear();
    queue_front_ = 0;
    return;
  }
  // Under load it may never be empty; those that are done must not pile up in front.
  if (queue_front_ * 2 >= queue_.size()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(queue_front_));
    queue_front_ = 0;
  }
  // In the next turn: what is due by this turn's clock would fire before the loop has looked at its
  // sockets.
  reactor_.precise().arm(flush_timer_, reactor_.now_ns() + 1);
}

// From here on its bytes do not move.
void Hub::seal(Channel& channel) {
  channel.sending = std::move(channel.open);
  channel.pass = 0;
  PushBatch& batch = *channel.sending;
  for (std::size_t i = 0; i < kFramings; ++i) {
    if (batch.bytes[i].empty()) continue;
    batch.blocks[i] = core::BlockRef::copy(as_bytes(batch.bytes[i]));
    SPATE_CHECK(batch.blocks[i]);
    batch.bytes[i].clear();
  }
  if (channel.options->slow_policy != SlowPolicy::conflate) return;
  for (std::size_t at = batch.pushes.size(); at-- > 0;) {
    const Push& push = batch.pushes[at];
    if (push.kind != PushKind::publication) continue;
    channel.newest_excluded =
        push.excluded == 0 ? nullptr
                           : std::make_unique<Exclusion>(batch.exclusions[push.excluded - 1]);
    for (std::size_t i = 0; i < kFramings; ++i) {
      channel.newest[i] = {};
      if (batch.blocks[i] && (push.unfit >> i & 1) == 0)
        channel.newest[i] =
            core::BlockRef::copy(batch.bytes_of(static_cast<Framing>(i), at, at + 1));
    }
    break;
  }
}

// Puts the next subscribers of a channel on the list of those to be delivered to; how many.
std::uint32_t Hub::list(Channel& channel, std::uint32_t budget) {
  const std::size_t count =
      std::min<std::size_t>(budget, channel.subscribers.size() - channel.pass);
  for (std::size_t i = channel.pass; i < channel.pass + count; ++i) {
    Subscription& subscription = *channel.subscribers[i];
    if (subscription.from >= channel.sending->end()) continue;  // it came later
    Subscriber& subscriber = *subscription.subscriber;
    if (subscriber.dirty == nullptr) listed_.push_back(&subscriber);
    subscription.next_dirty = subscriber.dirty;
    subscriber.dirty = &subscription;
  }
  channel.pass += count;
  return static_cast<std::uint32_t>(count);
}

void Hub::finish(Channel& channel) {
  metrics_.of(channel.options->index)
      .delivery.observe(core::sys::monotonic_ns() - channel.sending->published_ns);
  channel.sending->clear();
  if (spare_.size() < kSpareBatches) spare_.push_back(std::move(channel.sending));
  channel.sending.reset();
  channel.pass = 0;
  if (channel.open != nullptr) return queue_.push_back(&channel);
  channel.dirty = false;
  forget_if_empty(channel);
}

// --- Whether what was sent is what there is.

void Hub::tick() {
  ask_what_was_missed();
  if (broker_ == nullptr) return;
  constexpr double kTickNs = 1e9;
  due_checks_ += static_cast<double>(channels_.size()) * kTickNs /
                 static_cast<double>(options_.position_check_ns);
  due_checks_ = std::min(due_checks_, static_cast<double>(channels_.size()));
  if (!check_timer_.armed()) check_some();
}

// Without room it is the next tick that goes on: nothing says when there is some.
void Hub::check_some() {
  for (std::size_t i = 0; i < kChecksATurn; ++i) {
    if (due_checks_ < 1 || channels_.empty() || !broker_->has_room()) return;
    due_checks_ -= 1;
    checked_ = (checked_ + 1) % channels_.size();
    check_position(*channels_[checked_]);
  }
  if (due_checks_ >= 1) reactor_.precise().arm(check_timer_, reactor_.now_ns() + 1);
}

// What the broker says holds for when it is said: all events before it have come.
void Hub::check_position(Channel& channel) {
  if (channel.positioned == 0 || channel.catching_up) return;
  HistoryRequest request;
  request.channel = channel.name;
  request.history = channel.options->history;
  broker_->history(request, [this, name = channel.name](const HistoryResult& result) {
    Channel* const there = find(std::string_view(name));
    if (there != nullptr && !there->catching_up && result.error == BrokerError::none &&
        result.top != there->position)
      lose_positions(*there);
  });
}

void Hub::catch_up() {
  ++round_;
  behind_.clear();
  for (const auto& channel : channels_) {
    channel->catching_up = static_cast<bool>(channel->position.epoch);
    if (channel->catching_up) behind_.push_back(channel->name);
  }
  ask_what_was_missed();
}

void Hub::ask_what_was_missed() {
  while (!behind_.empty() && catching_up_ < kCatchUpAtOnce && broker_->has_room()) {
    const std::string name = std::move(behind_.back());
    behind_.pop_back();
    const Channel* const channel = find(std::string_view(name));
    if (channel == nullptr || !channel->catching_up) continue;
    HistoryRequest request;
    request.channel = name;
    request.history = channel->options->history;
    request.limit = -1;
    request.since = channel->position;
    ++catching_up_;
    broker_->history(request, [this, name, since = channel->position,
                               round = round_](const HistoryResult& result) {
      --catching_up_;
      take_missed(name, since, round, result);
      ask_what_was_missed();
    });
  }
}

void Hub::take_missed(const std::string& name, StreamPosition since, std::uint32_t round,
                      const HistoryResult& result) {
  Channel* channel = find(std::string_view(name));
  // Gone, or behind once more: then it is asked about again.
  if (channel == nullptr || !channel->catching_up || round != round_) return;
  if (result.error != BrokerError::none) {
    behind_.push_back(name);  // the next tick asks again
    return;
  }
  channel->catching_up = false;
  const bool whole =
      !result.wrong_epoch && (result.top.offset <= since.offset ||
                              (!result.publications.empty() &&
                               result.publications.front().publication.offset <= since.offset + 1));
  metrics_.of(channel->options->index).catch_ups[whole ? 0 : 1].add();
  if (!whole) {
    lose_positions(*channel);
    channel = find(std::string_view(name));
    if (channel != nullptr) channel->position = result.top;
    return;
  }
  for (const KeptPublication& kept : result.publications)
    on_publication(name, kept.publication, {kept.publication.offset, result.top.epoch},
                   kept.exclude_users, kept.exclude_clients);
}

// Each takes its subscription out of the list, which moves ones from behind into the hole, that
// have been seen; and the last takes the channel along. Whoever ends may take others with it.
void Hub::lose_positions(Channel& of) {
  const std::string name = of.name;
  const Channel* channel = &of;
  for (std::size_t i = of.subscribers.size(); i-- > 0 && channel != nullptr;
       channel = find(std::string_view(name))) {
    if (i >= channel->subscribers.size()) continue;
    Subscription& subscription = *channel->subscribers[i];
    if (!subscription.positioned) continue;
    metrics_.of(channel->options->index).positions_lost.add();
    subscription.subscriber->lost_position(subscription);
  }
}

}  // namespace spate::handlers::hub
