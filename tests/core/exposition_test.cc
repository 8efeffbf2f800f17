// The strict reader itself: what it must refuse.
#include "tests/core/exposition.h"

#include <gtest/gtest.h>

namespace spate::tests {
namespace {

constexpr const char* kHead = "# HELP a_total Things.\n# TYPE a_total counter\n";
constexpr const char* kHistogram = "# HELP h Times.\n# TYPE h histogram\n";

TEST(Exposition, ReadsSamplesAndTheirLabels) {
  const Exposition read(std::string(kHead) + "a_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 12\n" +
                        "a_total{x=\"2\",y=\"z\"} 0.5\n" + kHistogram +
                        "h_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 2.5\nh_count 3\n");
  ASSERT_EQ(read.error(), "");
  EXPECT_EQ(read.value("a_total", {{"x", "1"}, {"y", "q\"\\\n"}}), 12);
  EXPECT_EQ(read.value("a_total", {{"x", "1"}}), std::nullopt);
  EXPECT_EQ(read.sum("a_total"), 12.5);
  EXPECT_EQ(read.sum("a_total", {{"x", "2"}}), 0.5);
  EXPECT_EQ(read.find("a_total")->help, "Things.");
  EXPECT_EQ(read.find("h")->type, "histogram");
}

struct Refused {
  const char* what;
  std::string text;
};

TEST(Exposition, RefusesWhatIsNotTheFormat) {
  const std::string head = kHead, histogram = kHistogram;
  const Refused rows[] = {
      {"nothing", ""},
      {"no end of line", head + "a_total 1"},
      {"empty line", head + "\na_total 1\n"},
      {"no head", "a_total 1\n"},
      {"no type", "# HELP a_total Things.\na_total 1\n"},
      {"no help", "# TYPE a_total counter\na_total 1\n"},
      {"empty help", "# HELP a_total \n# TYPE a_total counter\na_total 1\n"},
      {"two heads", head + "a_total 1\n" + head + "a_total 1\n"},
      {"no samples", head + histogram},
      {"unknown type", "# HELP a Things.\n# TYPE a number\na 1\n"},
      {"counter without _total", "# HELP a Things.\n# TYPE a counter\na 1\n"},
      {"another family's sample", head + "a_total 1\nb_total 1\n"},
      {"sample twice", head + "a_total 1\na_total 2\n"},
      {"labels differ", head + "a_total{x=\"1\"} 1\na_total{y=\"1\"} 2\n"},
      {"label twice", head + "a_total{x=\"1\",x=\"2\"} 1\n"},
      {"bare label", head + "a_total{x=1} 1\n"},
      {"open label", head + "a_total{x=\"1} 1\n"},
      {"open labels", head + "a_total{x=\"1\" 1\n"},
      {"bad escape", head + "a_total{x=\"\\t\"} 1\n"},
      {"negative", head + "a_total -1\n"},
      {"not a number", head + "a_total NaN\n"},
      {"two values", head + "a_total 1 2\n"},
      {"tab", head + "a_total\t1\n"},
      {"carriage return", head + "a_total 1\r\n"},
      {"bounds out of order", histogram + "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\n"},
      {"shrinks",
       histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"},
      {"other count", histogram + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"},
      {"no +Inf", histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n"},
      {"no sum", histogram + "h_bucket{le=\"+Inf\"} 1\n"},
      {"mixed series", histogram +
                           "h_bucket{x=\"1\",le=\"1\"} 1\nh_bucket{x=\"2\",le=\"+Inf\"} 1\n" +
                           "h_sum{x=\"1\"} 1\nh_count{x=\"1\"} 1\n"},
  };
  for (const Refused& row : rows) EXPECT_NE(Exposition(row.text).error(), "") << row.what;
}

}  // namespace
}  // namespace spate::tests
