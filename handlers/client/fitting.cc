#include "handlers/client/fitting.h"

#include <algorithm>

#include "handlers/client/client.h"
#include "handlers/client/reader.h"

namespace spate::handlers::client {

namespace {

bool lists(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

bool fits(hub::DataFormat format, std::string_view data) {
  switch (format) {
    case hub::DataFormat::not_empty:
      return !data.empty();
    case hub::DataFormat::json:
      return is_json(data);
    case hub::DataFormat::json_object:
      return is_json_object(data);
    case hub::DataFormat::binary:
      return true;
  }
  return false;
}

bool FittingPublications::add(std::span<const hub::KeptPublication> publications) {
  fitting_.reserve(fitting_.size() + publications.size());
  for (const hub::KeptPublication& kept : publications) {
    if (lists(kept.exclude_users, user_) || lists(kept.exclude_clients, client_)) continue;
    hub::KeptPublication& fits = fitting_.emplace_back(kept);
    if (encoding_ != Encoding::json) continue;
    if (!is_json(kept.publication.data)) return false;
    std::string scratch;
    const std::string_view line = one_line(kept.publication.data, scratch);
    if (line.data() == scratch.data() && !scratch.empty()) {
      fits.publication.data = lines_.emplace_back(std::move(scratch));
    }
    if (fits.publication.info) fits.publication.info = fit(*fits.publication.info, encoding_);
  }
  return true;
}

}  // namespace spate::handlers::client
