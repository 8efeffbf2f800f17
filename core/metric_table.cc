#include "core/metric_table.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace spate::core {

namespace {

// Names and labels as Prometheus has them, and lower case as it wants them.
bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return std::islower(static_cast<unsigned char>(c)) ||
           std::isdigit(static_cast<unsigned char>(c)) || c == '_';
  };
  return !name.empty() && std::islower(static_cast<unsigned char>(name[0])) &&
         std::ranges::all_of(name, fits);
}

bool fits_kind(std::string_view name, MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return name.ends_with("_total");
    case MetricKind::gauge:
      return !name.ends_with("_total");
    case MetricKind::histogram:
      return name.ends_with("_seconds");
  }
  return false;
}

// `worker` and `le` are the text's own.
void check_label(const MetricLabel& label, MetricScope scope) {
  SPATE_CHECK(is_name(label.name) && label.name != "le");
  SPATE_CHECK(scope != MetricScope::worker || label.name != "worker");
  SPATE_CHECK(label.values.empty() || label.unnamed == 0);
  for (std::size_t i = 0; i < label.values.size(); ++i) {
    SPATE_CHECK(!label.values[i].empty());
    SPATE_CHECK(std::ranges::count(label.values, label.values[i]) == 1);
  }
}

std::string pair(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out += '"';
}

void note_label(MetricFamily& family, const MetricLabel& label) {
  if (label.name.empty()) return;
  const auto same = [&](const MetricLabel& known) { return known.name == label.name; };
  auto known = std::ranges::find_if(family.labels, same);
  if (known == family.labels.end()) {
    // A family whose samples had different labels could not be summed by any of them.
    SPATE_CHECK(family.series.empty());
    known = family.labels.insert(family.labels.end(), {label.name, {}});
  }
  for (const std::string& value : label.values)
    if (std::ranges::find(known->values, value) == known->values.end())
      known->values.push_back(value);
}

}  // namespace

std::uint32_t MetricTable::make_room(Placed placed) {
  std::size_t& bytes = bytes_[index(placed.scope)];
  placed.offset = static_cast<std::uint32_t>(bytes);
  bytes += placed.count * placed.bytes;
  // Groups have different authors: none shares a cache line with another.
  bytes = (bytes + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
  placed_.push_back(placed);
  return placed.offset;
}

void MetricTable::construct(MetricScope scope, std::byte* block) const {
  for (const Placed& placed : placed_)
    for (std::uint32_t i = 0; placed.scope == scope && i < placed.count; ++i)
      placed.construct(block + placed.offset + i * placed.bytes);
}

MetricFamily& MetricTable::family_of(const MetricRow& row) {
  const auto same = [&](const MetricFamily& family) { return family.name == row.name; };
  const auto known = std::ranges::find_if(families_, same);
  if (known != families_.end()) {
    SPATE_CHECK(known->kind == row.kind && known->scope == row.scope);
    SPATE_CHECK(row.help.empty() || known->help == row.help);
    return *known;
  }
  SPATE_CHECK(is_name(row.name) && fits_kind(row.name, row.kind) && !row.help.empty());
  const bool nanoseconds = row.name.ends_with("_seconds") || row.name.ends_with("_seconds_total");
  families_.push_back(
      {std::string(row.name), std::string(row.help), row.kind, row.scope, nanoseconds, {}, {}});
  return families_.back();
}

void MetricTable::add(const MetricRow& row) {
  MetricFamily& family = family_of(row);
  for (const MetricLabel* const label : {&row.outer, &row.inner}) {
    if (!label->name.empty()) check_label(*label, row.scope);
    note_label(family, *label);
  }
  const auto labels_of = [](const MetricLabel& label) { return label.name.empty() ? 0u : 1u; };
  SPATE_CHECK(family.labels.size() == labels_of(row.outer) + labels_of(row.inner));
  const bool named = row.outer.unnamed == 0;
  const std::size_t structs = row.outer.name.empty() ? 1
                              : named                ? row.outer.values.size()
                                                     : row.outer.unnamed;
  const std::size_t cells = row.inner.name.empty() ? 1 : row.inner.values.size();
  for (std::size_t i = 0; i < structs; ++i) {
    for (std::size_t j = 0; j < cells; ++j) {
      std::string labels;
      if (!row.outer.name.empty() && named) labels = pair(row.outer.name, row.outer.values[i]);
      if (!labels.empty() && !row.inner.name.empty()) labels += ',';
      if (!row.inner.name.empty()) labels += pair(row.inner.name, row.inner.values[j]);
      const auto same = [&](const MetricSeries& series) { return series.labels == labels; };
      SPATE_CHECK(!named || std::ranges::none_of(family.series, same));
      family.series.push_back(
          {static_cast<std::uint32_t>(row.offset + i * row.struct_bytes + j * row.cell_bytes),
           std::move(labels), named});
    }
  }
}

void MetricTable::name(MetricScope scope, std::size_t offset, std::size_t bytes,
                       std::string_view value) {
  for (MetricFamily& family : families_) {
    if (family.scope != scope) continue;
    for (MetricSeries& series : family.series) {
      if (series.offset < offset || series.offset >= offset + bytes) continue;
      SPATE_CHECK(!std::exchange(series.named, true));
      const std::string inner = std::move(series.labels);
      series.labels = pair(family.labels.front().name, value);
      if (!inner.empty()) series.labels += ',' + inner;
    }
  }
}

}  // namespace spate::core
