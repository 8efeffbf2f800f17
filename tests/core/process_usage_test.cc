#include "core/process_usage.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>

namespace spate::core {
namespace {

std::uint64_t cpu_ns() {
  rusage usage;
  EXPECT_EQ(::getrusage(RUSAGE_SELF, &usage), 0);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

TEST(ProcessUsage, IsWhatTheKernelSaysElsewhere) {
  constexpr std::uint64_t kStepNs = 20'000'000;
  volatile std::uint64_t work = 0;
  while (cpu_ns() < 100'000'000) work = work + 1;
  const std::uint64_t before = cpu_ns();
  const ProcessUsage usage = process_usage(::getpid());
  EXPECT_GE(usage.cpu_ns + kStepNs, before);
  EXPECT_LE(usage.cpu_ns, cpu_ns() + kStepNs);
  rusage most;
  ASSERT_EQ(::getrusage(RUSAGE_SELF, &most), 0);
  EXPECT_GT(usage.resident_bytes, 512u << 10);
  EXPECT_LE(usage.resident_bytes, (static_cast<std::uint64_t>(most.ru_maxrss) << 10) + (1 << 20));
}

TEST(ProcessUsage, DoesNotMindAnyName) {
  char name[16];
  ASSERT_EQ(::prctl(PR_SET_NAME, "a) R 1 (b 2"), 0);
  const ProcessUsage usage = process_usage(::getpid());
  EXPECT_GT(usage.resident_bytes, 512u << 10);
  EXPECT_LT(usage.resident_bytes, 1u << 30);
  ASSERT_EQ(::prctl(PR_GET_NAME, name), 0);
  EXPECT_STREQ(name, "a) R 1 (b 2");
}

TEST(ProcessUsage, OfNobodyIsNothing) {
  // Above any pid that the kernel gives (2^22).
  const ProcessUsage usage = process_usage(1 << 23);
  EXPECT_EQ(usage.cpu_ns, 0u);
  EXPECT_EQ(usage.resident_bytes, 0u);
}

}  // namespace
}  // namespace spate::core
