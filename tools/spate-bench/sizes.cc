#include "tools/spate-bench/sizes.h"

#include <algorithm>
#include <charconv>

namespace spate::bench {

std::optional<std::size_t> parse_bytes(std::string_view text) {
  std::size_t unit = 1;
  if (!text.empty() && (text.back() == 'K' || text.back() == 'k')) unit = 1024;
  if (!text.empty() && (text.back() == 'M' || text.back() == 'm')) unit = 1024 * 1024;
  if (unit > 1) text.remove_suffix(1);
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value > Sizes::kLargest / unit) return std::nullopt;
  return value * unit;
}

namespace {

struct Weighted {
  std::size_t bytes;
  double weight;
};

constexpr std::size_t kSteps = 32;  // how many sizes stand for a range

std::optional<std::vector<Weighted>> parse_range(std::string_view low, std::string_view high) {
  const auto from = parse_bytes(low), to = parse_bytes(high);
  if (!from || !to || *from >= *to) return std::nullopt;
  const std::size_t steps = std::min(kSteps, *to - *from + 1);
  std::vector<Weighted> list;
  for (std::size_t i = 0; i < steps; ++i)
    list.push_back({*from + (*to - *from) * i / (steps - 1), 1.0});
  return list;
}

std::optional<std::vector<Weighted>> parse_list(std::string_view text) {
  std::vector<Weighted> list;
  if (text.ends_with(',')) return std::nullopt;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t colon = item.find(':');
    const auto bytes = parse_bytes(item.substr(0, colon));
    double weight = 1;
    if (colon != item.npos) {
      const std::string_view number = item.substr(colon + 1);
      const auto [end, error] =
          std::from_chars(number.data(), number.data() + number.size(), weight);
      if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    }
    if (!bytes || !(weight > 0)) return std::nullopt;
    list.push_back({*bytes, weight});
  }
  if (list.empty() || list.size() > 255) return std::nullopt;
  return list;
}

}  // namespace

std::optional<Sizes> Sizes::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto list = dash == text.npos ? parse_list(text)
                                      : parse_range(text.substr(0, dash), text.substr(dash + 1));
  if (!list) return std::nullopt;
  Sizes sizes;
  double total = 0, upto = 0;
  for (const Weighted& item : *list) {
    sizes.distinct_.push_back(item.bytes);
    total += item.weight;
  }
  if (!sizes.fixed() && *std::ranges::min_element(sizes.distinct_) < 8) return std::nullopt;
  std::size_t filled = 0;
  for (std::size_t i = 0; i < list->size(); ++i) {
    upto += (*list)[i].weight / total * static_cast<double>(sizes.drawn_.size());
    while (filled < sizes.drawn_.size() && (static_cast<double>(filled) < upto - 0.5))
      sizes.drawn_[filled++] = static_cast<std::uint8_t>(i);
  }
  while (filled < sizes.drawn_.size())
    sizes.drawn_[filled++] = static_cast<std::uint8_t>(list->size() - 1);
  return sizes;
}

std::size_t Sizes::largest() const {
  return *std::ranges::max_element(distinct_);
}

double Sizes::mean() const {
  double sum = 0;
  for (const std::uint8_t index : drawn_) sum += static_cast<double>(distinct_[index]);
  return sum / static_cast<double>(drawn_.size());
}

}  // namespace spate::bench
