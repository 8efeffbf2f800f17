#include "handlers/deflation.h"

#include <algorithm>
#include <bit>

#include "codec/utf8.h"

namespace spate::handlers {

using codec::FrameError;
using codec::InflateStatus;
using codec::Opcode;

namespace {

// RSV1 marks a compressed message (RFC 7692 §6), as FrameHeader::rsv has it.
constexpr std::uint8_t kRsv1 = 4;
constexpr int kMinWindowBits = 9;
constexpr std::size_t kFirstBufferBytes = 16 * 1024;

}  // namespace

bool Deflation::Buffer::grow(std::size_t bytes) {
  if (bytes <= size_) return true;
  auto* const grown = static_cast<std::byte*>(std::realloc(bytes_.get(), bytes));
  if (grown == nullptr) return false;
  (void)bytes_.release();
  bytes_.reset(grown);
  size_ = bytes;
  return true;
}

void Deflation::Buffer::trim() {
  if (size_ <= kKeptBytes) return;
  bytes_.reset();
  size_ = 0;
}

Deflation::Deflation(const DeflateOptions& options)
    : options_(options), metrics_(options.metrics), context_memory_(options.memory_bytes) {}

Deflation::~Deflation() = default;

std::uint64_t Deflation::cost(const codec::DeflateTerms& terms) {
  return (terms.server_context_takeover ? codec::deflater_bytes(terms.server_window_bits) : 0) +
         (terms.client_context_takeover ? codec::inflater_bytes(terms.client_window_bits) : 0);
}

std::optional<codec::DeflateAgreement> Deflation::negotiate(const codec::ExtensionOffers& offers) {
  if (options_.context_takeover) {
    const auto agreement = codec::negotiate_deflate(
        offers, {.context_takeover = true, .context_window_bits = kContextWindowBits});
    if (agreement && cost(agreement->terms()) <= options_.memory_bytes - promised_bytes_)
      return agreement;
    if (agreement) metrics_->refusals[1].add();
  }
  const auto agreement = codec::negotiate_deflate(offers, {});
  if (!agreement && codec::offers_deflate(offers)) metrics_->refusals[0].add();
  return agreement;
}

DeflatePeer Deflation::adopt(const codec::DeflateTerms& terms) {
  metrics_->connections.add();
  const std::uint64_t bytes = cost(terms);
  if (bytes == 0) return {0, terms.server_window_bits};
  promised_bytes_ += bytes;
  auto context = std::make_unique<Context>();
  context->terms = terms;
  if (free_contexts_.empty()) {
    contexts_.emplace_back();
    free_contexts_.push_back(static_cast<std::uint32_t>(contexts_.size()));
  }
  const std::uint32_t index = free_contexts_.back();
  free_contexts_.pop_back();
  contexts_[index - 1] = std::move(context);
  return {index, terms.server_window_bits};
}

void Deflation::release(DeflatePeer peer) {
  metrics_->connections.sub();
  if (peer.context == 0) return;
  std::unique_ptr<Context>& context = contexts_[peer.context - 1];
  promised_bytes_ -= cost(context->terms);
  context.reset();
  free_contexts_.push_back(peer.context);
  count_memory();
}

void Deflation::count_memory() {
  metrics_->memory[0].set(shared_memory_.bytes());
  metrics_->memory[1].set(context_memory_.bytes());
}

// --- Inflating.

// Ready for the next message; null when the heap refuses.
codec::Inflater* Deflation::inflater_of(DeflatePeer peer) {
  Context* const own = peer.context == 0 ? nullptr : contexts_[peer.context - 1].get();
  if (own != nullptr && own->terms.client_context_takeover) {
    if (!own->inflater.is_open() &&
        !own->inflater.open(context_memory_, own->terms.client_window_bits))
      return nullptr;
    return &own->inflater;
  }
  if (!inflater_.is_open() && !inflater_.open(shared_memory_, codec::kMaxWindowBits))
    return nullptr;
  inflater_.forget();
  return &inflater_;
}

Deflation::Inflated Deflation::inflate(DeflatePeer peer, Opcode opcode, ConstBytes payload) {
  codec::Inflater* const inflater = inflater_of(peer);
  if (inflater == nullptr) return {.no_memory = true};
  inflater->start(payload, options_.max_message_bytes);
  const Inflated inflated = inflate_pieces(*inflater, opcode == Opcode::text);
  count_memory();
  if (inflated.no_memory || inflated.error != FrameError::none) return inflated;
  metrics_->messages[0].add();
  metrics_->compressed_bytes[0].add(payload.size());
  metrics_->plain_bytes[0].add(inflated.message.size());
  return inflated;
}

Deflation::Inflated Deflation::inflate_pieces(codec::Inflater& inflater, bool text) {
  codec::Utf8State utf8{};
  std::size_t made = 0;
  for (;;) {
    if (made == inflated_.size()) {
      const std::uint64_t wanted = std::max<std::uint64_t>(kFirstBufferBytes, 2 * made);
      if (!inflated_.grow(std::min(wanted, options_.max_message_bytes))) return {.no_memory = true};
    }
    const std::size_t room = inflated_.size() - made;
    const Bytes out{inflated_.data() + made, text ? std::min(room, kValidateBytes) : room};
    const auto [status, bytes] = inflater.next(out);
    if (text && !codec::utf8_validate(utf8, out.first(bytes)))
      return {.error = FrameError::invalid_utf8};
    made += bytes;
    switch (status) {
      case InflateStatus::more:
        break;
      case InflateStatus::done:
        if (!codec::utf8_complete(utf8)) return {.error = FrameError::invalid_utf8};
        return {.message = {inflated_.data(), made}};
      case InflateStatus::bad:
        return {.error = FrameError::invalid_deflate};
      case InflateStatus::too_big:
        return {.error = FrameError::message_too_big};
      case InflateStatus::no_memory:
        return {.no_memory = true};
    }
  }
}

void Deflation::trim() {
  inflated_.trim();
  deflated_.trim();
}

// --- Compressing.

int Deflation::window_bits_for(std::size_t message_bytes, int peer_window_bits) {
  // zlib keeps this much of a window free (MIN_LOOKAHEAD).
  constexpr std::size_t kLookaheadBytes = 262;
  const int whole = static_cast<int>(std::bit_width(message_bytes + kLookaheadBytes - 1));
  return std::clamp(whole, kMinWindowBits, peer_window_bits);
}

codec::Deflater* Deflation::shared_deflater(int window_bits) {
  codec::Deflater& deflater = deflaters_[static_cast<std::size_t>(window_bits - kMinWindowBits)];
  if (!deflater.is_open() && !deflater.open(shared_memory_, window_bits, options_.level))
    return nullptr;
  deflater.forget();
  return &deflater;
}

codec::Deflater* Deflation::deflater_of(DeflatePeer peer, std::size_t message_bytes) {
  Context* const own = peer.context == 0 ? nullptr : contexts_[peer.context - 1].get();
  if (own == nullptr || !own->terms.server_context_takeover)
    return shared_deflater(window_bits_for(message_bytes, peer.window_bits));
  if (!own->deflater.is_open() &&
      !own->deflater.open(context_memory_, own->terms.server_window_bits, options_.level))
    return nullptr;
  return &own->deflater;
}

core::BlockRef Deflation::deflated_frame(DeflatePeer peer, Opcode opcode, ConstBytes message) {
  if (!worth_trying(message.size())) return {};
  core::BlockRef block = frame(deflater_of(peer, message.size()), opcode, message);
  if (!block) forget(peer);
  return block;
}

core::BlockRef Deflation::shared_frame(int window_bits, Opcode opcode, ConstBytes message) {
  if (!worth_trying(message.size())) return {};
  return frame(shared_deflater(window_bits), opcode, message);
}

core::BlockRef Deflation::frame(codec::Deflater* deflater, Opcode opcode, ConstBytes message) {
  // What does not become smaller does not fit.
  const std::size_t room = message.size() - 1 + codec::Deflater::kSlackBytes;
  if (deflater == nullptr || !deflated_.grow(std::max(room, kFirstBufferBytes))) return {};
  const std::size_t bytes = deflater->compress(message, {deflated_.data(), room});
  count_memory();
  if (bytes == 0) {
    metrics_->incompressible.add();
    return {};
  }
  core::BlockRef block = core::BlockRef::allocate(codec::server_header_bytes(bytes) + bytes);
  if (!block) return {};
  const std::size_t header = codec::build_server_header(block.data(), opcode, bytes, true, kRsv1);
  std::memcpy(block.data() + header, deflated_.data(), bytes);
  metrics_->messages[1].add();
  metrics_->compressed_bytes[1].add(bytes);
  metrics_->plain_bytes[1].add(message.size());
  return block;
}

void Deflation::forget(DeflatePeer peer) {
  if (peer.context != 0) contexts_[peer.context - 1]->deflater.forget();
}

}  // namespace spate::handlers
