// Immutable bytes with a count of holders: what a send refers to after the call that made it
// returned. One allocation for count and bytes. The count is not atomic: a block belongs to one
// process and thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "core/base.h"

namespace spate::core {

class BlockRef {
 public:
  BlockRef() = default;
  BlockRef(const BlockRef& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->holders;
  }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() {
    if (block_ != nullptr && --block_->holders == 0) std::free(block_);
  }

  // Uninitialised bytes, to be written before the block is shared. Empty when the heap refuses.
  static BlockRef allocate(std::size_t bytes) {
    BlockRef ref;
    void* const memory = std::malloc(sizeof(Header) + bytes);
    if (memory != nullptr) ref.block_ = new (memory) Header{bytes, 1};
    return ref;
  }
  static BlockRef copy(ConstBytes from) {
    BlockRef ref = allocate(from.size());
    if (ref && !from.empty()) std::memcpy(ref.data(), from.data(), from.size());
    return ref;
  }

  explicit operator bool() const { return block_ != nullptr; }
  std::byte* data() const { return reinterpret_cast<std::byte*>(block_ + 1); }
  std::size_t size() const { return block_->bytes; }
  ConstBytes bytes() const { return {data(), size()}; }

 private:
  struct Header {
    std::size_t bytes;
    std::size_t holders;
  };
  Header* block_ = nullptr;
};

}  // namespace spate::core
