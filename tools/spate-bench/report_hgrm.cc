// HdrHistogram's percentile format, which its plotters read. Values are microseconds.
#include <cmath>
#include <cstdio>

#include "tools/spate-bench/result.h"

namespace spate::bench {

bool write_hgrm(const Options& options, const Result& result) {
  std::FILE* const file = std::fopen(options.hgrm.c_str(), "w");
  if (!file) return false;
  const Histogram& of = result.latency;
  std::fputs("       Value     Percentile TotalCount 1/(1-Percentile)\n\n", file);
  constexpr double kUs = 1000;
  constexpr int kTicksPerHalf = 5;  // of the distance to 100 %
  for (double share = 0, step = 0.5 / kTicksPerHalf, left = 0.5; of.count() > 0;) {
    const std::uint64_t value = of.percentile(100 * share);
    const std::uint64_t count = of.count_up_to(value);
    std::fprintf(file, "%12.3f %2.12f %10lu %14.2f\n", static_cast<double>(value) / kUs, share,
                 count, 1 / (1 - share));
    if (count >= of.count()) break;
    share += step;
    if (share >= 1 - left - step / 2) {
      share = 1 - left;
      left /= 2;
      step /= 2;
    }
  }
  if (of.count() > 0)
    std::fprintf(file, "%12.3f %2.12f %10lu\n", static_cast<double>(of.max()) / kUs, 1.0,
                 of.count());
  std::fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", of.mean() / kUs,
               of.standard_deviation() / kUs);
  std::fprintf(file, "#[Max     = %12.3f, Total count    = %12lu]\n",
               static_cast<double>(of.max()) / kUs, of.count());
  std::fprintf(file, "#[Buckets = %12lu, SubBuckets     = %12lu]\n",
               Histogram::kBuckets / Histogram::kPerOctave, Histogram::kPerOctave);
  return std::fclose(file) == 0;
}

}  // namespace spate::bench
