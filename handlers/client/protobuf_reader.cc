// Generated code reads, into messages that one arena holds until the next frame: what a command
// costs is the heap blocks of its strings above 15 bytes.
#include <google/protobuf/arena.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <limits>

#include "handlers/client/client.pb.h"
#include "handlers/client/reader.h"

namespace spate::handlers::client {
namespace {

namespace proto = centrifugal::centrifuge::protocol;

void fill(const proto::SubscribeRequest& from, SubscribeRequest& to) {
  to.channel = from.channel();
  to.token = from.token();
  to.recover = from.recover();
  to.epoch = from.epoch();
  to.offset = from.offset();
  to.data = from.data();
  to.positioned = from.positioned();
  to.recoverable = from.recoverable();
  to.join_leave = from.join_leave();
  to.delta = from.delta();
  to.has_filter = from.has_tf();
  to.flag = from.flag();
  to.type = from.type();
}

void fill(const proto::ConnectRequest& from, ConnectRequest& to) {
  to.token = from.token();
  to.data = from.data();
  to.name = from.name();
  to.version = from.version();
  // Maps have an order of their own.
  for (const auto& [channel, request] : from.subs()) {
    fill(request, to.subs.emplace_back());
    to.subs.back().channel = channel;
  }
  std::ranges::sort(to.subs, {}, &SubscribeRequest::channel);
  for (const auto& [name, value] : from.headers()) to.headers.emplace_back(name, value);
  std::ranges::sort(to.headers);
}

void fill(const proto::HistoryRequest& from, HistoryQuery& to) {
  to.channel = from.channel();
  to.limit = from.limit();
  to.has_since = from.has_since();
  to.since_offset = from.since().offset();
  to.since_epoch = from.since().epoch();
  to.reverse = from.reverse();
}

Method fill_request(const proto::Command& from, Command& to) {
  if (from.has_connect()) {
    fill(from.connect(), to.connect);
    return Method::connect;
  }
  if (from.has_subscribe()) {
    fill(from.subscribe(), to.subscribe);
    return Method::subscribe;
  }
  if (from.has_unsubscribe()) {
    to.channel = from.unsubscribe().channel();
    return Method::unsubscribe;
  }
  if (from.has_publish()) {
    to.channel = from.publish().channel();
    to.data = from.publish().data();
    to.type = from.publish().type();
    return Method::publish;
  }
  if (from.has_presence()) {
    to.channel = from.presence().channel();
    return Method::presence;
  }
  if (from.has_presence_stats()) {
    to.channel = from.presence_stats().channel();
    return Method::presence_stats;
  }
  if (from.has_history()) {
    fill(from.history(), to.history);
    return Method::history;
  }
  if (from.has_rpc()) {
    to.data = from.rpc().data();
    to.rpc_method = from.rpc().method();
    return Method::rpc;
  }
  if (from.has_send()) {
    to.data = from.send().data();
    return Method::send;
  }
  if (from.has_refresh()) {
    to.token = from.refresh().token();
    return Method::refresh;
  }
  if (from.has_sub_refresh()) {
    to.channel = from.sub_refresh().channel();
    to.token = from.sub_refresh().token();
    to.type = from.sub_refresh().type();
    return Method::sub_refresh;
  }
  return from.has_ping() ? Method::ping : Method::none;
}

class ProtobufReader final : public CommandReader {
 public:
  ProtobufReader() : arena_(options()) {
    // A peer's fault is no line in the log: the library writes one for text that is not UTF-8.
    google::protobuf::SetLogHandler(nullptr);
  }

  void begin(ConstBytes frame) override {
    arena_.Reset();
    rest_ = frame;
    bad_ = frame.empty();
  }

  ReadStatus next(Command& command) override {
    command.clear();
    if (bad_) return ReadStatus::bad;
    if (rest_.empty()) return ReadStatus::end;
    bad_ = !read(command);
    return bad_ ? ReadStatus::bad : ReadStatus::command;
  }

 private:
  // An ordinary frame's messages fit; what is beyond is freed with the frame.
  static constexpr std::size_t kFirstBlockBytes = 4096;

  google::protobuf::ArenaOptions options() {
    google::protobuf::ArenaOptions options;
    options.initial_block = first_block_;
    options.initial_block_size = sizeof first_block_;
    return options;
  }

  bool read(Command& command) {
    std::uint64_t bytes = 0;
    if (!take_length(bytes) || bytes > rest_.size()) return false;
    const ConstBytes body = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    if (body.empty()) return true;
    auto* message = google::protobuf::Arena::CreateMessage<proto::Command>(&arena_);
    if (body.size() > std::numeric_limits<int>::max() ||
        !message->ParseFromArray(body.data(), static_cast<int>(body.size())))
      return false;
    command.id = message->id();
    command.method = fill_request(*message, command);
    return true;
  }

  // Five bytes hold 32 bits and more; longer is no length of a frame.
  bool take_length(std::uint64_t& length) {
    constexpr std::size_t kMaxLengthBytes = 5;
    for (std::size_t i = 0; i < std::min(kMaxLengthBytes, rest_.size()); ++i) {
      const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
      length |= (byte & 0x7F) << (7 * i);
      if (byte >= 0x80) continue;
      rest_ = rest_.subspan(i + 1);
      return true;
    }
    return false;
  }

  alignas(8) char first_block_[kFirstBlockBytes];
  google::protobuf::Arena arena_;
  ConstBytes rest_;
  bool bad_ = true;
};

}  // namespace

std::unique_ptr<CommandReader> make_protobuf_reader() {
  return std::make_unique<ProtobufReader>();
}

}  // namespace spate::handlers::client
