#include "tests/core/exposition.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace spate::tests {

namespace {

bool is_name(std::string_view name, bool colons) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::ranges::all_of(name, [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (colons && c == ':');
  });
}

// Takes `word` up to `end` from the front of `rest`, and `end` itself.
bool take(std::string_view& rest, char end, std::string_view& word) {
  const std::size_t at = rest.find(end);
  if (at == std::string_view::npos) return false;
  word = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return true;
}

// 12, 0.5, 3e-05: what is counted is never below zero, and never infinite.
bool is_number(std::string_view text, double& value) {
  if (text.empty() || !std::isdigit(static_cast<unsigned char>(text[0]))) return false;
  const std::string copy(text);
  char* end = nullptr;
  value = std::strtod(copy.c_str(), &end);
  return *end == '\0';
}

std::string without_le(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels)
    if (name != "le") out += name + '=' + value + '\n';
  return out;
}

}  // namespace

Exposition::Exposition(std::string_view text) {
  if (text.empty() || text.back() != '\n') {
    fail("the last line has no end");
    return;
  }
  while (!text.empty()) {
    std::string_view line;
    take(text, '\n', line);
    ++line_;
    if (!read_line(line)) return;
  }
  if (!families_.empty()) check_family(families_.back());
}

bool Exposition::fail(std::string why) {
  if (error_.empty()) error_ = "line " + std::to_string(line_) + ": " + why;
  return false;
}

const Family* Exposition::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(families_, [&](const Family& family) { return family.name == name; });
  return found == families_.end() ? nullptr : &*found;
}

std::optional<double> Exposition::value(std::string_view name, const Labels& labels) const {
  for (const Family& family : families_)
    for (const Sample& sample : family.samples)
      if (sample.name == name && sample.labels == labels) return sample.value;
  return std::nullopt;
}

double Exposition::sum(std::string_view name, const Labels& labels) const {
  double sum = 0;
  for (const Family& family : families_) {
    for (const Sample& sample : family.samples) {
      const bool has_them = std::ranges::all_of(labels, [&](const auto& label) {
        const auto found = sample.labels.find(label.first);
        return found != sample.labels.end() && found->second == label.second;
      });
      if (sample.name == name && has_them) sum += sample.value;
    }
  }
  return sum;
}

bool Exposition::read_line(std::string_view line) {
  if (line.empty()) return fail("an empty line");
  return line[0] == '#' ? read_comment(line) : read_sample(line);
}

bool Exposition::read_comment(std::string_view line) {
  std::string_view word, name;
  line.remove_prefix(1);
  if (!line.starts_with(' ')) return fail("no space after #");
  line.remove_prefix(1);
  if (!take(line, ' ', word) || !take(line, ' ', name) || !is_name(name, true))
    return fail("a comment that is neither HELP nor TYPE");
  if (word == "HELP") {
    if (!families_.empty() && !check_family(families_.back())) return false;
    if (find(name) != nullptr) return fail("a second HELP of " + std::string(name));
    if (line.empty()) return fail("an empty help");
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != '\\') continue;
      if (++i == line.size() || (line[i] != '\\' && line[i] != 'n'))
        return fail("a backslash that escapes nothing");
    }
    families_.push_back({std::string(name), std::string(line), {}, {}});
    return true;
  }
  if (word != "TYPE") return fail("a comment that is neither HELP nor TYPE");
  if (families_.empty() || families_.back().name != name) return fail("TYPE without its HELP");
  Family& family = families_.back();
  if (!family.type.empty()) return fail("a second TYPE");
  if (line != "counter" && line != "gauge" && line != "histogram") return fail("an unknown type");
  if ((line == "counter") != name.ends_with("_total")) return fail("only counters end in _total");
  family.type = line;
  return true;
}

bool Exposition::belongs(const Family& family, std::string_view sample) const {
  if (family.type != "histogram") return sample == family.name;
  if (!sample.starts_with(family.name)) return false;
  const std::string_view suffix = sample.substr(family.name.size());
  return suffix == "_bucket" || suffix == "_sum" || suffix == "_count";
}

bool Exposition::read_sample(std::string_view line) {
  const std::size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return fail("a sample without a value");
  Sample sample{std::string(line.substr(0, name_end)), {}, 0};
  if (!is_name(sample.name, true)) return fail("a bad name");
  if (families_.empty() || families_.back().type.empty()) return fail("a sample without its TYPE");
  Family& family = families_.back();
  if (!belongs(family, sample.name)) return fail(sample.name + " amid " + family.name);
  std::string_view rest = line.substr(name_end);
  if (rest[0] == '{' && !read_labels(rest, sample.labels)) return false;
  if (!rest.starts_with(' ')) return fail("no space before the value");
  if (!is_number(rest.substr(1), sample.value)) return fail("a bad value");
  for (const Sample& other : family.samples)
    if (other.name == sample.name && other.labels == sample.labels) return fail("a sample twice");
  family.samples.push_back(std::move(sample));
  return true;
}

bool Exposition::read_labels(std::string_view& rest, Labels& labels) {
  do {
    rest.remove_prefix(1);  // { or ,
    std::string_view name;
    if (!take(rest, '=', name) || !is_name(name, false) || name.starts_with("__"))
      return fail("a bad label name");
    if (!rest.starts_with('"')) return fail("a label value without quotes");
    rest.remove_prefix(1);
    std::string value;
    while (!rest.empty() && rest[0] != '"') {
      if (rest[0] == '\\') {
        rest.remove_prefix(1);
        if (rest.empty() || std::string_view("\\\"n").find(rest[0]) == std::string_view::npos)
          return fail("a backslash that escapes nothing");
        value += rest[0] == 'n' ? '\n' : rest[0];
      } else {
        value += rest[0];
      }
      rest.remove_prefix(1);
    }
    if (rest.empty()) return fail("a label value without its end");
    rest.remove_prefix(1);
    if (value.empty()) return fail("an empty label value");
    if (!labels.emplace(name, value).second) return fail("a label twice");
  } while (rest.starts_with(','));
  if (!rest.starts_with('}')) return fail("labels without their end");
  rest.remove_prefix(1);
  return true;
}

bool Exposition::check_family(const Family& family) {
  if (family.type.empty()) return fail(family.name + " has no TYPE");
  if (family.samples.empty()) return fail(family.name + " has no samples");
  for (const Sample& sample : family.samples) {
    std::vector<std::string> names, first;
    for (const auto& label : sample.labels)
      if (label.first != "le") names.push_back(label.first);
    for (const auto& label : family.samples[0].labels)
      if (label.first != "le") first.push_back(label.first);
    if (names != first) return fail(family.name + " has samples with different labels");
  }
  return family.type != "histogram" || check_histogram(family);
}

// Buckets in order, none smaller than the one before, then the sum, then the count, which is the
// last bucket's.
bool Exposition::check_histogram(const Family& family) {
  std::string series;
  double bound = -1, count = 0;
  enum { buckets, infinite, end } at = end;
  for (const Sample& sample : family.samples) {
    const std::string_view suffix = std::string_view(sample.name).substr(family.name.size());
    if (suffix == "_bucket") {
      const auto le = sample.labels.find("le");
      if (le == sample.labels.end()) return fail(family.name + " has a bucket without a bound");
      if (at != buckets) {
        if (at == infinite) return fail(family.name + " has a bucket behind the last");
        at = buckets, bound = -1, count = 0, series = without_le(sample.labels);
      }
      double next = 0;
      if (le->second == "+Inf")
        at = infinite;
      else if (!is_number(le->second, next) || next <= bound)
        return fail(family.name + " has bounds out of order");
      if (sample.value < count) return fail(family.name + " has buckets that shrink");
      bound = next, count = sample.value;
    } else if (suffix == "_sum") {
      if (at != infinite) return fail(family.name + " has a sum without its buckets");
      at = end;
    } else {
      if (at != end || sample.value != count) return fail(family.name + " has another count");
    }
    if (without_le(sample.labels) != series) return fail(family.name + " mixes its series");
  }
  return at == end ? true : fail(family.name + " has a histogram without its end");
}

}  // namespace spate::tests
