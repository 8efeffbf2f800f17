// A strict reader of the Prometheus text format 0.0.4, written from its description and apart from
// what writes it: each departure is named, the first one ends the reading. Stricter than Prometheus
// itself: help and type are required, samples of a family stand together, no time stamps.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spate::tests {

using Labels = std::map<std::string, std::string>;

struct Sample {
  std::string name;  // with _bucket, _sum, _count of a histogram
  Labels labels;
  double value = 0;
};

struct Family {
  std::string name;
  std::string help;
  std::string type;  // counter, gauge, histogram
  std::vector<Sample> samples;
};

class Exposition {
 public:
  // What is wrong is in error(), with its line.
  explicit Exposition(std::string_view text);

  const std::string& error() const { return error_; }
  const std::vector<Family>& families() const { return families_; }
  const Family* find(std::string_view name) const;

  // The sample of exactly these labels; nullopt when there is none.
  std::optional<double> value(std::string_view name, const Labels& labels = {}) const;
  // Of all samples of that name which have at least these labels; 0 when there are none.
  double sum(std::string_view name, const Labels& labels = {}) const;

 private:
  bool read_line(std::string_view line);
  bool read_comment(std::string_view line);
  bool read_sample(std::string_view line);
  bool read_labels(std::string_view& rest, Labels& labels);
  bool belongs(const Family& family, std::string_view sample) const;
  bool check_family(const Family& family);
  bool check_histogram(const Family& family);
  bool fail(std::string why);

  std::string error_;
  std::vector<Family> families_;
  std::size_t line_ = 0;
};

}  // namespace spate::tests
