// The table, the pages behind it, and the text that is read from them.
#include "core/metric_table.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/metric_pages.h"
#include "core/metric_text.h"
#include "tests/core/exposition.h"

namespace spate::core {
namespace {

using tests::Exposition;

struct ChatMetrics {
  Counter messages;
  Gauge rooms;
  std::array<Counter, 2> refusals;
  Histogram thinking;
};
struct RoomMetrics {
  Counter joins;
  std::array<Counter, 2> leaves;
};
struct BuildMetrics {
  Gauge info;
};
struct LoadMetrics {
  Gauge bytes;
};

// A server of three workers with metrics of every scope.
class MetricTableTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kWorkers = 3;

  MetricTableTest() {
    auto chat = table_.group<ChatMetrics>(MetricScope::worker);
    chat.add("chat_messages_total", "Messages said.", &ChatMetrics::messages);
    chat.add("chat_rooms", "Rooms that are open.", &ChatMetrics::rooms);
    chat.add("chat_refusals_total", "Messages refused.", &ChatMetrics::refusals, "reason",
             {"rude", "long"});
    chat.add("chat_thinking_seconds", "Time before an answer.", &ChatMetrics::thinking);
    chat_ = chat.group();
    auto room = table_.group<RoomMetrics>(MetricScope::worker, "room", {"red", "a \"b\"\\\n"});
    room.add("chat_joins_total", "Joins.", &RoomMetrics::joins);
    room.add("chat_leaves_total", "Leaves.", &RoomMetrics::leaves, "how", {"shut", "slammed"});
    rooms_ = room.group();
    auto build = table_.group<BuildMetrics>(MetricScope::instance, "version", {"1.2"});
    build.add("chat_build_info", "Which one this is.", &BuildMetrics::info);
    build_ = build.group();
    auto load = table_.group<LoadMetrics>(MetricScope::scrape);
    load.add("chat_load_bytes", "Found out when asked.", &LoadMetrics::bytes);
    load_ = load.group();
    EXPECT_EQ(pages_.create(table_, kWorkers), 0);
    table_.construct(MetricScope::scrape, scrape_);
  }

  ChatMetrics& chat(std::uint32_t slot) { return pages_.worker(slot).of(chat_); }
  std::string text(MetricSplit split = MetricSplit::none) {
    return metric_text(table_, pages_, scrape_, split);
  }

  MetricTable table_;
  MetricPages pages_;
  MetricGroup<ChatMetrics> chat_;
  MetricGroup<RoomMetrics> rooms_;
  MetricGroup<BuildMetrics> build_;
  MetricGroup<LoadMetrics> load_;
  alignas(MetricTable::kBlockAlignment) std::byte scrape_[256];
};

TEST_F(MetricTableTest, StartsAtZero) {
  const Exposition read(text());
  ASSERT_EQ(read.error(), "");
  EXPECT_EQ(read.families().size(), 8u);
  for (const tests::Family& family : read.families())
    for (const tests::Sample& sample : family.samples) EXPECT_EQ(sample.value, 0) << sample.name;
}

TEST_F(MetricTableTest, ValuesThatAreNamedLaterAreInTheTextOnceTheyAre) {
  MetricTable table;
  auto rows = table.group_named_later<RoomMetrics>(MetricScope::worker, "room", 3);
  rows.add("chat_leaves_total", "People who left.", &RoomMetrics::leaves, "how",
           {"politely", "slammed"});
  MetricPages pages;
  ASSERT_EQ(pages.create(table, kWorkers), 0);
  const auto text = [&] { return metric_text(table, pages, nullptr, MetricSplit::none); };
  EXPECT_EQ(text(), "");
  table.name(rows.group(), 1, "a \"b\"");
  for (std::uint32_t slot = 0; slot < kWorkers; ++slot)
    pages.worker(slot).of(rows.group(), 1).leaves[0].add(2);
  const Exposition read(text());
  ASSERT_EQ(read.error(), "");
  ASSERT_EQ(read.families().size(), 1u);
  EXPECT_EQ(read.families()[0].samples.size(), 2u);
  EXPECT_EQ(read.value("chat_leaves_total", {{"room", "a \"b\""}, {"how", "politely"}}),
            2 * kWorkers);
}

TEST_F(MetricTableTest, SumsTheWorkers) {
  for (std::uint32_t slot = 0; slot < kWorkers; ++slot) {
    chat(slot).messages.add(slot + 1);
    chat(slot).rooms.set(10);
    chat(slot).refusals[1].add(slot);
    pages_.worker(slot).of(rooms_, 1).leaves[1].add(7);
  }
  const Exposition read(text());
  ASSERT_EQ(read.error(), "");
  EXPECT_EQ(read.value("chat_messages_total"), 6);
  EXPECT_EQ(read.value("chat_rooms"), 30);
  EXPECT_EQ(read.value("chat_refusals_total", {{"reason", "rude"}}), 0);
  EXPECT_EQ(read.value("chat_refusals_total", {{"reason", "long"}}), 3);
  EXPECT_EQ(read.value("chat_leaves_total", {{"room", "a \"b\"\\\n"}, {"how", "slammed"}}), 21);
}

TEST_F(MetricTableTest, TellsTheWorkersApart) {
  chat(2).messages.add(5);
  chat(1).refusals[0].add(4);
  pages_.instance().of(build_).info.set(1);
  MetricView(nullptr, nullptr, scrape_).of(load_).bytes.set(9);
  const Exposition read(text(MetricSplit::by_worker));
  ASSERT_EQ(read.error(), "");
  EXPECT_EQ(read.value("chat_messages_total", {{"worker", "0"}}), 0);
  EXPECT_EQ(read.value("chat_messages_total", {{"worker", "2"}}), 5);
  EXPECT_EQ(read.value("chat_messages_total"), std::nullopt);
  EXPECT_EQ(read.value("chat_refusals_total", {{"worker", "1"}, {"reason", "rude"}}), 4);
  EXPECT_EQ(read.value("chat_build_info", {{"version", "1.2"}}), 1);
  EXPECT_EQ(read.value("chat_load_bytes"), 9);
}

TEST_F(MetricTableTest, WritesHistogramsInSeconds) {
  chat(0).thinking.observe(1'000);
  chat(1).thinking.observe(1'500'000'000);
  chat(2).thinking.observe(100'000'000'000);
  const Exposition read(text());
  ASSERT_EQ(read.error(), "");
  EXPECT_EQ(read.value("chat_thinking_seconds_count"), 3);
  EXPECT_EQ(read.value("chat_thinking_seconds_sum"), 101.500001);
  EXPECT_EQ(read.value("chat_thinking_seconds_bucket", {{"le", "0.000001024"}}), 1);
  EXPECT_EQ(read.value("chat_thinking_seconds_bucket", {{"le", "1.073741824"}}), 1);
  EXPECT_EQ(read.value("chat_thinking_seconds_bucket", {{"le", "1.610612736"}}), 2);
  EXPECT_EQ(read.value("chat_thinking_seconds_bucket", {{"le", "17.179869184"}}), 2);
  EXPECT_EQ(read.value("chat_thinking_seconds_bucket", {{"le", "+Inf"}}), 3);
}

TEST_F(MetricTableTest, ADeadWorkersGaugesGoAndItsCountersStay) {
  for (std::uint32_t slot = 0; slot < kWorkers; ++slot) {
    chat(slot).messages.add(1);
    chat(slot).rooms.set(1);
    chat(slot).thinking.observe(1);
  }
  pages_.clear_gauges(table_, 1);
  const Exposition read(text(MetricSplit::by_worker));
  EXPECT_EQ(read.value("chat_rooms", {{"worker", "0"}}), 1);
  EXPECT_EQ(read.value("chat_rooms", {{"worker", "1"}}), 0);
  EXPECT_EQ(read.value("chat_messages_total", {{"worker", "1"}}), 1);
  EXPECT_EQ(read.value("chat_thinking_seconds_count", {{"worker", "1"}}), 1);
}

TEST_F(MetricTableTest, WhatAnotherProcessCountsIsSeenAndOutlivesIt) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    chat(1).messages.add(3);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(chat(1).messages, 3u);
}

TEST_F(MetricTableTest, SlotsDoNotSharePages) {
  const auto page_of = [&](std::uint32_t slot) {
    return reinterpret_cast<std::uintptr_t>(pages_.block(slot)) / 4096;
  };
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages_.block(0)) % 4096, 0u);
  EXPECT_LT(page_of(0), page_of(1));
  EXPECT_LT(page_of(1), page_of(2));
}

TEST(MetricTable, RowsOfTwoGroupsJoinInOneFamily) {
  MetricTable table;
  auto first = table.group<LoadMetrics>(MetricScope::worker);
  first.add("load_bytes", "Load.", &LoadMetrics::bytes, "kind", "near");
  auto second = table.group<LoadMetrics>(MetricScope::worker);
  second.add("load_bytes", {}, &LoadMetrics::bytes, "kind", "far");
  MetricPages pages;
  ASSERT_EQ(pages.create(table, 1), 0);
  pages.worker(0).of(second.group()).bytes.set(8);
  const Exposition read(metric_text(table, pages, nullptr, MetricSplit::none));
  ASSERT_EQ(read.error(), "");
  EXPECT_EQ(read.value("load_bytes", {{"kind", "near"}}), 0);
  EXPECT_EQ(read.value("load_bytes", {{"kind", "far"}}), 8);
}

// A row that breaks a rule ends the process when the server starts.
class BadRow : public testing::Test {
 protected:
  MetricTable table_;
  MetricRows<ChatMetrics> rows_ = table_.group<ChatMetrics>(MetricScope::worker);
};
using BadRowDeathTest = BadRow;

TEST_F(BadRowDeathTest, NamesFollowPrometheus) {
  EXPECT_DEATH(rows_.add("chat messages_total", "x", &ChatMetrics::messages), "is_name");
  EXPECT_DEATH(rows_.add("Chat_total", "x", &ChatMetrics::messages), "is_name");
  EXPECT_DEATH(rows_.add("chat_messages", "x", &ChatMetrics::messages), "fits_kind");
  EXPECT_DEATH(rows_.add("chat_rooms_total", "x", &ChatMetrics::rooms), "fits_kind");
  EXPECT_DEATH(rows_.add("chat_thinking", "x", &ChatMetrics::thinking), "fits_kind");
  EXPECT_DEATH(rows_.add("chat_messages_total", "", &ChatMetrics::messages), "help");
}

TEST_F(BadRowDeathTest, LabelsAreWholeAndDistinct) {
  const auto add = [&](std::string_view label, const std::vector<std::string>& values) {
    rows_.add("chat_refusals_total", "x", &ChatMetrics::refusals, label, values);
  };
  EXPECT_DEATH(add("reason", {"one"}), "values");
  EXPECT_DEATH(add("reason", {"same", "same"}), "count");
  EXPECT_DEATH(add("reason", {"", "b"}), "empty");
  EXPECT_DEATH(add("le", {"a", "b"}), "le");
  EXPECT_DEATH(add("worker", {"a", "b"}), "worker");
}

TEST_F(BadRowDeathTest, AFamilyIsOfOneKindAndOneLabel) {
  rows_.add("chat_messages_total", "x", &ChatMetrics::messages);
  EXPECT_DEATH(rows_.add("chat_messages_total", "x", &ChatMetrics::messages), "none_of");
  EXPECT_DEATH(rows_.add("chat_messages_total", "y", &ChatMetrics::messages), "help");
  EXPECT_DEATH(rows_.add("chat_messages_total", "x", &ChatMetrics::refusals, "reason", {"a", "b"}),
               "series");
  auto other = table_.group<LoadMetrics>(MetricScope::scrape);
  EXPECT_DEATH(other.add("chat_messages_total", "x", &LoadMetrics::bytes), "kind");
}

}  // namespace
}  // namespace spate::core
