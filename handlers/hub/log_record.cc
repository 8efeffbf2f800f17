#include "handlers/hub/log_record.h"

#include <cstring>

namespace spate::handlers::hub {

namespace {

// The fixed part of a stream's records.
struct StreamHead {
  std::uint64_t born;
  std::uint64_t epoch;
  std::uint64_t offset;
  std::uint64_t kept_from;
  std::int64_t published_ms;
  std::int64_t ttl_ms;
  std::int64_t meta_ttl_ms;
  std::uint32_t channel_bytes;
  std::uint32_t flags;
};
static_assert(sizeof(StreamHead) == 64);

enum Flag : std::uint32_t {
  kHasVersion = 1,
  kHasKey = 2,
  kHasInfo = 4,
  kHasTags = 8,
  kHasExcluded = 16
};

// One description of each record serves both: Measure counts what Write writes.
class Measure {
 public:
  template <typename T>
  void put(const T&) {
    bytes_ += sizeof(T);
  }
  void put_text(std::string_view text) { bytes_ += sizeof(std::uint32_t) + text.size(); }
  void put_bare(std::string_view text) { bytes_ += text.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

class Write {
 public:
  explicit Write(std::byte* to) : to_(to) {}
  template <typename T>
  void put(const T& value) {
    store(to_, value);
    to_ += sizeof value;
  }
  void put_text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    put_bare(text);
  }
  void put_bare(std::string_view text) {
    if (!text.empty()) std::memcpy(to_, text.data(), text.size());
    to_ += text.size();
  }

 private:
  std::byte* to_;
};

// After the first read past the end everything is empty, and ok() says so.
class Read {
 public:
  explicit Read(ConstBytes from) : from_(from) {}
  template <typename T>
  T take() {
    if (from_.size() < sizeof(T)) return fail(), T{};
    const T value = load<T>(from_.data());
    from_ = from_.subspan(sizeof(T));
    return value;
  }
  std::string_view take_bare(std::size_t bytes) {
    if (from_.size() < bytes) return fail(), std::string_view{};
    const std::string_view text = as_text(from_.first(bytes));
    from_ = from_.subspan(bytes);
    return text;
  }
  std::string_view take_text() { return take_bare(take<std::uint32_t>()); }
  void fail() {
    ok_ = false;
    from_ = {};
  }
  bool ok() const { return ok_; }

 private:
  ConstBytes from_;
  bool ok_ = true;
};

template <typename Out>
void put_stream(Out& out, const StreamRecord& record, std::uint32_t flags) {
  if (record.version != 0) flags |= kHasVersion;
  out.put(StreamHead{record.born, record.epoch.packed(), record.offset, record.kept_from,
                     record.published_ms, record.ttl_ms, record.meta_ttl_ms,
                     static_cast<std::uint32_t>(record.channel.size()), flags});
  if (record.version != 0) {
    out.put(record.version);
    out.put(record.version_epoch_hash);
  }
  out.put_bare(record.channel);
}

template <typename Out>
void put_publication(Out& out, const PublicationRecord& record, const PublishRequest& request) {
  const Publication& publication = request.publication;
  std::uint32_t flags = 0;
  if (record.key) flags |= kHasKey;
  if (publication.info) flags |= kHasInfo;
  if (!publication.tags.empty()) flags |= kHasTags;
  const bool excludes = !request.exclude_users.empty() || !request.exclude_clients.empty();
  if (excludes) flags |= kHasExcluded;
  put_stream(out, record.stream, flags);
  if (record.key) out.put(*record.key);
  out.put_text(publication.data);
  if (publication.info) {
    out.put_text(publication.info->user);
    out.put_text(publication.info->client);
    out.put_text(publication.info->conn_info);
    out.put_text(publication.info->chan_info);
  }
  if (!publication.tags.empty()) out.put(static_cast<std::uint32_t>(publication.tags.size()));
  for (const Tag& tag : publication.tags) {
    out.put_text(tag.key);
    out.put_text(tag.value);
  }
  if (!excludes) return;
  for (const auto list : {request.exclude_users, request.exclude_clients}) {
    out.put(static_cast<std::uint32_t>(list.size()));
    for (const std::string_view name : list) out.put_text(name);
  }
}

struct TakenStream {
  StreamRecord record;
  std::uint32_t flags;
};

TakenStream take_stream(Read& in) {
  const auto head = in.take<StreamHead>();
  TakenStream taken{{}, head.flags};
  StreamRecord& record = taken.record;
  record.born = head.born;
  record.epoch = Epoch::of_packed(head.epoch);
  record.offset = head.offset;
  record.kept_from = head.kept_from;
  record.published_ms = head.published_ms;
  record.ttl_ms = head.ttl_ms;
  record.meta_ttl_ms = head.meta_ttl_ms;
  if ((head.flags & kHasVersion) != 0) {
    record.version = in.take<std::uint64_t>();
    record.version_epoch_hash = in.take<std::uint64_t>();
  }
  record.channel = in.take_bare(head.channel_bytes);
  // What is calculated with. No writer of ours says otherwise.
  if (record.kept_from == 0 || record.kept_from - 1 > record.offset || record.published_ms < 0)
    in.fail();
  return taken;
}

ClientInfo take_info(Read& in) {
  ClientInfo info;
  info.user = in.take_text();
  info.client = in.take_text();
  info.conn_info = in.take_text();
  info.chan_info = in.take_text();
  return info;
}

}  // namespace

StreamRecord blank_record(std::string_view channel, const HistoryPolicy& policy) {
  StreamRecord record;
  record.channel = channel;
  record.ttl_ms = policy.ttl_ms;
  record.meta_ttl_ms = policy.meta_ttl_ms;
  return record;
}

// The channel's hash is the key of the second one: no two pairs are one text.
KeyHash key_of(const core::HashKey& salt, std::string_view channel, std::string_view key) {
  return core::siphash128(core::siphash128(salt, channel), key);
}

std::size_t publication_bytes(const PublicationRecord& record, const PublishRequest& request) {
  Measure measure;
  put_publication(measure, record, request);
  return measure.bytes();
}

void encode_publication(std::byte* to, const PublicationRecord& record,
                        const PublishRequest& request) {
  Write write(to);
  put_publication(write, record, request);
}

std::size_t state_bytes(const StreamRecord& record) {
  Measure measure;
  put_stream(measure, record, 0);
  measure.put(std::int64_t{});
  return measure.bytes();
}

void encode_state(std::byte* to, const StreamRecord& record, std::int64_t used_ms) {
  Write write(to);
  put_stream(write, record, 0);
  write.put(used_ms);
}

std::size_t result_bytes() {
  return sizeof(KeyHash) + sizeof(std::int64_t) + 2 * sizeof(std::uint64_t);
}

void encode_result(std::byte* to, const ResultRecord& record) {
  Write write(to);
  write.put(record.key);
  write.put(record.time_ms);
  write.put(record.position.offset);
  write.put(record.position.epoch.packed());
}

std::size_t user_bytes(std::string_view name) {
  return sizeof(std::int64_t) + sizeof(std::uint32_t) + name.size();
}

void encode_user(std::byte* to, const UserRecord& record) {
  Write write(to);
  write.put(record.since_ms);
  write.put_text(record.name);
}

std::optional<DecodedRecord> decode(const core::RecordLog::Record& record) {
  Read in(record.payload);
  DecodedRecord out;
  out.kind = static_cast<RecordKind>(record.kind);
  out.mark = static_cast<RecordMark>(record.mark);
  switch (out.kind) {
    case RecordKind::publication: {
      const TakenStream taken = take_stream(in);
      out.stream = taken.record;
      if (out.stream.offset == 0) in.fail();
      out.used_ms = out.stream.published_ms;
      if ((taken.flags & kHasKey) != 0)
        out.result = {in.take<KeyHash>(), out.stream.published_ms, out.stream.position()};
      break;
    }
    case RecordKind::state:
      out.stream = take_stream(in).record;
      out.used_ms = in.take<std::int64_t>();
      if (out.used_ms < 0) in.fail();
      break;
    case RecordKind::result: {
      ResultRecord& result = out.result.emplace();
      result.key = in.take<KeyHash>();
      result.time_ms = in.take<std::int64_t>();
      if (result.time_ms < 0) in.fail();
      result.position.offset = in.take<std::uint64_t>();
      result.position.epoch = Epoch::of_packed(in.take<std::uint64_t>());
      break;
    }
    case RecordKind::user:
      out.user.since_ms = in.take<std::int64_t>();
      out.user.name = in.take_text();
      if (out.user.name.empty()) in.fail();
      break;
    default:
      in.fail();
  }
  if (!in.ok()) return std::nullopt;
  return out;
}

std::string_view channel_of(const core::RecordLog::Record& record) {
  Read in(record.payload);
  return take_stream(in).record.channel;
}

bool PublicationReader::add(const core::RecordLog::Record& record) {
  if (record.kind != raw(RecordKind::publication)) return false;
  Read in(record.payload);
  const TakenStream taken = take_stream(in);
  if ((taken.flags & kHasKey) != 0) in.take<KeyHash>();
  KeptPublication& kept = publications_.emplace_back();
  kept.publication.offset = taken.record.offset;
  kept.publication.data = in.take_text();
  if ((taken.flags & kHasInfo) != 0) kept.publication.info = take_info(in);
  const std::size_t tags = tags_.size();
  // The counts are not believed: each turn takes bytes, or ends it.
  std::uint32_t left = (taken.flags & kHasTags) != 0 ? in.take<std::uint32_t>() : 0;
  for (; left > 0 && in.ok(); --left) {
    const std::string_view key = in.take_text();
    tags_.push_back({key, in.take_text()});
  }
  Lists& lists = lists_.emplace_back();
  lists.tags = tags_.size() - tags;
  if ((taken.flags & kHasExcluded) == 0) return in.ok();
  for (std::size_t* const count : {&lists.users, &lists.clients}) {
    const std::size_t before = excluded_.size();
    for (left = in.take<std::uint32_t>(); left > 0 && in.ok(); --left)
      excluded_.push_back(in.take_text());
    *count = excluded_.size() - before;
  }
  return in.ok();
}

std::span<const KeptPublication> PublicationReader::finish() {
  const Tag* tag = tags_.data();
  const std::string_view* excluded = excluded_.data();
  for (std::size_t i = 0; i < publications_.size(); ++i) {
    publications_[i].publication.tags = {tag, lists_[i].tags};
    tag += lists_[i].tags;
    publications_[i].exclude_users = {excluded, lists_[i].users};
    excluded += lists_[i].users;
    publications_[i].exclude_clients = {excluded, lists_[i].clients};
    excluded += lists_[i].clients;
  }
  return publications_;
}

void PublicationReader::clear() {
  publications_.clear();
  lists_.clear();
  tags_.clear();
  excluded_.clear();
}

}  // namespace spate::handlers::hub
