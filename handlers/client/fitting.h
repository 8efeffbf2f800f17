// Kept publications, made fit for one receiver: without those that are not for it or its user, and,
// for JSON, each payload on one line.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/client/protocol.h"
#include "handlers/hub/channel_options.h"

namespace spate::handlers::client {

// Whether a namespace that wants `format` takes `data` as a publication's.
bool fits(hub::DataFormat format, std::string_view data);

class FittingPublications {
 public:
  FittingPublications(Encoding encoding, std::string_view user, std::string_view client)
      : encoding_(encoding), user_(user), client_(client) {}

  // False: a payload is not JSON and the receiver takes nothing else.
  bool add(std::span<const hub::KeptPublication> publications);
  // Views into what was added, and into this object.
  std::span<const hub::KeptPublication> publications() const { return fitting_; }

 private:
  const Encoding encoding_;
  const std::string_view user_;
  const std::string_view client_;
  std::vector<hub::KeptPublication> fitting_;
  std::deque<std::string> lines_;
};

}  // namespace spate::handlers::client
