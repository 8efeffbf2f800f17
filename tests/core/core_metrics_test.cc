#include "core/core_metrics.h"

#include <gtest/gtest.h>

#include "core/metric_text.h"
#include "tests/core/exposition.h"

namespace spate::core {
namespace {

using tests::Exposition;

TEST(CoreMetrics, ExposesEveryFamilyOfEveryWorkerCount) {
  for (const std::uint32_t workers : {1u, 4u, 56u}) {
    MetricTable table;
    CoreMetrics::add_to(table, {workers, {}});
    MetricPages pages;
    ASSERT_EQ(pages.create(table, workers), 0);
    std::vector<std::byte> block(table.block_bytes(MetricScope::scrape) + 64);
    std::byte* const scrape =
        block.data() + (64 - reinterpret_cast<std::uintptr_t>(block.data()) % 64);
    table.construct(MetricScope::scrape, scrape);
    for (const MetricSplit split : {MetricSplit::none, MetricSplit::by_worker}) {
      const Exposition read(metric_text(table, pages, scrape, split));
      EXPECT_EQ(read.error(), "");
      EXPECT_EQ(read.families().size(), table.families().size());
    }
  }
}

}  // namespace
}  // namespace spate::core
