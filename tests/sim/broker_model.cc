#include "tests/sim/broker_model.h"

#include <algorithm>

namespace spate::sim {

namespace {

constexpr std::int64_t kResultMs = 300'000;

void require(bool condition, const std::string& what) {
  if (!condition) throw Contradiction(what);
}

std::string text(StreamPosition position) {
  return std::to_string(position.offset) + "@" + std::string(position.epoch.text());
}

}  // namespace

BrokerModel::Fate BrokerModel::fate(const ChannelModel& channel, std::int64_t now) const {
  if (!channel.exists) return Fate::gone;
  std::int64_t deadline = channel.used_ms + policy_.meta_ttl_ms;
  if (channel.position.offset > 0)
    deadline = std::max(deadline, channel.published_ms + policy_.ttl_ms);
  if (now < deadline) return evicts_ && forgotten_ ? Fate::either : Fate::lives;
  return restarted_ ? Fate::either : Fate::gone;
}

void BrokerModel::expire(ChannelModel& channel, std::int64_t now) const {
  if (now >= channel.published_ms + policy_.ttl_ms) channel.kept.clear();
}

void BrokerModel::begin(ChannelModel& channel, Epoch epoch) {
  require(bool(epoch), "a stream without an epoch");
  require(epochs_.emplace(epoch.packed(), true).second, "an epoch came back");
  channel = {};
  channel.exists = true;
  channel.position.epoch = epoch;
}

void BrokerModel::observe(std::size_t index, const Observed& seen, std::int64_t now) {
  ChannelModel& channel = channels_[index];
  const Fate fate = this->fate(channel, now);
  expire(channel, now);
  if (channel.exists && seen.top.epoch == channel.position.epoch) {
    require(fate != Fate::gone, "a stream outlived its time");
    require(seen.top == channel.position,
            "the top is " + text(seen.top) + ", not " + text(channel.position));
    if (evicts_)  // the oldest may have gone
      while (channel.kept.size() > seen.kept.size()) channel.kept.pop_front();
    require(std::ranges::equal(seen.kept, channel.kept),
            "channel " + std::to_string(index) + " keeps " + std::to_string(seen.kept.size()) +
                " publications that are not the last " + std::to_string(channel.kept.size()));
  } else {
    require(fate != Fate::lives,
            "a stream was forgotten before its time, at " + text(channel.position));
    begin(channel, seen.top.epoch);
    require(seen.top.offset == 0 && seen.kept.empty(), "a new stream is not empty");
  }
  channel.used_ms = now;
}

void BrokerModel::published(std::size_t index, const std::string& data, std::uint64_t version,
                            StreamPosition position, std::int64_t now) {
  ChannelModel& channel = channels_[index];
  const Fate fate = this->fate(channel, now);
  expire(channel, now);
  if (channel.exists && position.epoch == channel.position.epoch)
    require(fate != Fate::gone, "a publication into a stream that outlived its time");
  else
    require(fate != Fate::lives, "a publication began a new stream before the old one's time");
  if (!channel.exists || position.epoch != channel.position.epoch) begin(channel, position.epoch);
  require(position.offset == channel.position.offset + 1,
          "a publication got " + text(position) + " after " + text(channel.position));
  channel.position = position;
  channel.kept.emplace_back(position.offset, data);
  while (channel.kept.size() > policy_.size) channel.kept.pop_front();
  channel.published_ms = channel.used_ms = now;
  if (version > 0) channel.version = version;
}

bool BrokerModel::outdated(std::size_t index, std::uint64_t version) const {
  const ChannelModel& channel = channels_[index];
  return channel.exists && version > 0 && version <= channel.version;
}

const StreamPosition* BrokerModel::result(const std::string& key, std::int64_t now) const {
  const auto found = results_.find(key);
  if (found == results_.end() || now - found->second.time_ms >= kResultMs) return nullptr;
  return &found->second.position;
}

}  // namespace spate::sim
