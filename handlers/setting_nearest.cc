#include <algorithm>
#include <numeric>

#include "handlers/setting_source.h"

namespace spate::handlers {
namespace {

// Longer text is no misspelling of a name, and the table below grows with its square.
constexpr std::size_t kMaxBytes = 64;

// Levenshtein distance with swapped neighbours as one step (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::move(last);
    last = std::move(row);
  }
  return last[b.size()];
}

std::string plain(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c == '_') c = '-';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

std::string nearest(std::string_view text, const std::vector<std::string>& known) {
  if (text.empty() || text.size() > kMaxBytes) return {};
  const std::string wanted = plain(text);
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, wanted.size() / 3) + 1;
  for (const std::string& name : known) {
    const std::string candidate = plain(name);
    // The start of a name is nearer than any misspelling but a single slip.
    const bool start = wanted.size() >= 3 && candidate.starts_with(wanted);
    const std::size_t steps = start ? 1 : distance(wanted, candidate);
    if (steps < best_distance && steps < name.size()) {
      best = name;
      best_distance = steps;
    }
  }
  return best;
}

}  // namespace spate::handlers
