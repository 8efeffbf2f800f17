#include <netdb.h>
#include <sys/resource.h>

#include <algorithm>

#include "tools/spate-bench/board.h"
#include "tools/spate-bench/options.h"
#include "tools/spate-bench/preset.h"
#include "tools/spate-bench/publication.h"
#include "tools/spate-bench/tls.h"

namespace spate::bench {

namespace {

// ws://HOST[:PORT][/PATH], or wss:// for TLS
std::string resolve_url(Options& options) {
  std::string_view rest = options.url;
  options.tls = rest.starts_with("wss://");
  if (!options.tls && !rest.starts_with("ws://")) return "only ws:// and wss:// can be driven";
  if (!options.tls && (options.insecure || !options.ca.empty() || options.tls_resume))
    return "--insecure, --ca and --tls-resume are for wss://";
  rest.remove_prefix(rest.find("://") + 3);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  options.host = rest.substr(0, slash);
  options.path = slash < rest.size() ? rest.substr(slash) : "/";
  std::string name = options.host, port = options.tls ? "443" : "80";
  if (const std::size_t colon = name.rfind(':'); colon != name.npos) {
    port = name.substr(colon + 1);
    name.resize(colon);
  }
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(name.c_str(), port.c_str(), &hints, &found); error != 0)
    return gai_strerror(error);
  std::memcpy(&options.server, found->ai_addr, sizeof options.server);
  freeaddrinfo(found);
  return {};
}

// How many connections one process may hold, with some descriptors left for everything else.
std::uint32_t connections_per_process() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::uint32_t>(std::clamp<rlim_t>(limit.rlim_max, 200, 20'000) - 100);
}

std::string complete_processes(Options& options) {
  const std::uint32_t most = connections_per_process();
  const std::uint32_t needed = (options.connections + most - 1) / most;
  if (options.procs == 0) options.procs = needed;
  if (options.procs < needed)
    return "--procs " + std::to_string(options.procs) + ": a process holds at most " +
           std::to_string(most) + " connections here; " + std::to_string(needed) + " are needed";
  options.procs = std::min(options.procs, options.connections);
  // A storm goes through many ports, and those of the last minute are not all free again.
  if (options.sources == 0)
    options.sources = options.connections / 2000 + (options.scenario == Scenario::storm ? 64 : 1);
  return {};
}

std::string complete_fanout(Options& options) {
  options.connections = options.subscribers + options.publishers;
  for (const std::size_t bytes : options.sizes.distinct())
    if (bytes < Publication::kHeaderBytes && !options.raw)
      return "--size " + options.size + ": a publication has at least " +
             std::to_string(Publication::kHeaderBytes) + " bytes here";
  speak(options);
  if (options.raw && options.publishers > 1) return "--raw: needs one publisher";
  if (options.raw && (options.channels > 1 || options.protocol != Speaks::templates))
    return "--raw: looks at nothing, so it takes no --channels and no --protocol";
  if (options.subscriptions > options.channels)
    return "--subscriptions " + std::to_string(options.subscriptions) + ": there are only " +
           std::to_string(options.channels) + " channels (--channels)";
  if (options.channels > 1 && !options.publish_frame.has_channel())
    return "--publish-frame: without {{channel}} everything goes to one";
  if (!options.publish_frame.has_payload())
    return "--publish-frame: without {{payload}} nothing is published";
  return {};
}

}  // namespace

std::string complete(Options& options) {
  const auto sizes = Sizes::parse(options.size);
  if (!sizes) return "--size " + options.size + ": not a size, a range or a list of weighted sizes";
  options.sizes = *sizes;
  if (!options.message_frame.envelope(0))
    return "--message-frame: needs {{payload}} once, and beside it at most its length";
  if (options.raw && options.scenario != Scenario::fanout && options.has_dialect())
    return "--raw: looks at nothing, so it takes no --message-frame, --hello-frame, --ready-when "
           "and --app-ping";
  if (options.deflate && (options.raw || options.has_dialect()))
    return "--deflate: not together with --raw, --message-frame, --hello-frame, --ready-when and "
           "--app-ping";
  if (options.deflate && options.sizes.largest() == 0)
    return "--deflate: an empty message is not compressed; give a --size";
  if (options.raw && !options.sizes.fixed()) return "--raw: needs one fixed --size";
  if (const std::string wrong = resolve_url(options); !wrong.empty())
    return options.url + ": " + wrong;
  if (options.tls)
    if (const std::string wrong = TlsClient().open(options); !wrong.empty()) return wrong;
  if (options.scenario == Scenario::fanout)
    if (const std::string wrong = complete_fanout(options); !wrong.empty()) return wrong;
  if (options.scenario == Scenario::mix && options.rate == 0)
    options.rate = std::max(1.0, options.talkers * options.connections);
  if (options.first_mark == 0) options.first_mark = std::max(1u, options.connections / 15);
  options.first_mark = std::min(options.first_mark, options.connections);
  return complete_processes(options);
}

}  // namespace spate::bench
