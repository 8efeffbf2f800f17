// A worker's end of the bus (core/bus_memory.h): the broker as the hub sees it, when it is in a
// process of its own (bus_server.h).
//
// Requests leave in their order and are answered in that order, later. What cannot be written for
// want of room waits on the heap; then has_room() is false, and nobody should ask for more. What
// has not been answered for kPatienceNs is answered with `unavailable`: it stays in the ring and
// may be done yet.
//
// Events and replies come in rings of their own, but are seen in one order: each reply says where
// the events were when it was made, and is held back, or events are, until that is where we are. So
// whoever asks for a channel's position has seen everything before it, and sees everything behind.
//
// A reading is answered with the places of what was asked for, in the log, which workers map too: a
// publication is copied once, from the log, and the broker copies none.
//
//   lapped          some events are gone: on_lost() asks what the channels that matter have missed
//   broker started  nothing is gone, but something may have been ordered and not come out, and who
//                   is here is not known any more: on_lost(), and everything is announced again
//
// One thread, of the worker.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/bus_memory.h"
#include "core/log_reader.h"
#include "handlers/hub/broker.h"
#include "handlers/hub/bus_message.h"
#include "handlers/hub/bus_metrics.h"
#include "handlers/hub/log_record.h"
#include "handlers/hub/workers.h"

namespace spate::handlers::hub {

class BusBroker final : public Broker, public Workers {
 public:
  static constexpr std::int64_t kPatienceNs = 3'000'000'000;
  static constexpr std::size_t kMaxWaitingBytes = 64 << 20;  // on the heap
  static constexpr std::size_t kMaxQuestionBytes = 96 << 10;
  static constexpr std::size_t kAnswerPieceBytes = 64 << 10;

  // What the bus asks of the worker.
  struct Home {
    // Some events never came: positions must be looked at.
    std::function<void()> on_lost;
    // Say again who is here, a few at a time: the first call begins, the one that returns true
    // was the last.
    std::function<bool(bool begin)> announce;
    // Every channel that somebody here is subscribed to.
    std::function<void(const std::function<void(std::string_view)>&)> each_channel;
  };

  BusBroker(core::BusView& view, std::uint32_t slot, const core::LogMemory& log, BrokerSink& sink,
            Home home, BusMetrics* metrics = nullptr,
            std::function<std::int64_t()> monotonic_ns = core::sys::monotonic_ns);
  ~BusBroker() override;

  // From here on. What was on its way to the slot's last process is not ours.
  void open();
  // Takes what has come, at most so many bytes. Whether more has.
  bool drain(std::size_t most_bytes);
  // Whether something has come that was not taken.
  bool has_news() const {
    return events_.cursor() != events_.head() || replies_.cursor() != replies_.head();
  }
  // Before the worker sleeps. False: something has come.
  bool may_sleep();

  void publish(const PublishRequest& request, const Done<PublishResult>& done) override;
  void history(const HistoryRequest& request, const Done<HistoryResult>& done) override;
  void remove_history(std::string_view channel, const Done<BrokerError>& done) override;
  void add_presence(std::string_view channel, const ClientInfo& info, bool tells_leave) override;
  void remove_presence(std::string_view channel, std::string_view client) override;
  void presence(std::string_view channel, const Done<PresenceResult>& done) override;
  void presence_stats(std::string_view channel, const Done<PresenceStats>& done) override;
  void publish_join(std::string_view channel, const ClientInfo& info) override;
  void publish_leave(std::string_view channel, const ClientInfo& info) override;
  void user_connected(std::string_view user, std::string_view client,
                      std::uint32_t connections) override;
  void user_gone(std::string_view user, std::string_view client,
                 std::uint32_t connections) override;
  void user_status(std::string_view user, const Done<UserStatus>& done) override;
  void follow(std::string_view channel) override;
  void unfollow(std::string_view channel) override;
  void tick(std::int64_t now_ns) override;
  bool has_room() const override { return waiting_.empty(); }
  bool current() const override { return events_.cursor() == events_.head(); }
  void when_current(std::function<void()> done) override;

  void ask_all(Topic topic, std::string_view question, const Heard& heard) override;
  void ask(std::uint32_t slot, Topic topic, std::string_view question, const Heard& heard) override;
  std::uint32_t own_slot() const override { return slot_; }

 private:
  struct HistoryPending {
    HistoryRequest request;
    std::string payload;  // which its views lie in, and which finds the same question again
    std::vector<Done<HistoryResult>> done;
    std::uint32_t tries = 0;
  };
  struct PresencePending {
    std::string channel;
    std::vector<std::string> pages;  // as they came: what the entries point into
    Done<PresenceResult> done;
  };
  using Answer = std::variant<std::monostate, Done<PublishResult>, std::unique_ptr<HistoryPending>,
                              Done<BrokerError>, std::unique_ptr<PresencePending>,
                              Done<PresenceStats>, Done<UserStatus>>;
  struct Request {
    std::uint64_t begin = 0;  // its position, once it is in the ring
    std::int64_t deadline_ns = 0;
    std::size_t reserved = 0;  // of the replies
    Answer answer;             // monostate: nobody waits any more
  };
  struct Waiting {
    BusRequest kind;
    std::string payload;
    Request request;
  };
  struct Question {
    Heard heard;
    std::unordered_map<std::uint32_t, std::string> answers;
    std::int64_t deadline_ns = 0;
  };

  static std::size_t history_reply_bytes(const HistoryRequest& request);
  void send(BusRequest kind, std::size_t reply_bytes, Answer answer);
  bool write(BusRequest kind, ConstBytes payload, Request& request);
  void write_waiting();
  void give_up(Answer& answer, BrokerError error);
  void expire(std::int64_t now_ns);

  void take_reply(const core::RingRecord& record);
  void take_answer(BusReply kind, BusParser& parser, Answer& answer, bool stale);
  void take_history(BusParser& parser, std::unique_ptr<HistoryPending> pending, bool stale);
  void ask_again(std::unique_ptr<HistoryPending> pending);
  void take_presence(BusParser& parser, std::unique_ptr<PresencePending> pending);
  void take_event(const core::RingRecord& record);
  void take_question(BusParser& parser);
  void send_answer(std::uint64_t generation, std::uint64_t key, std::string_view answer);
  void started(std::uint64_t generation);
  void announce_more();
  void tell_current();
  void look_at_numbers(const core::RingRecord& record);
  void set_interest(std::string_view channel);
  void tell_interest_again();
  void question_to(std::uint32_t slot, Topic topic, std::string_view question, const Heard& heard);

  core::BusView& view_;
  const std::uint32_t slot_;
  const core::LogReader log_;
  BrokerSink& sink_;
  const Home home_;
  const core::MetricsOf<BusMetrics> metrics_;
  const std::function<std::int64_t()> monotonic_ns_;
  core::BusWorkerWords& words_;
  core::RingWriter requests_;
  core::RingReader replies_;
  core::RingReader events_;
  const std::unique_ptr<std::byte[]> event_;  // the copy of the one in hand
  const std::uint64_t generation_;

  std::deque<Request> unanswered_;  // in the ring, oldest first
  std::size_t reserved_ = 0;
  std::deque<Waiting> waiting_;  // for room
  std::size_t waiting_bytes_ = 0;
  std::unordered_map<std::string_view, HistoryPending*> readings_;  // not answered, by payload
  std::unordered_map<std::uint64_t, Question> questions_;
  // Who waits for the events up to a position to have been seen.
  std::deque<std::pair<std::uint64_t, std::function<void()>>> not_current_;
  std::uint64_t next_question_ = 0;

  std::uint64_t next_event_ = 0;  // its number
  std::uint64_t lost_to_ = 0;     // where we went on after some were lost
  bool any_event_ = false;        // next_event_ is known
  std::uint64_t broker_ = 0;      // the generation of the broker that we have last announced to
  bool closed_ = false;           // nothing is sent any more
  bool took_unasked_ = false;     // in this drain()
  bool announcing_ = false;
  bool announce_begins_ = false;
  std::size_t unfollowed_ = 0;  // whose interest may still be told
  std::string payload_;
  BusLists lists_;
  std::vector<std::byte> records_;
  PublicationReader reader_;
};

}  // namespace spate::handlers::hub
