#include "handlers/tls_files.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/file.h"

namespace spate::handlers {

namespace {

constexpr std::size_t kMaxFileBytes = 256 * 1024;

// Appends a field, its length in front.
void put(std::string& packed, std::string_view field) {
  const std::uint64_t bytes = field.size();
  packed.append(reinterpret_cast<const char*>(&bytes), sizeof bytes).append(field);
}

std::string take(std::string_view& packed) {
  std::uint64_t bytes = 0;
  SPATE_CHECK(packed.size() >= sizeof bytes);
  std::memcpy(&bytes, packed.data(), sizeof bytes);
  packed.remove_prefix(sizeof bytes);
  SPATE_CHECK(packed.size() >= bytes);
  std::string field(packed.substr(0, bytes));
  packed.remove_prefix(bytes);
  return field;
}

}  // namespace

TlsFiles read_tls_files(const Settings& settings) {
  TlsFiles files;
  const auto read = [&](const char* setting, const std::string& name, std::string& text) {
    const core::Result<std::string> contents = core::read_file(name, kMaxFileBytes);
    if (contents)
      text = *contents;
    else if (!files.complaint)
      files.complaint = Complaint{setting, name + ": cannot be read: " + contents.error()};
  };
  for (std::size_t i = 0; i < std::min(settings.tls_cert.size(), settings.tls_key.size()); ++i) {
    core::TlsPair& pair = files.credentials.pairs.emplace_back();
    pair.certificate_name = settings.tls_cert[i];
    pair.key_name = settings.tls_key[i];
    read("tls-cert", pair.certificate_name, pair.certificate);
    read("tls-key", pair.key_name, pair.key);
  }
  files.credentials.client_ca_name = settings.tls_client_ca;
  if (!settings.tls_client_ca.empty())
    read("tls-client-ca", settings.tls_client_ca, files.credentials.client_ca);
  return files;
}

std::optional<Complaint> check_tls_files(const Settings& settings) {
  const auto endpoints = settings.listen_endpoints();
  if (std::ranges::none_of(endpoints, &core::Endpoint::tls)) return {};
  const TlsFiles files = read_tls_files(settings);
  if (files.complaint) return files.complaint;
  const auto context = core::TlsContext::create(files.credentials);
  if (context) return {};
  const std::string& error = context.error();
  const auto begins = [&](const std::string& name) { return error.starts_with(name + ":"); };
  if (std::ranges::any_of(settings.tls_key, begins)) return Complaint{"tls-key", error};
  return Complaint{begins(settings.tls_client_ca) ? "tls-client-ca" : "tls-cert", error};
}

std::string pack(const core::TlsCredentials& credentials) {
  std::string packed;
  put(packed, {reinterpret_cast<const char*>(credentials.ticket_keys.data()),
               credentials.ticket_keys.size()});
  put(packed, credentials.client_ca_name);
  put(packed, credentials.client_ca);
  for (const core::TlsPair& pair : credentials.pairs)
    for (const std::string* field :
         {&pair.certificate_name, &pair.certificate, &pair.key_name, &pair.key})
      put(packed, *field);
  return packed;
}

core::TlsCredentials unpack(std::string_view packed) {
  core::TlsCredentials credentials;
  const std::string keys = take(packed);
  SPATE_CHECK(keys.size() == credentials.ticket_keys.size());
  std::memcpy(credentials.ticket_keys.data(), keys.data(), keys.size());
  credentials.client_ca_name = take(packed);
  credentials.client_ca = take(packed);
  while (!packed.empty()) {
    core::TlsPair& pair = credentials.pairs.emplace_back();
    for (std::string* field :
         {&pair.certificate_name, &pair.certificate, &pair.key_name, &pair.key})
      *field = take(packed);
  }
  return credentials;
}

}  // namespace spate::handlers
