// What a broker must be able to tell of its channels, kept in the plainest way: the oracle of the
// crash simulator. Whatever contradicts it is thrown as a Contradiction.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "handlers/hub/broker.h"

namespace spate::sim {

using namespace handlers::hub;  // NOLINT: what it is all about

struct Contradiction : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a reading of everything showed.
struct Observed {
  StreamPosition top;
  std::vector<std::pair<std::uint64_t, std::string>> kept;  // offset and data
};

struct ChannelModel {
  bool exists = false;
  StreamPosition position;
  std::deque<std::pair<std::uint64_t, std::string>> kept;
  std::int64_t published_ms = 0;
  std::int64_t used_ms = 0;
  std::uint64_t version = 0;
};

class BrokerModel {
 public:
  // `evicts`: the log is too small for everything, so history may go early, and streams too.
  BrokerModel(HistoryPolicy policy, std::size_t channels, bool evicts)
      : policy_(policy), evicts_(evicts), channels_(channels) {}

  const HistoryPolicy& policy() const { return policy_; }
  const ChannelModel& channel(std::size_t index) const { return channels_[index]; }
  std::size_t channels() const { return channels_.size(); }

  // The broker was killed and reads its deadlines from the log, which may tell later ones.
  void restarted() { restarted_ = true; }
  // Streams may have gone since the last time.
  void streams_were_evicted() { forgotten_ = true; }

  void observe(std::size_t channel, const Observed& seen, std::int64_t now);
  void published(std::size_t channel, const std::string& data, std::uint64_t version,
                 StreamPosition position, std::int64_t now);
  void removed(std::size_t channel) { channels_[channel].kept.clear(); }
  // Of a channel that has just been observed.
  bool outdated(std::size_t channel, std::uint64_t version) const;

  // Outcomes of keys. Null: none, or none any more.
  const StreamPosition* result(const std::string& key, std::int64_t now) const;
  void keep_result(const std::string& key, StreamPosition position, std::int64_t now) {
    results_[key] = {position, now};
  }

 private:
  enum class Fate { lives, gone, either };
  Fate fate(const ChannelModel& channel, std::int64_t now) const;
  void expire(ChannelModel& channel, std::int64_t now) const;
  void begin(ChannelModel& channel, Epoch epoch);

  struct Result {
    StreamPosition position;
    std::int64_t time_ms;
  };

  const HistoryPolicy policy_;
  const bool evicts_;
  bool restarted_ = false;
  bool forgotten_ = false;
  std::vector<ChannelModel> channels_;
  std::map<std::string, Result> results_;
  std::map<std::uint64_t, bool> epochs_;  // all that there were
};

}  // namespace spate::sim
