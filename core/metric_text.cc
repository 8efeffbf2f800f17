#include "core/metric_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace spate::core {

namespace {

using Blocks = std::span<const std::byte* const>;

template <typename Cell>
const Cell& cell(const std::byte* block, std::uint32_t offset) {
  return *std::launder(reinterpret_cast<const Cell*>(block + offset));
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

// Nanoseconds as seconds, exactly: no digit is rounded away.
void append_seconds(std::string& out, std::uint64_t ns) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  append_number(out, ns / kSecond);
  std::uint64_t rest = ns % kSecond;
  if (rest == 0) return;
  std::array<char, 9> digits;
  std::size_t used = digits.size();
  for (std::size_t i = digits.size(); i-- > 0; rest /= 10) {
    digits[i] = static_cast<char>('0' + rest % 10);
    if (digits[i] == '0' && used == i + 1) used = i;
  }
  out += '.';
  out.append(digits.data(), used);
}

// The bounds as label values, made once.
const std::array<std::string, Histogram::kBounds + 1>& bound_texts() {
  static const auto texts = [] {
    std::array<std::string, Histogram::kBounds + 1> out;
    for (std::size_t i = 0; i < Histogram::kBounds; ++i)
      append_seconds(out[i], Histogram::bound(i));
    out[Histogram::kBounds] = "+Inf";
    return out;
  }();
  return texts;
}

class Writer {
 public:
  Writer(std::string& out, const MetricFamily& family) : out_(out), family_(family) {
    out_ += "# HELP ";
    out_ += family.name;
    out_ += ' ';
    for (const char c : family.help) {
      if (c == '\\') out_ += '\\';
      if (c == '\n')
        out_ += "\\n";
      else
        out_ += c;
    }
    out_ += "\n# TYPE ";
    out_ += family.name;
    constexpr std::array kKinds{" counter\n", " gauge\n", " histogram\n"};
    out_ += kKinds[static_cast<std::size_t>(family.kind)];
  }

  // One series, summed over the blocks.
  void write(const MetricSeries& series, std::string_view worker, Blocks blocks) {
    if (family_.kind == MetricKind::histogram) return write_histogram(series, worker, blocks);
    std::uint64_t sum = 0;
    for (const std::byte* block : blocks)
      sum += family_.kind == MetricKind::gauge ? cell<Gauge>(block, series.offset).value()
                                               : cell<Counter>(block, series.offset).value();
    begin("", series.labels, worker, {});
    value(sum);
  }

 private:
  void write_histogram(const MetricSeries& series, std::string_view worker, Blocks blocks) {
    std::uint64_t count = 0, sum = 0;
    for (std::size_t i = 0; i <= Histogram::kBounds; ++i) {
      for (const std::byte* block : blocks)
        count += cell<Histogram>(block, series.offset).bucket(i);
      begin("_bucket", series.labels, worker, bound_texts()[i]);
      append_number(out_, count);
      out_ += '\n';
    }
    for (const std::byte* block : blocks) sum += cell<Histogram>(block, series.offset).sum();
    begin("_sum", series.labels, worker, {});
    value(sum);
    // Of the buckets just read, so that it always is what the last of them says.
    begin("_count", series.labels, worker, {});
    append_number(out_, count);
    out_ += '\n';
  }

  void begin(std::string_view suffix, std::string_view labels, std::string_view worker,
             std::string_view bound) {
    out_ += family_.name;
    out_ += suffix;
    char separator = '{';
    const auto label = [&](std::string_view name, std::string_view text) {
      if (text.empty()) return;
      out_ += separator;
      separator = ',';
      out_ += name;
      out_ += text;
      if (!name.empty()) out_ += '"';
    };
    label("worker=\"", worker);
    label("", labels);
    label("le=\"", bound);
    out_ += separator == ',' ? "} " : " ";
  }

  void value(std::uint64_t number) {
    family_.nanoseconds ? append_seconds(out_, number) : append_number(out_, number);
    out_ += '\n';
  }

  std::string& out_;
  const MetricFamily& family_;
};

// More than is ever needed, so that the text is built in one piece of memory.
std::size_t most_bytes(const MetricTable& table, std::size_t workers, MetricSplit split) {
  constexpr std::size_t kNumberBytes = 64;  // with the label of a worker and of a bound
  std::size_t bytes = 0;
  for (const MetricFamily& family : table.families()) {
    const bool each = family.scope == MetricScope::worker && split == MetricSplit::by_worker;
    const std::size_t samples =
        (family.kind == MetricKind::histogram ? Histogram::kBounds + 3 : 1) * (each ? workers : 1);
    for (const MetricSeries& series : family.series)
      bytes += samples * (family.name.size() + series.labels.size() + kNumberBytes);
    bytes += 2 * (family.help.size() + family.name.size() + kNumberBytes);
  }
  return bytes;
}

}  // namespace

std::string metric_text(const MetricTable& table, const MetricPages& pages, const std::byte* scrape,
                        MetricSplit split) {
  std::vector<const std::byte*> workers;
  std::vector<std::string> names;
  for (std::uint32_t slot = 0; slot < pages.workers(); ++slot) {
    workers.push_back(pages.block(slot));
    names.push_back(std::to_string(slot));
  }
  const std::byte* const instance = pages.instance_block();
  std::string out;
  out.reserve(most_bytes(table, workers.size(), split));
  for (const MetricFamily& family : table.families()) {
    if (std::ranges::none_of(family.series, &MetricSeries::named)) continue;
    Writer writer(out, family);
    for (const MetricSeries& series : family.series) {
      if (!series.named) continue;
      if (family.scope == MetricScope::instance) {
        writer.write(series, {}, {&instance, 1});
      } else if (family.scope == MetricScope::scrape) {
        SPATE_CHECK(scrape != nullptr);
        writer.write(series, {}, {&scrape, 1});
      } else if (split == MetricSplit::none) {
        writer.write(series, {}, workers);
      } else {
        for (std::size_t i = 0; i < workers.size(); ++i)
          writer.write(series, names[i], {&workers[i], 1});
      }
    }
  }
  return out;
}

}  // namespace spate::core
