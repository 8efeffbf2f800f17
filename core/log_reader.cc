#include "core/log_reader.h"

#include "core/shared_words.h"

namespace spate::core {

bool LogReader::copy(const NamedPlace& named, std::vector<std::byte>& to,
                     RecordLog::Kind* kind) const {
  if (named.number == 0 || number_at(memory_, named.place) != named.number) return false;
  const std::uint64_t begin = std::uint64_t{named.place} * 8;
  const std::size_t room = memory_.segment_bytes() - begin % memory_.segment_bytes();
  const std::byte* const at = memory_.segments() + begin;
  if (room < RecordLog::kHeaderBytes) return false;
  const auto payload_bytes = load<std::uint32_t>(at);
  *kind = load<RecordLog::Kind>(at + RecordLog::kKindOffset);
  if (payload_bytes > room - RecordLog::kHeaderBytes) return false;
  const std::size_t before = to.size();
  to.resize(before + (payload_bytes + std::size_t{7}) / 8 * 8);
  load_words(to.data() + before, at + RecordLog::kHeaderBytes, payload_bytes);
  const bool whole = number_at(memory_, named.place) == named.number;
  to.resize(whole ? before + payload_bytes : before);
  return whole;
}

}  // namespace spate::core
