#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

// Heartbeats of the server's own would come between the frames that rows expect.
std::vector<std::string> quiet(std::vector<std::string> flags) {
  std::vector<std::string> out{"--echo", "/echo", "--ping-interval-ms", "600000"};
  out.insert(out.end(), flags.begin(), flags.end());
  return out;
}

}  // namespace

const Profile kStandard{"standard", quiet({})};
const Profile kSmallLimit{"small limit", quiet({"--max-message-bytes", "100"})};
const Profile kLargeLimit{"large limit",
                          quiet({"--max-message-bytes", "16777216", "--outbox-bytes", "20971520"})};
const Profile kOrigins{
    "origins", quiet({"--allowed-origins", "https://app.example.com,https://*.example.org"})};
const Profile kProtocols{"subprotocols", quiet({"--subprotocols", "chat.v2,chat.v1"})};

const Profile kDeflate{"deflate", quiet({"--deflate", "--deflate-min-bytes", "32"})};
const Profile kTakeover{"context takeover", quiet({"--deflate", "--deflate-min-bytes", "32",
                                                   "--deflate-context-takeover"})};

Step send(std::string bytes, std::size_t chop_bytes) {
  return {Step::Kind::send, std::move(bytes), chop_bytes};
}
Step await_pong(std::string payload) {
  return {Step::Kind::await_pong, std::move(payload)};
}
Step await_messages(std::size_t count) {
  return {.kind = Step::Kind::await_messages, .count = count};
}
Step half_close() {
  return {Step::Kind::half_close};
}
Step reset() {
  return {Step::Kind::reset};
}

Message text(std::string payload) {
  return {kText, std::move(payload)};
}
Message binary(std::string payload) {
  return {kBinary, std::move(payload)};
}

Expectation stays_open(std::vector<Message> messages, std::vector<std::string> pongs) {
  return {.messages = std::move(messages), .pongs = std::move(pongs)};
}
Expectation closes(std::uint16_t code, std::vector<Message> messages,
                   std::vector<std::string> pongs) {
  return {std::move(messages), std::move(pongs), Ending::closed, {code}};
}
Expectation closes_with_any(std::vector<std::uint16_t> codes, std::vector<Message> messages) {
  return {std::move(messages), {}, Ending::closed, std::move(codes)};
}
Expectation ends(std::vector<Message> messages) {
  return {.messages = std::move(messages), .ending = Ending::ended};
}
Expectation gone() {
  return {.ending = Ending::gone};
}

std::string text_of(std::size_t bytes) {
  static constexpr std::string_view kCharacters[] = {"a", "é", "€", "😀", "Z", "ß", "中"};
  std::string out;
  out.reserve(bytes);
  for (std::size_t i = 0; out.size() < bytes; ++i) {
    const std::string_view next = kCharacters[(i * i + i / 7) % std::size(kCharacters)];
    if (out.size() + next.size() > bytes) {
      out.push_back(static_cast<char>('0' + i % 10));
    } else {
      out += next;
    }
  }
  return out;
}

std::string bytes_of(std::size_t bytes) {
  std::string out(bytes, '\0');
  std::uint32_t state = 0x9e3779b9;
  for (char& byte : out) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return out;
}

std::uint32_t key_of(std::size_t index) {
  return (static_cast<std::uint32_t>(index + 1) * 2654435761u) | 0x01010101u;
}

std::string repeat(std::string_view piece, std::size_t times) {
  std::string out;
  out.reserve(piece.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

}  // namespace spate::tests
