// Which metrics there are, and where in memory each one lies.
//
// A group is a struct of counters, gauges and histograms (core/metrics.h); its rows name its
// members for Prometheus. Groups are laid out one after another in a block, and there are as many
// blocks as a scope needs:
//
//   worker     one a worker slot, in shared memory. Written by the slot's worker. Summed over the
//              workers when it is read, or told apart by a label `worker`
//   instance   one, in shared memory. What the master counts, or each process in a struct of its
//   own scrape     one, of whoever answers a scrape, filled anew each time: what nobody need count
//
//   struct ChatMetrics { core::Counter messages; std::array<core::Counter, 2> refusals; };
//
//   auto rows = table.group<ChatMetrics>(MetricScope::worker);
//   rows.add("chat_messages_total", "Messages said.", &ChatMetrics::messages);
//   rows.add("chat_refusals_total", "Messages refused, by reason.", &ChatMetrics::refusals,
//            "reason", {"rude", "long"});
//   group_ = rows.group();                  // MetricGroup<ChatMetrics>; later view.of(group_)
//
// Filled in the master, before shared memory is made; read only from then on. A row that breaks a
// rule of names is our own bug, found at start-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base.h"
#include "core/metrics.h"

namespace spate::core {

enum class MetricScope : std::uint8_t { worker, instance, scrape };
inline constexpr std::size_t kMetricScopes = 3;
enum class MetricKind : std::uint8_t { counter, gauge, histogram };

// Where a group lies in its scope's block.
template <typename T>
struct MetricGroup {
  MetricScope scope = MetricScope::worker;
  std::uint32_t offset = 0;
  std::uint32_t count = 0;  // of structs, one a value of the group's label
};

struct MetricLabel {
  std::string name;
  std::vector<std::string> values;
  std::uint32_t unnamed = 0;  // instead of `values`: how many there may be
};

// One cell: a sample, or a histogram's samples.
struct MetricSeries {
  std::uint32_t offset;  // in the block
  std::string labels;    // as in the text format, without braces; may be empty
  bool named = true;     // false: not in the text
};

// All that goes by one name. The rows of several groups may join in one family, with the same
// label; the first one brings the help.
struct MetricFamily {
  std::string name;
  std::string help;
  MetricKind kind;
  MetricScope scope;
  bool nanoseconds;  // the cells hold them; the name ends in _seconds or _seconds_total
  std::vector<MetricLabel> labels;
  std::vector<MetricSeries> series;
};

// The cells of one row, before they become series.
struct MetricRow {
  std::string_view name;
  std::string_view help;
  MetricKind kind;
  MetricScope scope;
  std::uint32_t offset;  // of the first struct's first cell
  std::uint32_t struct_bytes;
  std::uint32_t cell_bytes;
  MetricLabel outer;  // one value a struct, or without a name
  MetricLabel inner;  // one value a cell, or without a name
};

class MetricTable;

template <typename T>
concept MetricCell =
    std::is_same_v<T, Counter> || std::is_same_v<T, Gauge> || std::is_same_v<T, Histogram>;

// Names the members of a group. Lives no longer than the table.
template <typename T>
class MetricRows {
 public:
  MetricRows(MetricTable& table, MetricGroup<T> group, MetricLabel label)
      : table_(table), group_(group), label_(std::move(label)), sample_(std::make_unique<T>()) {}

  // One cell. Names as Prometheus has them: a counter ends in _total; what ends in _seconds or
  // _seconds_total is counted in nanoseconds, and a histogram is; what is in bytes says so.
  template <MetricCell Cell>
  void add(std::string_view name, std::string_view help, Cell T::*member);
  // One cell, under one value of a label: other rows of the family have the others.
  template <MetricCell Cell>
  void add(std::string_view name, std::string_view help, Cell T::*member, std::string_view label,
           std::string_view value);
  // One cell for each of the label's values.
  template <MetricCell Cell, std::size_t N>
  void add(std::string_view name, std::string_view help, std::array<Cell, N> T::*member,
           std::string_view label, const std::vector<std::string>& values);

  MetricGroup<T> group() const { return group_; }

 private:
  template <MetricCell Cell>
  static constexpr MetricKind kind_of() {
    if constexpr (std::is_same_v<Cell, Counter>) return MetricKind::counter;
    if constexpr (std::is_same_v<Cell, Gauge>) return MetricKind::gauge;
    if constexpr (std::is_same_v<Cell, Histogram>) return MetricKind::histogram;
  }
  template <MetricCell Cell>
  MetricRow row(std::string_view name, std::string_view help, std::uint32_t offset,
                MetricLabel label) const {
    return {name,      help,         kind_of<Cell>(), group_.scope,    group_.offset + offset,
            sizeof(T), sizeof(Cell), label_,          std::move(label)};
  }
  template <typename Member>
  std::uint32_t offset_of(Member T::*member) const {
    return static_cast<std::uint32_t>(
        reinterpret_cast<const std::byte*>(&(sample_.get()->*member)) -
        reinterpret_cast<const std::byte*>(sample_.get()));
  }

  MetricTable& table_;
  const MetricGroup<T> group_;
  const MetricLabel label_;
  const std::unique_ptr<T> sample_;  // to find out where its members are
};

class MetricTable {
 public:
  MetricTable() = default;
  MetricTable(const MetricTable&) = delete;
  MetricTable& operator=(const MetricTable&) = delete;

  template <typename T>
  MetricRows<T> group(MetricScope scope) {
    return {*this, place<T>(scope, 1), {}};
  }
  // A struct for each value of a label, which is known when the server starts.
  template <typename T>
  MetricRows<T> group(MetricScope scope, std::string label, std::vector<std::string> values) {
    const auto count = static_cast<std::uint32_t>(values.size());
    return {*this, place<T>(scope, count), {std::move(label), std::move(values)}};
  }
  // A struct for each of up to `count` values, which are found out later: see name().
  template <typename T>
  MetricRows<T> group_named_later(MetricScope scope, std::string label, std::uint32_t count) {
    return {*this, place<T>(scope, count), {std::move(label), {}, count}};
  }
  // Says the label's value of one of them. In the process that writes the text, which leaves out
  // those without one.
  template <typename T>
  void name(const MetricGroup<T>& group, std::uint32_t index, std::string_view value) {
    SPATE_CHECK(index < group.count);
    name(group.scope, group.offset + index * sizeof(T), sizeof(T), value);
  }

  const std::vector<MetricFamily>& families() const { return families_; }
  std::size_t block_bytes(MetricScope scope) const { return bytes_[index(scope)]; }
  // Begins the life of a block's structs, all zero. `block` is aligned to kBlockAlignment.
  void construct(MetricScope scope, std::byte* block) const;

  static constexpr std::size_t kBlockAlignment = 64;

 private:
  template <typename T>
  friend class MetricRows;

  struct Placed {
    MetricScope scope;
    std::uint32_t offset;
    std::uint32_t count;
    std::size_t bytes;  // of one struct
    void (*construct)(std::byte* at);
  };

  static constexpr std::size_t index(MetricScope scope) { return static_cast<std::size_t>(scope); }

  template <typename T>
  MetricGroup<T> place(MetricScope scope, std::uint32_t count) {
    static_assert(alignof(T) <= kBlockAlignment && std::is_trivially_destructible_v<T>);
    const std::uint32_t offset = make_room(
        {scope, 0, count, sizeof(T), [](std::byte* at) { new (static_cast<void*>(at)) T{}; }});
    return {scope, offset, count};
  }
  std::uint32_t make_room(Placed placed);
  void add(const MetricRow& row);
  void name(MetricScope scope, std::size_t offset, std::size_t bytes, std::string_view value);
  MetricFamily& family_of(const MetricRow& row);

  std::vector<MetricFamily> families_;
  std::vector<Placed> placed_;
  std::array<std::size_t, kMetricScopes> bytes_{};
};

template <typename T>
template <MetricCell Cell>
void MetricRows<T>::add(std::string_view name, std::string_view help, Cell T::*member) {
  table_.add(row<Cell>(name, help, offset_of(member), {}));
}

template <typename T>
template <MetricCell Cell>
void MetricRows<T>::add(std::string_view name, std::string_view help, Cell T::*member,
                        std::string_view label, std::string_view value) {
  table_.add(row<Cell>(name, help, offset_of(member), {std::string(label), {std::string(value)}}));
}

template <typename T>
template <MetricCell Cell, std::size_t N>
void MetricRows<T>::add(std::string_view name, std::string_view help,
                        std::array<Cell, N> T::*member, std::string_view label,
                        const std::vector<std::string>& values) {
  SPATE_CHECK(values.size() == N);
  table_.add(row<Cell>(name, help, offset_of(member), {std::string(label), values}));
}

}  // namespace spate::core
