#include "handlers/settings_check.h"

#include <unistd.h>

#include <algorithm>
#include <bit>

#include "handlers/client_address.h"
#include "handlers/tls_files.h"

namespace spate::handlers {
namespace {

constexpr std::string_view kTokenSymbols = "!#$%&'*+-.^_`|~";

bool alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

using Found = std::optional<Complaint>;

Found check_listeners(const Settings& s) {
  if (s.listen.empty()) return Complaint{"listen", "no address; write at least one"};
  const std::vector<core::Endpoint> endpoints = s.listen_endpoints();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    for (std::size_t j = i + 1; j < endpoints.size(); ++j) {
      if (core::overlaps(endpoints[i].address, endpoints[j].address))
        return Complaint{"listen", s.listen[i] + " and " + s.listen[j] +
                                       " cannot both be bound; keep one, or change it"};
    }
    if (s.internal_listen.empty()) continue;
    if (core::overlaps(endpoints[i].address, core::parse_address(s.internal_listen).value()))
      return Complaint{"internal-listen", "clashes with the public listener " + s.listen[i] +
                                              "; give it a place of its own"};
  }
  return {};
}

Found check_tls(const SettingTable& table, const Settings& s) {
  const auto endpoints = s.listen_endpoints();
  const bool tls = std::ranges::any_of(endpoints, &core::Endpoint::tls);
  if (tls && s.tls_cert.empty())
    return Complaint{"listen", "TLS needs a certificate; give --tls-cert and --tls-key"};
  if (s.tls_cert.size() != s.tls_key.size())
    return Complaint{"tls-key", "not as many keys as certificates in " +
                                    table.describe("tls-cert") + "; give one for each"};
  for (const auto& [name, given] : {std::pair{"tls-cert", !s.tls_cert.empty()},
                                    std::pair{"tls-client-ca", !s.tls_client_ca.empty()}})
    if (given && !tls)
      return Complaint{name, "no listener speaks TLS; add one, such as --listen tls::8443"};
  return check_tls_files(s);
}

// A listener at which everybody would be refused is a slip.
Found check_proxies(const Settings& s) {
  const TrustedProxies proxies(s.trusted_proxies);
  const bool unix_trusted = proxies.trusts({.kind = Peer::Kind::unix_domain});
  const std::size_t networks =
      s.trusted_proxies.size() -
      static_cast<std::size_t>(std::ranges::count(s.trusted_proxies, TrustedProxies::kUnix));
  const std::vector<core::Endpoint> endpoints = s.listen_endpoints();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (!endpoints[i].proxy) continue;
    const bool unix_domain = endpoints[i].address.unix_domain();
    if (unix_domain ? unix_trusted : networks > 0) continue;
    return Complaint{"listen", s.listen[i] + " is for trusted proxies, and there are none; add " +
                                   (unix_domain ? "--trusted-proxies unix"
                                                : "their addresses with --trusted-proxies")};
  }
  return {};
}

Found check_sizes(const SettingTable& table, const Settings& s) {
  if (s.outbox_bytes < s.max_message_bytes)
    return Complaint{"outbox-bytes", "smaller than " + table.describe("max-message-bytes") +
                                         ", so that no such message could be sent; raise it"};
  if (s.max_memory == 0) return {};
  for (const auto& [name, bytes] :
       {std::pair{"max-message-bytes", s.max_message_bytes},
        std::pair{"outbox-bytes", s.outbox_bytes}, std::pair{"read-ring-bytes", s.read_ring_bytes}})
    if (bytes > s.max_memory)
      return Complaint{name, "larger than " + table.describe("max-memory") +
                                 " as a whole; lower it, or raise that"};
  return {};
}

Found check_timeouts(const SettingTable& table, const Settings& s) {
  // A second ping must not go out while the first may still be answered.
  if (s.ping_interval_ms != 0 && s.pong_timeout_ms > s.ping_interval_ms)
    return Complaint{"pong-timeout-ms", "longer than " + table.describe("ping-interval-ms") +
                                            "; lower it, or raise that"};
  // An idle worker's loop turns once a second.
  if (s.stall_ms != 0 && s.stall_ms < 2'000)
    return Complaint{"stall-ms",
                     "an idle worker turns once a second; write 0 for never, or at least 2000"};
  return {};
}

Found check_ring(const Settings& s) {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (!std::has_single_bit(s.read_ring_bytes) || s.read_ring_bytes % page != 0)
    return Complaint{"read-ring-bytes",
                     "not a power of two and a multiple of the page size (" + std::to_string(page) +
                         "); write " +
                         format_bytes(std::max(page, std::bit_ceil(s.read_ring_bytes)))};
  return {};
}

}  // namespace

std::string check_address(std::string_view text) {
  const core::Result<core::Address> address = core::parse_address(text);
  return address ? "" : address.error();
}

std::string check_endpoint(std::string_view text) {
  const core::Result<core::Endpoint> endpoint = core::parse_endpoint(text);
  return endpoint ? "" : endpoint.error();
}

std::string check_path(std::string_view text) {
  if (!text.starts_with('/')) return "not a path; write one that starts with /";
  for (const char c : text) {
    if (c == '?' || c == '#')
      return "a path alone; leave out what follows the " + std::string(1, c);
    if (c <= ' ' || c > '~') return "has a byte that no request path has; write it percent-encoded";
  }
  return {};
}

std::string check_origin(std::string_view text) {
  if (text == "*" || text == "null") return {};
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos)
    return "no origin; write SCHEME://HOST, such as https://*.example.com, or * for any";
  for (const char c : text)
    if (c <= ' ' || c > '~') return "has a byte that no origin has; write the host in ASCII";
  if (text.find('/', scheme + 3) != std::string_view::npos)
    return "an origin has no path; leave out what follows the host and port";
  return text.size() == scheme + 3 ? "no host; write SCHEME://HOST" : "";
}

std::string check_token(std::string_view text) {
  for (const char c : text)
    if (!alphanumeric(c) && kTokenSymbols.find(c) == std::string_view::npos)
      return "not a token; write letters, digits and " + std::string(kTokenSymbols) + " only";
  return {};
}

void add_settings_checks(SettingTable& table, const Settings& settings) {
  table.add_check([&settings] { return check_listeners(settings); });
  table.add_check([&settings] { return check_proxies(settings); });
  table.add_check([&table, &settings] { return check_tls(table, settings); });
  table.add_check([&table, &settings] { return check_sizes(table, settings); });
  table.add_check([&table, &settings] { return check_timeouts(table, settings); });
  table.add_check([&settings] { return check_ring(settings); });
}

}  // namespace spate::handlers
