// Plays one case over one connection and judges everything that came back.
#pragma once

#include <string>

#include "tests/conformance/row.h"

namespace spate::tests {

struct Verdict {
  bool passed = false;
  // Of a failure: what was demanded and what came, one finding a line.
  std::string report = {};
};

Verdict play(const Case& conformance_case, const Endpoint& endpoint, Deadline deadline);

// A fresh connection is upgraded, echoes and closes.
bool serves(const Endpoint& endpoint, Deadline deadline, std::string* why);

}  // namespace spate::tests
