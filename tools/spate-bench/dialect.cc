#include "tools/spate-bench/dialect.h"

#include <algorithm>

#include "tools/spate-bench/script.h"
#include "tools/spate-bench/whole_message.h"

namespace spate::bench {

Dialect::Dialect(const Options& options, std::size_t connections)
    : options_(options), lines_(connections) {
  for (const std::size_t bytes : options.sizes.distinct())
    envelopes_.push_back(*options.message_frame.envelope(bytes));
}

bool Dialect::greet(std::uint32_t index, std::uint32_t id, ControlQueue& queue) {
  lines_[index] = {};
  lines_[index].ready = options_.ready_when.empty();
  std::string body;
  for (std::uint64_t number = 0; number < options_.hello_frames.size(); ++number) {
    body.clear();
    options_.hello_frames[number].render(body, {.payload = {}, .connection = id, .number = number});
    queue.put(options_.opcode, as_bytes(body));
  }
  return lines_[index].ready;
}

// An envelope that tells lengths fits one size only, so what fits to the byte comes first.
bool Dialect::payload_of(std::string_view message, std::string_view& payload) const {
  for (const bool exact : {true, false}) {
    for (std::size_t i = 0; i < envelopes_.size(); ++i) {
      const auto& [before, after] = envelopes_[i];
      const std::size_t around = before.size() + after.size();
      if (message.size() < around || !message.starts_with(before) || !message.ends_with(after))
        continue;
      payload = message.substr(before.size(), message.size() - around);
      if (!exact || payload.size() == options_.sizes.distinct()[i]) return true;
    }
  }
  return false;
}

void Dialect::pass_on(Opcode opcode, std::string_view payload) {
  std::byte header[kMaxHeaderBytes];
  const std::size_t header_bytes = write_server_header(header, opcode, payload.size());
  frames_ += as_text({header, header_bytes});
  frames_ += payload;
}

struct Dialect::Listener {
  Dialect& dialect;
  Line& line;
  ControlQueue& queue;
  WholeMessage message{line.partial};
  bool became_ready = false;

  void message_begin(Opcode opcode) {
    line.opcode = opcode;
    message.begin();
  }
  void message_bytes(ConstBytes bytes) { message.add(bytes); }
  void message_end() {
    hear(as_text(message.get()));
    message.begin();
  }
  void control(Opcode opcode, ConstBytes payload) { dialect.pass_on(opcode, as_text(payload)); }

  void hear(std::string_view text) {
    const Options& options = dialect.options_;
    if (!line.ready) {
      line.ready = became_ready = text.find(options.ready_when) != text.npos;
      return;
    }
    if (!options.app_ping.empty() && text == options.app_ping)
      return queue.put(options.opcode, as_bytes(options.app_pong));
    std::string_view payload;
    if (!dialect.payload_of(text, payload)) return;
    dialect.pass_on(line.opcode, payload);
    // Script put the stamp so that it needs no escape.
    std::uint64_t stamp = 0;
    const std::size_t stamp_bytes = std::min(payload.size(), sizeof stamp);
    char* const at = dialect.frames_.data() + dialect.frames_.size() - payload.size();
    std::memcpy(&stamp, at, stamp_bytes);
    stamp = Script::exchange_backslashes(stamp);
    std::memcpy(at, &stamp, stamp_bytes);
  }
};

Dialect::Heard Dialect::hear(std::uint32_t index, ConstBytes bytes, ControlQueue& queue) {
  Line& line = lines_[index];
  frames_.clear();
  Listener listener{*this, line, queue};
  const bool good = line.reader.feed(bytes, listener);
  listener.message.keep();
  return {good, listener.became_ready, as_bytes(frames_)};
}

}  // namespace spate::bench
