#include "tools/spate-cli/subscribe.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <random>

#include "core/printable.h"
#include "handlers/client/json_object.h"
#include "handlers/client/json_text.h"
#include "tools/spate-cli/mint.h"
#include "tools/spate-cli/subscription.h"
#include "tools/spate-cli/text.h"
#include "tools/spate-cli/ws_connection.h"

namespace spate::cli {
namespace {

using Got = WsConnection::Got;
using Fate = Subscription::Fate;

// As the SDKs do: at least half a second, at most twenty, and never all clients at once.
constexpr std::int64_t kMinDelayMs = 500;
constexpr std::int64_t kMaxDelayMs = 20'000;
constexpr int kMaxDoublings = 6;
// Until the connect reply, and behind a ping that is due.
constexpr std::int64_t kPatienceMs = 10'000;
// Without pings, silence is no sign of anything.
constexpr std::int64_t kForeverMs = 365LL * 86'400 * 1'000;
constexpr std::size_t kMaxShownBytes = 1024 * 1024;

volatile std::sig_atomic_t stop_asked = 0;

void ask_to_stop(int) {
  stop_asked = 1;
}

// Blocks SIGINT and SIGTERM but while something waits; gives the mask for that.
sigset_t take_signals() {
  struct sigaction action {};
  action.sa_handler = ask_to_stop;
  sigset_t blocked, waiting;
  sigemptyset(&blocked);
  for (const int number : {SIGINT, SIGTERM}) {
    sigaction(number, &action, nullptr);
    sigaddset(&blocked, number);
  }
  sigprocmask(SIG_BLOCK, &blocked, &waiting);
  for (const int number : {SIGINT, SIGTERM}) sigdelset(&waiting, number);
  return waiting;
}

std::int64_t unix_ms() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

void note(const std::string& text) {
  std::fprintf(stderr, "spate-cli: %s\n", text.c_str());
}

// One line for each event: for people, or JSON.
class Printer : public Listener {
 public:
  Printer(bool json, std::uint64_t count) : json_(json), left_(count), bounded_(count > 0) {}

  bool done() const { return bounded_ && left_ == 0; }

  void publication(std::string_view channel, std::uint64_t offset, std::string_view data) override {
    if (done()) return;
    if (left_ > 0) --left_;
    if (json_)
      return print_json(channel, (offset != 0 ? "\"offset\":" + std::to_string(offset) + "," : "") +
                                     "\"data\":" + std::string(data));
    print(channel, (offset != 0 ? "#" + std::to_string(offset) : "-") + " " +
                       core::printable(data, kMaxShownBytes));
  }

  void presence(std::string_view channel, bool joined, std::string_view client_info) override {
    const char* const event = joined ? "join" : "leave";
    if (json_)
      return print_json(channel, "\"" + std::string(event) + "\":" + std::string(client_info));
    std::string text = event;
    handlers::client::for_each_member(client_info, [&](const auto& value) {
      const bool quoted = value.kind == handlers::client::JsonKind::string;
      text += " " + core::printable(value.key, kMaxShownBytes) + " " +
              core::printable(quoted ? value.string : value.text, kMaxShownBytes);
      return true;
    });
    print(channel, text);
  }

  void resumed(std::string_view channel, bool recovered, std::uint64_t since,
               std::uint64_t now) override {
    if (json_)
      return print_json(channel, std::string("\"recovered\":") + (recovered ? "true" : "false") +
                                     ",\"since\":" + std::to_string(since));
    print(channel, recovered ? "recovered from #" + std::to_string(since)
                             : "recovery failed: the position was #" + std::to_string(since) +
                                   ", it goes on from #" + std::to_string(now) +
                                   ", what is between may be lost");
  }

  void refused(std::string_view channel, std::string_view why) override {
    note(core::printable(channel, kMaxShownBytes) + ": " + std::string(why));
  }

 private:
  static void print(std::string_view channel, const std::string& text) {
    std::printf("%s %s %s\n", clock_time(unix_ms()).c_str(),
                core::printable(channel, kMaxShownBytes).c_str(), text.c_str());
    std::fflush(stdout);
  }
  static void print_json(std::string_view channel, const std::string& members) {
    std::string line = "{\"time\":" + std::to_string(unix_ms()) + ",\"channel\":";
    handlers::client::append_json_string(line, channel);
    std::printf("%s,%s}\n", line.c_str(), members.c_str());
    std::fflush(stdout);
  }

  bool json_;
  std::uint64_t left_;
  bool bounded_;
};

class Run {
 public:
  Run(const Options& options, const WsUrl& url, std::optional<Signer> signer)
      : options_(options),
        url_(url),
        signer_(std::move(signer)),
        waiting_(take_signals()),
        printer_(options.json, options.count),
        subscription_(options.channels, options.join_leave, printer_) {}

  int run() {
    for (;;) {
      const Next next = connection();
      if (next == Next::done) return kDone;
      if (next == Next::failed) return kFailed;
      if (!was_connected_) {
        note(options_.url + ": " + why_);
        return kFailed;
      }
      const std::int64_t delay = next_delay_ms();
      note(why_ + "; again in " + std::to_string(delay) + " ms");
      const timespec timeout{.tv_sec = delay / 1000, .tv_nsec = delay % 1000 * 1'000'000};
      ppoll(nullptr, 0, &timeout, &waiting_);
      if (stop_asked != 0) return kDone;
    }
  }

 private:
  enum class Next : std::uint8_t { go_on, reconnect, done, failed };

  // The token that was given, or a fresh one each time.
  core::Result<std::string> token() const {
    if (!options_.connection_token.empty() || !signer_) return options_.connection_token;
    const auto claims = claims_of(options_.token, std::time(nullptr));
    if (!claims) return core::Failure{claims.error()};
    return signer_->token(*claims, options_.token.kid);
  }

  // One connection from its beginning to its end. Not go_on.
  Next connection() {
    const auto bearer = token();
    if (!bearer) return give_up(bearer.error());
    auto opened = WsConnection::open(url_, waiting_);
    if (stop_asked != 0) return Next::done;
    if (!opened) {
      why_ = opened.error();
      return Next::reconnect;
    }
    WsConnection& connection = **opened;
    if (!connection.send_text(subscription_.hello(*bearer)))
      return ended_by(connection, Got::closed);
    std::string message;
    Next next = Next::go_on;
    while (next == Next::go_on) {
      const Got got = connection.receive(message, patience_ms());
      next = got == Got::message ? take(connection, message) : ended_by(connection, got);
    }
    return next;
  }

  Next take(WsConnection& connection, const std::string& message) {
    std::string answer;
    const Fate fate = subscription_.take(message, answer);
    if (subscription_.connected()) was_connected_ = true, attempts_ = 0;
    if (printer_.done()) {
      connection.close();
      return Next::done;
    }
    if (!answer.empty()) connection.send_text(answer);
    if (fate == Fate::go_on) return Next::go_on;
    why_ = subscription_.why();
    // Another token helps where the last one was good; one that is refused at once would be again.
    if (fate == Fate::reconnect || (fate == Fate::expired && signer_ && was_connected_))
      return Next::reconnect;
    return give_up(why_);
  }

  Next ended_by(WsConnection& connection, Got got) {
    if (got == Got::interrupted) {
      connection.close();
      return Next::done;
    }
    if (got == Got::timed_out) {
      why_ = subscription_.connected() ? "no ping from the server" : "no answer from the server";
      return Next::reconnect;
    }
    const int code = connection.close_code();
    why_ = "the connection is closed: " + std::to_string(code) + " " + connection.close_reason();
    // Codes after which a client does not come back.
    const bool terminal = (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000);
    return terminal ? give_up(why_) : Next::reconnect;
  }

  static Next give_up(const std::string& why) {
    note(why);
    return Next::failed;
  }

  std::int64_t patience_ms() const {
    if (!subscription_.connected()) return kPatienceMs;
    const std::int64_t ping = subscription_.ping_seconds();
    return ping == 0 ? kForeverMs : ping * 1000 + kPatienceMs;
  }

  std::int64_t next_delay_ms() {
    const std::int64_t most =
        std::min(kMaxDelayMs, kMinDelayMs << std::min(attempts_, kMaxDoublings));
    ++attempts_;
    return std::min(kMaxDelayMs,
                    kMinDelayMs + std::uniform_int_distribution<std::int64_t>(0, most)(random_));
  }

  const Options& options_;
  const WsUrl url_;
  const std::optional<Signer> signer_;
  const sigset_t waiting_;
  Printer printer_;
  Subscription subscription_;
  bool was_connected_ = false;
  int attempts_ = 0;
  std::string why_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

int subscribe(const Options& options) {
  const auto url = parse_ws_url(options.url);
  if (!url) {
    note("--url=" + options.url + ": " + url.error());
    return kUsage;
  }
  std::optional<Signer> signer;
  // Without a user a key signs nothing: the connection is an anonymous one.
  if (options.connection_token.empty() && !options.token.user.empty()) {
    auto made = signer_of(options);
    if (!made) {
      note(made.error());
      return kUsage;
    }
    if (!*made) {
      note("--user=" + options.token.user +
           ": nothing to sign a token with; give --hmac-secret, --config or --private-key");
      return kUsage;
    }
    if (const auto claims = claims_of(options.token, 0); !claims) {
      note(claims.error());
      return kUsage;
    }
    signer = std::move(*made);
  }
  return Run(options, *url, std::move(signer)).run();
}

}  // namespace spate::cli
