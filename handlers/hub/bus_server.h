// The broker process's end of the bus: takes the workers' requests out of their rings, has the log
// order them (log_broker.h), and writes what comes of it into the rings of events and replies.
//
// Killed anywhere and made again, it does each request that changes something once. Before a
// request commits, what it will have come to is written down as an intent (core/bus_memory.h); what
// it commits in, the log or the ring of events, moves by one store. So its successor sees of each
// slot's last request whether it was done, repeats its answer, which the worker passes over if it
// has had it, and goes on behind it. What commits nothing is done again.
//
//   publication with history or key   commits in the log, comes out as an event behind that. Should
//                                     the broker be killed between the two, workers fetch it from
//                                     the log when the next one says that it has started
//   without                           commits as the event that it is
//
// Presence is on the heap, and how many connections users have. After a start workers say it again;
// until all of them have, nobody is told who is there, and no join or leave comes out. They go with
// their worker: when the master has told that a generation has ended, and what it left in its ring
// is served.
//
// Nothing here waits for a worker. Unasked, a worker is told something only while what it has not
// read of that is below a bound; the rest waits on the heap.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/bus_memory.h"
#include "handlers/hub/bus_message.h"
#include "handlers/hub/bus_metrics.h"
#include "handlers/hub/log_broker.h"
#include "handlers/hub/workers.h"

namespace spate::handlers::hub {

class BusServer final : public BrokerSink {
 public:
  static constexpr std::size_t kMaxPlaces = 8192;  // of a reading, in one reply
  static constexpr std::size_t kPresencePageBytes = 48 << 10;
  static constexpr std::size_t kReplyRoom = 96;               // what every reply needs at least
  static constexpr std::size_t kUnaskedBytes = 256 << 10;     // unread, of a worker
  static constexpr std::size_t kMaxUnaskedBytes = 128 << 10;  // one of them
  static constexpr std::size_t kMaxQueuedBytes = 64 << 20;    // on the heap, of a worker

  struct Options {
    LogBrokerOptions log;
    // A user came or went: to be told once, by the broker's process.
    std::function<void(std::string_view user, std::string_view client, bool online)> on_user{};
  };

  BusServer(core::BusView& view, core::LogMemory& memory, Options options,
            BrokerMetrics* broker_metrics = nullptr, BusMetrics* metrics = nullptr,
            BrokerClock clock = {});
  ~BusServer();

  // Goes on where the last one was. The error says what is damaged in the log.
  core::Result<bool> open();

  // Serves what waits, at most so many requests, and wakes who was answered or told. Whether more
  // waits.
  bool serve(std::size_t most_requests);
  // Before it sleeps: from here on workers wake it. False: something waits already.
  bool may_sleep();
  // Once a second or so.
  void tick(std::int64_t now_ns);

  LogBroker& broker() { return broker_; }
  bool syncing() const { return syncing_; }

  void on_publication(std::string_view channel, const Publication& publication,
                      StreamPosition position, std::span<const std::string_view> exclude_users,
                      std::span<const std::string_view> exclude_clients) override;
  void on_join(std::string_view channel, const ClientInfo& info) override;
  void on_leave(std::string_view channel, const ClientInfo& info) override;
  void on_user_status(std::string_view user, std::string_view client, bool online) override;

 private:
  struct Unasked {
    BusReply kind;
    std::string payload;
  };
  struct Slot {
    Slot(const core::RingReader& reader, const core::RingWriter& writer)
        : requests(reader), replies(writer) {}
    core::RingReader requests;
    core::RingWriter replies;
    std::uint64_t generation = 0;  // whose requests are served; 0: nobody's yet
    std::uint64_t announced = 0;   // the generation of the broker that it has told all
    std::uint32_t intent = 0;      // which one is written next
    bool wake = false;
    std::unordered_map<std::string, std::uint32_t> users;  // connections there
    std::deque<Unasked> queue;
    std::size_t queued_bytes = 0;
    std::deque<std::pair<std::uint64_t, std::size_t>> unread;  // ends and bytes
    std::size_t unread_bytes = 0;
  };
  struct Question {
    std::uint32_t asker;
    std::uint64_t asker_generation;
    std::uint64_t id;  // the asker's
    std::vector<std::uint32_t> missing;
    std::int64_t asked_ns;
  };
  // The request that is being served.
  struct InHand {
    Slot* slot = nullptr;
    std::uint32_t index = 0;
    core::RingRecord record;
    bool intended = false;
  };

  // Starting (bus_recovery.cc).
  void resume(std::uint32_t index);
  bool committed(const core::BusIntent& intent) const;
  void intend(core::BusIntent::Commits commits, const PublishResult& result);
  void check_synced();
  void end_generation(std::uint32_t index, std::uint64_t generation);
  void forget(std::uint32_t index);

  bool serve_slot(std::uint32_t index, std::size_t& left);
  void handle(const core::RingRecord& record);
  void publish(BusParser& parser);
  void history(BusParser& parser);
  void presence(BusParser& parser);
  void join(std::string_view channel, const ClientInfo& info);
  void leave(std::uint32_t index, std::string_view channel, const ClientInfo& info);
  void user(BusParser& parser);
  void set_connections(std::uint32_t index, std::string_view user, std::string_view client,
                       std::uint32_t count);
  void reply(BusReply kind, BusWriter& payload);
  void reply_published(const PublishResult& result);
  void emit(BusEvent kind, std::string_view channel, std::uint64_t hash);
  void wake_those_behind();

  // Workers that ask each other (bus_questions.cc).
  void question(BusParser& parser);
  void answer(BusParser& parser);
  void lose_answers_of(std::uint32_t index);
  void finish(std::uint64_t key);
  void tell(std::uint32_t index, BusReply kind, std::string payload);
  bool can_tell(std::uint32_t index);
  void tell_queued(std::uint32_t index);
  bool alive(std::uint32_t index) const;

  core::BusView& view_;
  core::LogMemory& memory_;
  const Options options_;
  const BrokerClock clock_;
  core::MetricsOf<BrokerMetrics> broker_metrics_;
  core::MetricsOf<BusMetrics> metrics_;
  LogBroker broker_;
  core::RingWriter events_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::uint32_t next_slot_ = 0;
  std::uint64_t generation_ = 0;
  bool syncing_ = true;
  InHand in_hand_;
  std::map<std::uint64_t, Question> questions_;  // by a number of ours
  std::uint64_t next_question_ = 0;
  std::uint64_t looked_behind_ = 0;  // events' head at the last look at who is far behind
  BusLists lists_;
  std::vector<core::LogPlace> places_;
  std::string payload_;  // of a reply
  std::string event_;    // of an event
};

}  // namespace spate::handlers::hub
