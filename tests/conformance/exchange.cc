#include "tests/conformance/exchange.h"

#include <algorithm>
#include <charconv>

#include "tests/conformance/deflate.h"

namespace spate::tests {
namespace {

constexpr std::string_view kSentinel = "the last ping of the row";

std::string filled_in(std::string request, const std::string& host) {
  static constexpr std::string_view kPlace = "{host}";
  for (std::size_t at = 0; (at = request.find(kPlace, at)) != std::string::npos;
       at += host.size()) {
    request.replace(at, kPlace.size(), host);
  }
  return request;
}

std::string describe(const std::vector<std::uint16_t>& codes) {
  std::string out;
  for (const std::uint16_t code : codes) {
    if (!out.empty()) out += " or ";
    out += code == kNoCode ? "without a body" : std::to_string(code);
  }
  return out;
}

std::string describe(RawClient::End end) {
  switch (end) {
    case RawClient::End::none:
      return "TCP still open";
    case RawClient::End::fin:
      return "end of TCP";
    case RawClient::End::reset:
      return "TCP reset";
  }
  return {};
}

std::string describe(const Message& message) {
  return std::string(!message.compressed   ? ""
                     : *message.compressed ? "compressed "
                                           : "plain ") +
         (message.opcode == kText ? "text of " : "binary of ") +
         std::to_string(message.payload.size()) + " bytes [" + hex(message.payload, 16) + "]";
}

// `received` is `expected` without some of those before its last (§5.5.3).
bool answers(const std::vector<std::string>& expected, const std::vector<std::string>& received) {
  if (expected.empty() || received.empty()) return expected.empty() && received.empty();
  auto next = expected.begin();
  for (const std::string& pong : received) {
    next = std::find(next, expected.end(), pong);
    if (next == expected.end()) return false;
    ++next;
  }
  return next == expected.end();
}

class Exchange {
 public:
  Exchange(const Case& conformance_case, std::unique_ptr<Stream> stream, std::string host,
           Deadline deadline)
      : case_(conformance_case),
        client_(std::move(stream)),
        host_(std::move(host)),
        deadline_(deadline) {}

  Verdict run() {
    if (shake_hands()) {
      client_.start_transcript();
      for (const Step& step : case_.script) {
        if (!take(step)) break;
      }
      judge();
    }
    if (report_.empty()) return {true};
    report_ += "     sent " + std::to_string(client_.sent_bytes()) +
               " bytes: " + hex(client_.sent_first(), 256) + "\n     received " +
               std::to_string(client_.received_bytes()) +
               " bytes: " + hex(client_.received_first(), 256) + "\n";
    return {false, report_};
  }

 private:
  void find(const std::string& finding) { report_ += "     " + finding + "\n"; }

  // False when there is nothing to play after it: refused, as demanded or not.
  bool shake_hands() {
    const Handshake& handshake = case_.handshake;
    // A refusal may come, and close, before all of the request was taken.
    client_.send(filled_in(handshake.request, host_) + handshake.early, deadline_,
                 handshake.chop_bytes);
    const std::size_t end = client_.receive_through("\r\n\r\n", deadline_);
    if (end == std::string::npos)
      return find("no response head; " + describe(client_.end())), false;
    const auto head = parse_response_head(client_.take(end));
    if (!head) return find("malformed response head: " + client_.received_first()), false;
    const auto& statuses = handshake.statuses;
    if (std::find(statuses.begin(), statuses.end(), head->status) == statuses.end()) {
      std::string demanded = "demanded: status";
      for (const int status : statuses) demanded += " " + std::to_string(status);
      return find(demanded + "; got: " + head->status_line), false;
    }
    std::string complaint;
    if (head->status == 101) complaint = complain_about_upgrade(*head, handshake.key);
    if (complaint.empty() && handshake.check) complaint = handshake.check(*head);
    if (complaint.empty() && head->status == 101) complaint = unasked(*head);
    if (complaint.empty() && head->status != 101) complaint = finish_refusal(*head);
    if (!complaint.empty()) return find("response head: " + complaint), false;
    return head->status == 101;
  }

  // §4.2.2: neither subprotocol nor extension without the client's offer.
  std::string unasked(const ResponseHead& head) {
    const std::string& demanded = case_.handshake.extensions;
    const std::string chosen = head.value("sec-websocket-extensions");
    if (demanded.empty() && head.count("sec-websocket-extensions") != 0)
      return "an extension was chosen: " + chosen;
    if (chosen != demanded) return "demanded: extension " + demanded + "; got: " + chosen;
    if (!chosen.empty()) {
      reader_.allow_rsv1();
      inflation_.emplace(chosen);
    }
    if (!case_.handshake.check && head.count("sec-websocket-protocol") != 0) {
      return "a subprotocol was chosen";
    }
    return {};
  }

  // The refusal's body is whole, and the connection closes unless it may stay.
  std::string finish_refusal(const ResponseHead& head) {
    if (head.status < 400) return "a refusal has a status of 4xx or 5xx";
    const std::string length = head.value("content-length");
    if (!length.empty()) {
      std::size_t bytes = 0;
      std::from_chars(length.data(), length.data() + length.size(), bytes);
      if (!client_.receive_bytes(bytes, deadline_)) return "the body is shorter than it says";
      if (case_.handshake.may_stay_open) return {};
      client_.take(bytes);
    }
    if (client_.receive_end(deadline_) == RawClient::End::none) return "the connection stays open";
    if (!length.empty() && !client_.inbox().empty()) return "bytes after the response";
    return {};
  }

  bool take(const Step& step) {
    switch (step.kind) {
      case Step::Kind::send:
        // What is not taken shows in what comes back: the server may close before it has read all.
        return client_.send(step.bytes, deadline_, step.chop_bytes);
      case Step::Kind::await_pong:
        if (await([&] { return !pongs_.empty() && pongs_.back() == step.bytes; })) return true;
        return find("no pong [" + hex(step.bytes) + "] in the middle of the script"), false;
      case Step::Kind::await_messages:
        if (await([&] { return messages_.size() >= step.count; })) return true;
        return find("too few replies in the middle of the script"), false;
      case Step::Kind::half_close:
        client_.shutdown_write();
        return true;
      case Step::Kind::reset:
        client_.reset();
        return false;
    }
    return false;
  }

  void judge() {
    const Expectation& expect = case_.expect;
    if (expect.ending == Ending::gone || !report_.empty()) return;
    if (expect.ending == Ending::open) {
      judge_open();
    } else {
      // A reply too many is a failure already; there may be no end to wait for.
      await([this] {
        return client_.end() != RawClient::End::none ||
               messages_.size() > case_.expect.messages.size();
      });
    }
    judge_violations();
    judge_messages();
    judge_pongs();
    if (expect.ending != Ending::open) judge_end();
  }

  void judge_open() {
    const Expectation& expect = case_.expect;
    await([&] {
      return messages_.size() >= expect.messages.size() &&
             (expect.pongs.empty() || (!pongs_.empty() && pongs_.back() == expect.pongs.back()));
    });
    if (client_.end() != RawClient::End::none || closed_) {
      return find("demanded: the connection stays open; got: " + describe_close() + ", " +
                  describe(client_.end()));
    }
    client_.send(ping_frame(std::string(kSentinel)), deadline_);
    if (!await([this] { return !pongs_.empty() && pongs_.back() == kSentinel; })) {
      find("no answer to the last ping: " + describe_close() + ", " + describe(client_.end()));
    } else {
      pongs_.pop_back();
    }
    if (closed_) return;
    client_.send(close_frame(1000), deadline_);
    await([this] { return client_.end() != RawClient::End::none; });
    if (!closed_ || close_code_ != 1000) {
      find("demanded: close 1000 in reply to ours; got: " + describe_close());
    }
    if (client_.end() != RawClient::End::fin) {
      find("demanded: end of TCP after the closing handshake; got: " + describe(client_.end()));
    }
  }

  void judge_violations() {
    if (!reader_.violation().empty()) find("violation: " + reader_.violation());
    if (fragmented_) find("a reply is fragmented");
    if (unasked_ping_) find("a ping of the server's own");
    if (reader_.violation().empty() && reader_.pending_bytes() > 0) {
      find(std::to_string(reader_.pending_bytes()) + " bytes of an unfinished frame at the end");
    }
  }

  void judge_messages() {
    const std::vector<Message>& expected = case_.expect.messages;
    if (messages_.size() != expected.size()) {
      find("demanded: " + std::to_string(expected.size()) +
           " replies; got: " + std::to_string(messages_.size()));
    }
    for (std::size_t i = 0; i < std::min(messages_.size(), expected.size()); ++i) {
      if (messages_[i].opcode == expected[i].opcode &&
          messages_[i].payload == expected[i].payload &&
          expected[i].compressed.value_or(*messages_[i].compressed) == messages_[i].compressed) {
        continue;
      }
      return find("reply " + std::to_string(i) + ": demanded: " + tests::describe(expected[i]) +
                  "; got: " + tests::describe(messages_[i]));
    }
  }

  void judge_pongs() {
    if (answers(case_.expect.pongs, pongs_)) return;
    find("demanded: pongs to " + std::to_string(case_.expect.pongs.size()) +
         " pings; got: " + std::to_string(pongs_.size()) +
         (pongs_.empty() ? "" : ", the last with [" + hex(pongs_.back(), 16) + "]"));
  }

  void judge_end() {
    const Expectation& expect = case_.expect;
    const auto& codes = expect.close_codes;
    if (expect.ending == Ending::closed &&
        (!closed_ || std::find(codes.begin(), codes.end(), close_code_) == codes.end())) {
      find("demanded: close " + tests::describe(codes) + "; got: " + describe_close());
    }
    const bool clean_end_due = expect.ending == Ending::closed && !expect.reset_allowed;
    if (client_.end() == RawClient::End::none ||
        (clean_end_due && client_.end() == RawClient::End::reset)) {
      find("demanded: end of TCP; got: " + describe(client_.end()));
    }
  }

  std::string describe_close() const {
    if (!closed_) return "no close frame";
    return "close " + (close_code_ == kNoCode ? "without a body" : std::to_string(close_code_));
  }

  // Reads frames until `done`; false when the deadline, the end or a violation comes first.
  template <typename Done>
  bool await(Done done) {
    for (;;) {
      reader_.feed(client_.take());
      while (auto frame = reader_.next()) note(std::move(*frame));
      if (done()) return true;
      if (!reader_.violation().empty() || !client_.receive(deadline_)) return false;
    }
  }

  void note(ServerFrame frame) {
    switch (frame.opcode) {
      case kPong:
        pongs_.push_back(std::move(frame.payload));
        break;
      case kPing:
        unasked_ping_ = true;
        break;
      case kClose:
        closed_ = true;
        close_code_ = frame.close_code().value_or(kNoCode);
        break;
      default:
        if (!frame.fin || frame.opcode == kContinuation) fragmented_ = true;
        if (frame.rsv1) {
          auto inflated = inflation_->inflate(frame.payload);
          if (!inflated) find("a reply does not inflate: [" + hex(frame.payload, 32) + "]");
          frame.payload = std::move(inflated).value_or("");
        }
        messages_.push_back({frame.opcode, std::move(frame.payload), frame.rsv1});
    }
  }

  const Case& case_;
  RawClient client_;
  std::string host_;
  Deadline deadline_;
  FrameReader reader_;
  std::optional<Inflation> inflation_;  // where permessage-deflate was negotiated
  std::vector<Message> messages_;
  std::vector<std::string> pongs_;
  bool closed_ = false;
  std::uint16_t close_code_ = kNoCode;
  bool fragmented_ = false;
  bool unasked_ping_ = false;
  std::string report_;
};

}  // namespace

Verdict play(const Case& conformance_case, const Endpoint& endpoint, Deadline deadline) {
  std::unique_ptr<Stream> stream = endpoint.connect(deadline);
  if (stream == nullptr) return {false, "     no connection\n"};
  Verdict verdict = Exchange(conformance_case, std::move(stream), endpoint.host, deadline).run();
  std::string why;
  if (verdict.passed && conformance_case.expect.ending == Ending::gone &&
      !serves(endpoint, deadline, &why)) {
    return {false, "     no fresh connection after ours was reset: " + why + "\n"};
  }
  return verdict;
}

bool serves(const Endpoint& endpoint, Deadline deadline, std::string* why) {
  const auto client = WsClient::open(endpoint, deadline, "/echo", why);
  if (client == nullptr) return false;
  if (client->echoes("still there?", deadline)) return true;
  *why = "no echo";
  return false;
}

}  // namespace spate::tests
