// spdlog gives time stamps and patterns; lines are rendered in log_line, written in log_output. Its
// own sinks were no choice: each of them waits for its descriptor, and the asynchronous ones need a
// thread, which a process that forks cannot have.
#include "core/log.h"

#include <pthread.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/log_line.h"
#include "core/log_output.h"
#include "core/rate_limit.h"
#include "core/sys.h"

namespace spate::core::log {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})";

class OutputSink final : public spdlog::sinks::sink {
 public:
  explicit OutputSink(LogOutput& output) : output_(output) {}

  void log(const spdlog::details::log_msg& message) override {
    line_.clear();
    formatter_->format(message, line_);
    output_.write({line_.data(), line_.size()});
  }
  void flush() override {}
  void set_pattern(const std::string& pattern) override {
    set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "\n"));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    formatter_ = std::move(formatter);
  }

 private:
  LogOutput& output_;
  std::unique_ptr<spdlog::formatter> formatter_;
  spdlog::memory_buf_t line_;
};

struct State {
  std::mutex mutex;
  std::atomic<Level> level{Level::info};
  Format format = Format::text;
  std::string process;
  LogOutput output{STDERR_FILENO};
  std::shared_ptr<OutputSink> sink = std::make_shared<OutputSink>(output);
  spdlog::logger logger{"", sink};
  RateLimit limit;
  std::string rendered;

  State() {
    logger.set_level(spdlog::level::trace);
    logger.set_pattern(kTextPattern);
    logger.set_error_handler([](const std::string&) {});
    rendered.reserve(kMaxLineBytes);
  }
};

// Never destroyed: other objects' destructors may still have something to say.
State& state() {
  static State& instance = *new State;
  return instance;
}

void emit(State& s, Level level, const LineParts& parts) {
  constexpr std::string_view kText[] = {"debug ", "info  ", "warn  ", "error "};
  constexpr std::string_view kJson[] = {"debug", "info", "warn", "error"};
  const auto index = static_cast<std::size_t>(level);
  s.rendered.clear();
  if (s.format == Format::text) {
    s.rendered += kText[index];
    append_text(s.rendered, parts);
  } else {
    s.rendered += "\"level\":\"";
    s.rendered += kJson[index];
    s.rendered += "\",";
    append_json(s.rendered, parts);
  }
  s.logger.log(spdlog::level::info, spdlog::string_view_t(s.rendered.data(), s.rendered.size()));
}

// Says that lines are missing at the place where they are missing.
void report_dropped(State& s) {
  s.output.flush();
  const std::uint64_t count = s.output.unreported();
  if (count == 0 || !s.output.has_room(2 * kMaxLineBytes)) return;
  emit(s, Level::warn,
       {s.process,
        "{count} log lines were dropped: standard error did not take them",
        {{"count", count}}});
  s.output.mark_reported();
}

void write_locked(State& s, Level level, std::string_view message, Fields fields,
                  std::uint64_t suppressed) {
  if (s.output.unreported() != 0) report_dropped(s);
  emit(s, level, {s.process, message, fields, suppressed});
}

std::int64_t now_ms() {
  return sys::monotonic_ns() / 1'000'000;
}

// A fork waits until no thread is within the log; the child starts with nothing kept.
void make_fork_safe() {
  pthread_atfork([] { state().mutex.lock(); }, [] { state().mutex.unlock(); },
                 [] {
                   state().output.forget();
                   state().mutex.unlock();
                 });
}

// A socket that got the number of a closed standard descriptor would be sent what is meant for it.
void fill_standard_descriptors() {
  int fd = sys::open_null();
  while (fd >= 0 && fd <= STDERR_FILENO) fd = sys::open_null();
  if (fd >= 0) sys::close(fd);
}

}  // namespace

void init(Level level, Format format) {
  fill_standard_descriptors();
  State& s = state();
  static std::once_flag once;
  std::call_once(once, make_fork_safe);
  const std::scoped_lock lock(s.mutex);
  sys::ignore_by_default(SIGPIPE);
  s.level = level;
  s.format = format;
  s.logger.set_pattern(format == Format::text ? kTextPattern : kJsonPattern);
}

void set_process(std::string_view name) {
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  s.process = name;
}

bool enabled(Level level) {
  return level >= state().level.load(std::memory_order_relaxed) && level != Level::off;
}

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  write_locked(s, level, message, fields, 0);
}

void limited(Level level, std::string_view key, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  const std::optional<std::uint64_t> held = s.limit.pass(key, now_ms(), static_cast<int>(level));
  if (held) write_locked(s, level, message, fields, *held);
}

void tick() {
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  report_dropped(s);
  for (const RateLimit::Held& held : s.limit.collect(now_ms()))
    write_locked(s, static_cast<Level>(held.tag), "{count} more lines like the last about {rule}",
                 {{"count", held.count}, {"rule", held.key}}, 0);
}

bool flush(int wait_ms) {
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  return s.output.flush(wait_ms);
}

std::uint64_t dropped() {
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  return s.output.dropped();
}

}  // namespace spate::core::log
