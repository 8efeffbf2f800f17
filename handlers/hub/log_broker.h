// The broker whose truth is a log (core/record_log.h): one process orders all channels, every
// request is answered before its call returns, and a broker that is made over the log of one that
// was killed goes on where that one was. What the log has is history, positions, versions and the
// outcomes of requests with idempotency keys, and who is online; presence lives with the worker.
//
// A publication without history or key is passed on and touches no log. Otherwise it becomes one
// record, committed by one store before anybody hears of it; then it comes out at the sink, then
// its request is answered.
//
// When the log is full: segments that are thinly used are copied together; then what is kept of the
// channel that has gone unpublished the longest goes (its subscribers do not recover); then whole
// streams go, the longest unused first (they come back in a new epoch). Each is counted and, once a
// second at most, logged. Outcomes of keys never go early: a request that finds no room even so is
// refused.
//
// While `done` of a reading looks at the log, nothing in it moves: a request that is made from
// within may be refused for want of room that would be found a moment later.
//
// Cost (bench/micro/broker.cc): 20 ns for a publication that is passed on, 0.3 µs for one of 64
// bytes that is kept, 35 ns for each one read, 0.4 µs for each record that is read at the start,
// without allocations but for what grows. Up to 176 bytes of heap for an idle stream, and 80 and
// its channel's name in the log. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/record_log.h"
#include "core/result.h"
#include "core/sys.h"
#include "handlers/hub/broker.h"
#include "handlers/hub/broker_metrics.h"
#include "handlers/hub/join_leave_cap.h"
#include "handlers/hub/log_record.h"
#include "handlers/hub/presence_table.h"
#include "handlers/hub/result_table.h"
#include "handlers/hub/stream_index.h"
#include "handlers/hub/user_table.h"

namespace spate::handlers::hub {

struct BrokerClock {
  std::function<std::int64_t()> monotonic_ns = core::sys::monotonic_ns;
  std::function<std::int64_t()> wall_ms = core::sys::wall_ms;
};

struct LogBrokerOptions {
  std::int64_t presence_grace_ms = 5000;  // from a user's last connection to its being offline
};

class LogBroker final : public Broker {
 public:
  // `metrics` null: its own. Nothing is called before open() has said yes.
  LogBroker(core::LogMemory& memory, BrokerSink& sink, const LogBrokerOptions& options,
            BrokerMetrics* metrics = nullptr, BrokerClock clock = {});

  // Reads the log. The error says what is damaged in it; then only LogMemory::clear() helps.
  core::Result<bool> open();

  void publish(const PublishRequest& request, const Done<PublishResult>& done) override;
  void history(const HistoryRequest& request, const Done<HistoryResult>& done) override;
  void remove_history(std::string_view channel, const Done<BrokerError>& done) override;
  void add_presence(std::string_view channel, const ClientInfo& info, bool tells_leave) override {
    add_presence_of(0, channel, info, tells_leave);
  }
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
  void tick(std::int64_t now_ns) override;

  // --- For a broker that serves several workers (bus_server.h).

  // Called with what a request will have come to, before the one store that makes it so.
  void set_before_commit(std::function<void(const PublishResult&)> call) {
    before_commit_ = std::move(call);
  }
  // As history(), but tells where in the log the publications are.
  HistoryResult locate(const HistoryRequest& request, std::vector<core::LogPlace>& places);
  // Presence by whose it is, so that it can go all at once.
  void add_presence_of(std::uint32_t owner, std::string_view channel, const ClientInfo& info,
                       bool tells_leave);
  using Removed =
      std::function<void(std::string_view channel, const ClientInfo& info, bool tells_leave)>;
  void remove_presence_of(std::uint32_t owner, const Removed& removed);

  BrokerMetrics& metrics() { return *metrics_; }
  core::RecordLog& log() { return log_; }
  std::size_t heap_bytes_of_streams() const { return streams_.bytes(); }

 private:
  // While somebody looks at what is in the log, nothing in it moves and no segment is freed.
  class Pin {
   public:
    explicit Pin(std::uint32_t& pins) : pins_(pins) { ++pins_; }
    ~Pin() { --pins_; }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

   private:
    std::uint32_t& pins_;
  };
  class Rebuild;

  std::int64_t now_ms() const { return clock_.monotonic_ns() / 1'000'000; }

  // Publishing.
  PublishResult order(const PublishRequest& request);
  PublishResult order_kept(const PublishRequest& request, PublicationRecord& record,
                           std::int64_t now);
  bool outdated(const PublishRequest& request, const Stream* stream) const;
  void keep_result(const ResultRecord& result, bool suppressed);
  void remember(const KeyHash& key, std::int64_t time, core::LogPlace place);

  // Streams and their history (log_streams.cc). A stream may only be held until the next
  // find_room().
  Stream* live_stream(std::uint64_t hash, std::string_view channel, std::int64_t now);
  Stream& begin_stream(std::uint64_t hash);
  void append(Stream& stream, const PublishRequest& request, PublicationRecord& record,
              std::int64_t now);
  bool expire(Stream& stream, std::int64_t now);  // whether the stream itself is still there
  void drop_oldest(Stream& stream);
  void drop_kept(Stream& stream);
  void forget(Stream& stream);
  StreamRecord record_of(const Stream& stream) const;
  void write_state(Stream& stream, const StreamRecord& record, std::int64_t now);
  void set_state(Stream& stream, core::LogPlace place);
  void set_deadlines(Stream& stream);
  void renew(Stream& stream, std::int64_t meta_ttl_ms, bool room, std::int64_t now);
  Stream* stream_to_read(const HistoryRequest& request, HistoryResult& result);
  template <typename Take>
  static void for_range(const Stream& stream, const HistoryRequest& request, Take&& take);

  // Users (log_users.cc).
  void on_user_status(std::string_view user, std::string_view client, bool online);

  // Records and their memory (log_room.cc).
  DecodedRecord decode_at(core::LogPlace place) const;
  // What it told of `stream`, or of a key, may have become another's to tell: it shrinks to what it
  // still tells, or dies. Null: no stream wants it.
  void release(const Stream* stream, core::LogPlace place);
  Stream* stream_of(core::LogPlace place) const;
  void expire_results(std::int64_t now);
  bool find_room(std::size_t payload_bytes);
  bool make_room(std::size_t payload_bytes);
  bool evict();
  void compact(std::uint32_t segment);
  void copy_forward(const core::RecordLog::Record& record);
  void copy_user_forward(const core::RecordLog::Record& record, std::string_view name);
  void tidy();
  void count_memory();

  const BrokerClock clock_;
  BrokerSink& sink_;
  core::MetricsOf<BrokerMetrics> metrics_;
  core::RecordLog log_;
  StreamIndex streams_;
  ResultTable results_;
  PresenceTable presence_;
  UserTable users_;
  JoinLeaveCap join_leave_cap_;
  PublicationReader reader_;  // kept for its memory
  std::function<void(const PublishResult&)> before_commit_;
  std::uint32_t pins_ = 0;
};

}  // namespace spate::handlers::hub
