#include "core/log_reader.h"

#include <cstring>

#include "core/shared_words.h"

namespace spate::core {

bool LogReader::copy(const NamedPlace& named, std::vector<std::byte>& to,
                     RecordLog::Kind* kind) const {
  if (named.number == 0 || number_at(memory_, named.place) != named.number) return false;
  const std::uint64_t begin = std::uint64_t{named.place} * 8;
  const std::size_t room = memory_.segment_bytes() - begin % memory_.segment_bytes();
  const std::byte* const at = memory_.segments() + begin;
  if (room < RecordLog::kHeaderBytes) return false;
  // One load: the writer marks records as dead by storing into the same word.
  const std::uint64_t header = load_word(at);
  std::uint32_t payload_bytes;
  std::memcpy(&payload_bytes, &header, sizeof payload_bytes);
  std::memcpy(kind, reinterpret_cast<const std::byte*>(&header) + RecordLog::kKindOffset,
              sizeof *kind);
  if (payload_bytes > room - RecordLog::kHeaderBytes) return false;
  const std::size_t before = to.size();
  to.resize(before + (payload_bytes + std::size_t{7}) / 8 * 8);
  load_words(to.data() + before, at + RecordLog::kHeaderBytes, payload_bytes);
  const bool whole = number_at(memory_, named.place) == named.number;
  to.resize(whole ? before + payload_bytes : before);
  return whole;
}

}  // namespace spate::core
