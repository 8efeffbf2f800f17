#include "tools/spate-bench/reply_judge.h"

#include <algorithm>
#include <utility>

#include "codec/deflate_terms.h"

namespace spate::bench {

// What FrameReader reports to.
class ReplyJudge::Listener {
 public:
  Listener(ReplyJudge& judge, Connection& connection, Talk& talk)
      : judge_(judge),
        connection_(connection),
        talk_(talk),
        script_(judge.script_),
        id_(judge.worker_.id_of(connection)) {}

  void message_begin(Opcode opcode) {
    talk_.bytes = 0;
    talk_.stamp = 0;
    talk_.number = talk_.expected;
    talk_.wrong_content = talk_.not_inflated = false;
    talk_.wrong_type = opcode != script_.opcode();
  }

  void message_bytes(ConstBytes chunk) {
    if (!talk_.reader.compressed()) return take(chunk);
    if (!talk_.compressed) talk_.compressed = std::make_unique<std::string>();
    talk_.compressed->append(as_text(chunk));
  }

  void message_end() {
    if (talk_.reader.compressed()) inflate();
    judge_.message(connection_, talk_);
  }

  void control(Opcode opcode, ConstBytes payload) {
    if (opcode == Opcode::close) closing_ = true;
    if (opcode != Opcode::ping) return;
    talk_.controls.pong(payload);
    judge_.worker_.answered_ping(connection_);
  }

  [[nodiscard]] bool closing() const { return closing_; }

 private:
  void take(ConstBytes chunk) {
    const std::size_t stamp_bytes = script_.stamp_bytes();
    if (talk_.bytes < stamp_bytes) {
      const std::size_t take = std::min(stamp_bytes - talk_.bytes, chunk.size());
      std::memcpy(reinterpret_cast<std::byte*>(&talk_.stamp) + talk_.bytes, chunk.data(), take);
      talk_.bytes += take;
      chunk = chunk.subspan(take);
      if (talk_.bytes < stamp_bytes) return;
      const auto reading = script_.read_stamp(talk_.stamp, id_, talk_.expected);
      talk_.number = reading.number;
      if (!reading.good) talk_.wrong_content = true;
    }
    const std::uint64_t size = script_.payload_bytes(id_, talk_.number);
    const std::uint64_t room = size - std::min(size, talk_.bytes);
    const ConstBytes known = chunk.first(std::min<std::uint64_t>(room, chunk.size()));
    if (!known.empty() && !script_.filler_matches(talk_.number, talk_.bytes, known))
      talk_.wrong_content = true;
    talk_.bytes += chunk.size();
  }

  // A reply that is longer than any message stops where it is: it has the wrong length.
  void inflate() {
    const std::unique_ptr<std::string> payload = std::move(talk_.compressed);
    codec::Inflater& inflater = judge_.inflater_;
    inflater.forget();
    inflater.start(payload ? as_bytes(*payload) : ConstBytes{},
                   judge_.worker_.options().sizes.largest() + 1);
    auto status = codec::InflateStatus::more;
    while (status == codec::InflateStatus::more) {
      const codec::InflateResult result = inflater.next(judge_.piece_);
      take(ConstBytes(judge_.piece_).first(result.bytes));
      status = result.status;
    }
    if (status != codec::InflateStatus::done && status != codec::InflateStatus::too_big)
      talk_.not_inflated = true;
  }

  ReplyJudge& judge_;
  Connection& connection_;
  Talk& talk_;
  const Script& script_;
  const std::uint32_t id_;
  bool closing_ = false;
};

ReplyJudge::ReplyJudge(Worker& worker, Script& script)
    : worker_(worker),
      stats_(worker.stats()),
      script_(script),
      raw_reply_bytes_(server_header_bytes(worker.options().sizes.largest()) +
                       worker.options().sizes.largest()) {
  if (!worker.options().deflate) return;
  SPATE_CHECK(inflater_.open(memory_, codec::kMaxWindowBits));
  piece_.resize(kInflatePieceBytes);
}

ReplyJudge::Verdict ReplyJudge::hear(Connection& connection, Talk& talk, ConstBytes bytes,
                                     std::uint64_t now) {
  heard_at_ = now;
  if (script_.reply_bytes() > 0 && talk.reader.between_messages())
    bytes = bytes.subspan(hear_expected(worker_.id_of(connection), talk, bytes));
  Listener listener(*this, connection, talk);
  const bool good = talk.reader.feed(bytes, listener);
  record_run();
  return !good ? Verdict::protocol_error : listener.closing() ? Verdict::closing : Verdict::go_on;
}

// A burst is compared in one go. Anything that differs, in framing or content, is left for the
// reader.
std::size_t ReplyJudge::hear_expected(std::uint32_t id, Talk& talk, ConstBytes bytes) {
  std::size_t taken = 0;
  for (;;) {
    const std::size_t count =
        std::min({(bytes.size() - taken) / script_.reply_bytes(),
                  static_cast<std::size_t>(talk.sent - talk.expected), script_.max_burst()});
    if (count == 0) return taken;
    const ConstBytes expected = script_.replies(id, talk.expected, count);
    if (std::memcmp(bytes.data() + taken, expected.data(), expected.size()) != 0) return taken;
    taken += expected.size();
    settle(talk, count, count * script_.payload_bytes(id, talk.expected));
  }
}

void ReplyJudge::hear_raw(Talk& talk, ConstBytes bytes, std::uint64_t now) {
  heard_at_ = now;
  talk.bytes += bytes.size();
  const std::uint64_t replies = talk.bytes / raw_reply_bytes_;
  const std::uint64_t wanted = std::min(replies, talk.sent - talk.expected);
  talk.bytes -= replies * raw_reply_bytes_;
  stats_.error(Error::unsolicited, replies - wanted);
  settle(talk, wanted, wanted * worker_.options().sizes.largest());
  record_run();
}

void ReplyJudge::message(const Connection& connection, Talk& talk) {
  const std::uint64_t number = talk.number;
  const std::size_t size = script_.payload_bytes(worker_.id_of(connection), number);
  if (talk.not_inflated)
    stats_.error(Error::not_inflated);
  else if (talk.wrong_type)
    stats_.error(Error::wrong_type);
  else if (talk.bytes != size)
    stats_.error(Error::wrong_length);
  else if (talk.wrong_content)
    stats_.error(Error::corrupted);
  if (number >= talk.sent) return stats_.error(Error::unsolicited);
  if (number < talk.expected) return out_of_order(connection.index, number, size);
  if (number > talk.expected) overtaken(connection.index, talk, number);
  settle(talk, 1, size);
}

// The oldest messages are answered.
void ReplyJudge::settle(Talk& talk, std::uint64_t messages, std::size_t payload_bytes) {
  stats_.received.add(messages);
  stats_.received_bytes.add(payload_bytes);
  while (messages > 0) {
    const DueTimes::Oldest oldest = talk.oldest();
    const std::uint64_t together = std::min(oldest.messages, messages);
    answered(oldest.ns, together);
    talk.settle(together);
    messages -= together;
  }
}

void ReplyJudge::out_of_order(std::uint32_t index, std::uint64_t number,
                              std::size_t payload_bytes) {
  const auto of_connection = missing_.find(index);
  if (of_connection == missing_.end()) return stats_.error(Error::duplicated);
  const auto found = of_connection->second.find(number);
  if (found == of_connection->second.end()) return stats_.error(Error::duplicated);
  const Missing missing = found->second;
  of_connection->second.erase(found);
  if (missing.given_up) return stats_.error(Error::late);
  stats_.error(Error::reordered);
  stats_.received.add();
  stats_.received_bytes.add(payload_bytes);
  answered(missing.due_ns, 1);
}

// Messages [expected, until) were overtaken: whether they are lost is not known yet.
void ReplyJudge::overtaken(std::uint32_t index, Talk& talk, std::uint64_t until) {
  auto& of_connection = missing_[index];
  for (; talk.expected < until; talk.settle(1))
    of_connection[talk.expected] = {talk.oldest().ns, false};
  for (; of_connection.size() > kMostMissing; of_connection.erase(of_connection.begin()))
    if (const Missing& oldest = of_connection.begin()->second; !oldest.given_up)
      lose(oldest.due_ns, heard_at_);
}

void ReplyJudge::answered(std::uint64_t due_ns, std::uint64_t messages) {
  if (due_ns != run_due_ns_) {
    record_run();
    run_due_ns_ = due_ns;
  }
  run_length_ += messages;
}

void ReplyJudge::record_run() {
  if (run_length_ == 0) return;
  if (worker_.measured(run_due_ns_)) stats_.latency.record(heard_at_ - run_due_ns_, run_length_);
  run_length_ = run_due_ns_ = 0;
}

void ReplyJudge::give_up(const Connection& connection, Talk& talk, std::uint64_t before,
                         std::uint64_t now) {
  auto& of_connection = missing_[connection.index];
  for (; talk.expected < talk.sent; talk.settle(1)) {
    const std::uint64_t due_ns = talk.oldest().ns;
    if (due_ns >= before) return;
    lose(due_ns, now);
    of_connection[talk.expected] = {due_ns, true};
    if (of_connection.size() > kMostMissing) of_connection.erase(of_connection.begin());
  }
}

void ReplyJudge::finish(Talk& talk, std::uint64_t now) {
  for (; talk.expected < talk.sent; talk.settle(1)) lose(talk.oldest().ns, now);
  stats_.error(Error::not_sent, talk.due - talk.sent);
  talk.settle(talk.outstanding());
  talk.sent = talk.due;
}

void ReplyJudge::begin(const Connection& connection, std::uint64_t now) {
  const auto of_connection = missing_.find(connection.index);
  if (of_connection == missing_.end()) return;
  for (const auto& [number, missing] : of_connection->second)
    if (!missing.given_up) lose(missing.due_ns, now);
  missing_.erase(of_connection);
}

void ReplyJudge::finish_missing(std::uint64_t now) {
  for (const auto& [index, of_connection] : missing_)
    for (const auto& [number, missing] : of_connection)
      if (!missing.given_up) lose(missing.due_ns, now);
  missing_.clear();
}

// It counts with the time it has waited: leaving it out would flatter a server that loses the slow
// ones.
void ReplyJudge::lose(std::uint64_t due_ns, std::uint64_t now) {
  stats_.error(Error::lost);
  if (worker_.measured(due_ns)) stats_.latency.record(now - due_ns);
}

}  // namespace spate::bench
