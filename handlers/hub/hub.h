// The channels of one worker, and the way of a publication to its subscribers.
//
// What the broker brings is encoded and queued for its channel; at the end of the turn (or
// --linger-us later) the queues are flushed: everything that a connection is due in all its
// channels leaves in one send. At most --fanout-slice subscriptions are served before the loop
// looks at its sockets again, so that a large channel does not hold up everybody else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/pointer_index.h"
#include "core/reactor.h"
#include "core/siphash.h"
#include "core/slab.h"
#include "handlers/hub/broker.h"
#include "handlers/hub/channel.h"
#include "handlers/hub/hub_metrics.h"

namespace spate::handlers::hub {

// Somebody with subscriptions. Told on the worker's thread.
class Subscriber {
 public:
  virtual Framing framing() const = 0;
  // Its subscriptions with something in their channel's batch, linked by next_dirty. It may end
  // meanwhile.
  virtual void deliver(Subscription* listed) = 0;
  // Its position is not the stream's: the subscription cannot go on. It ends it.
  virtual void lost_position(Subscription& subscription) = 0;

  Subscription* dirty = nullptr;  // the hub's: what the next deliver() will be given

 protected:
  ~Subscriber() = default;
};

// Makes a push into finished bytes.
class PushEncoder {
 public:
  // Appends it, or returns false and appends nothing: the payload cannot be said in that framing.
  // `epoch` goes with the first publication of a stream.
  virtual bool publication(Framing framing, std::string& out, std::string_view channel,
                           const Publication& publication, Epoch epoch) = 0;
  virtual void join(Framing framing, std::string& out, std::string_view channel,
                    const ClientInfo& info) = 0;
  virtual void leave(Framing framing, std::string& out, std::string_view channel,
                     const ClientInfo& info) = 0;

 protected:
  ~PushEncoder() = default;
};

class Hub final : public BrokerSink {
 public:
  struct Options {
    std::uint32_t fanout_slice = 1024;
    std::int64_t linger_ns = 0;
    std::uint64_t max_batch_bytes = 64 * 1024;  // of a channel: then it does not linger
    std::int64_t position_check_ns = 40'000'000'000;
    std::function<void(std::string_view user, std::string_view client, bool online)> on_user{};
  };

  Hub(core::Reactor& reactor, PushEncoder& encoder, HubMetrics& metrics, const Options& options);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // Position checks ask it; set before the first tick.
  void set_broker(Broker& broker) { broker_ = &broker; }

  // Whoever is subscribed here sees what comes from now on. `position` is where the stream is;
  // without an epoch: not known. When it is another incarnation's, those who were there before lose
  // theirs first.
  Subscription& add(Subscriber& subscriber, std::string_view channel, const ChannelOptions& options,
                    bool positioned, StreamPosition position);
  // Nothing that is on its way reaches it any more.
  void remove(Subscription& subscription);

  const Channel* find(std::string_view channel) const;
  template <typename Visit>
  void for_each_channel(Visit&& visit) const {
    for (const auto& channel : channels_) visit(std::as_const(*channel));
  }
  std::size_t channel_count() const { return channels_.size(); }

  void on_publication(std::string_view channel, const Publication& publication,
                      StreamPosition position, std::span<const std::string_view> exclude_users,
                      std::span<const std::string_view> exclude_clients) override;
  void on_join(std::string_view channel, const ClientInfo& info) override;
  void on_leave(std::string_view channel, const ClientInfo& info) override;
  void on_user_status(std::string_view user, std::string_view client, bool online) override;

  // Something may not have come out of the broker: what each channel with a position has missed is
  // fetched from its history, in bounded steps. Until that has come nothing else goes to it. Where
  // the history does not reach back, positions are lost.
  void catch_up();

  // Channels that one turn of the loop compares with what the broker says of them.
  static constexpr std::size_t kChecksATurn = 64;
  // Once a second: a share of the channels is due to be compared, which this turn and the next ones
  // do. What there is no room for in the broker stays due.
  void tick();
  // One slice of what waits. For tests and for those who cannot wait; the loop does it by itself.
  void flush();
  bool caught_up() const { return behind_.empty() && catching_up_ == 0; }
  bool idle() const { return queue_.size() == queue_front_; }

 private:
  Channel* find(std::string_view channel);
  Channel* follow(std::string_view channel, StreamPosition position);
  Push& append(Channel& channel, PushKind kind);
  void presence_push(std::string_view channel, const ClientInfo& info, PushKind kind);
  void enqueue(Channel& channel);
  void seal(Channel& channel);
  std::uint32_t list(Channel& channel, std::uint32_t budget);
  void finish(Channel& channel);
  void forget_if_empty(Channel& channel);
  void check_some();
  void check_position(Channel& channel);
  void ask_what_was_missed();
  void take_missed(const std::string& name, StreamPosition since, std::uint32_t round,
                   const HistoryResult& result);
  void lose_positions(Channel& channel);
  std::unique_ptr<PushBatch> take_batch();

  core::Reactor& reactor_;
  PushEncoder& encoder_;
  HubMetrics& metrics_;
  const Options options_;
  Broker* broker_ = nullptr;
  core::PreciseTimer flush_timer_;
  core::PreciseTimer check_timer_;
  core::Slab<Subscription> subscriptions_;
  const core::HashKey key_;  // channels' names are others' to choose
  core::PointerIndex<Channel> by_name_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<std::string> behind_;  // channels that missed something and have not been asked about
  std::size_t catching_up_ = 0;      // that have, and are not answered
  std::uint32_t round_ = 0;          // of catching up: answers of an earlier one are too old
  std::size_t checked_ = 0;          // of channels_, in the round of position checks
  double due_checks_ = 0;            // channels that are due for one, with what was left over

  std::vector<Channel*> queue_;  // dirty channels; those before queue_front_ are done
  std::size_t queue_front_ = 0;
  std::vector<Subscriber*> listed_;  // in this slice
  std::vector<Channel*> passed_;     // whose batch has reached the last subscriber in this slice
  std::vector<std::unique_ptr<PushBatch>> spare_;
};

}  // namespace spate::handlers::hub
