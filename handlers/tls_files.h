// The files that --tls-cert, --tls-key and --tls-client-ca name, read by the master: at its start
// and on SIGHUP.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/tls_context.h"
#include "handlers/settings.h"

namespace spate::handlers {

// Reads the files; what is in them is judged by TlsContext::create. The complaint names the
// setting.
struct TlsFiles {
  core::TlsCredentials credentials;
  std::optional<Complaint> complaint;
};
TlsFiles read_tls_files(const Settings& settings);

// Reads and judges them; nothing without a TLS listener.
std::optional<Complaint> check_tls_files(const Settings& settings);

// Credentials as one text and back: how the master hands them to workers.
std::string pack(const core::TlsCredentials& credentials);
core::TlsCredentials unpack(std::string_view packed);

}  // namespace spate::handlers
