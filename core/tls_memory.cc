#include "core/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace spate::core::tls_memory {

namespace {

constexpr std::size_t kHeapRounding = 64;  // malloc() gives at most so much more than it is asked

std::atomic<std::uint64_t> held_bytes{0};

void count(std::size_t more, std::size_t less) {
  held_bytes.fetch_add(more - less, std::memory_order_relaxed);
}

// Buffers that a thread keeps, linked through their first bytes. Trivial, so that OpenSSL may free
// what it has when a thread's other objects are gone already.
struct Kept {
  struct Node {
    Node* next;
  };
  Node* first = nullptr;
  std::size_t length = 0;
  bool closed = false;

  void* take() {
    if (first == nullptr) return nullptr;
    Node* const node = first;
    first = node->next;
    --length;
    return node;
  }
  bool keep(void* block) {
    if (length == kKeptBuffers || closed) return false;
    first = new (block) Node{first};
    ++length;
    return true;
  }
};
constinit thread_local Kept kept;

// Gives them back when the thread ends.
struct Closer {
  ~Closer() {
    kept.closed = true;
    while (void* const block = kept.take()) {
      count(0, malloc_usable_size(block));
      std::free(block);
    }
  }
};

void* allocate(std::size_t bytes, const char*, int) {
  if (bytes >= kLeastRecordBytes && bytes <= kRecordBufferBytes) {
    if (void* const block = kept.take()) return block;
    bytes = kRecordBufferBytes;
  }
  // As OpenSSL's own: of nothing there is no block.
  void* const block = bytes == 0 ? nullptr : std::malloc(bytes);
  if (block != nullptr) count(malloc_usable_size(block), 0);
  return block;
}

void release(void* block, const char*, int) {
  static thread_local Closer closer;
  if (block == nullptr) return;
  const std::size_t bytes = malloc_usable_size(block);
  if (bytes >= kRecordBufferBytes && bytes <= kRecordBufferBytes + kHeapRounding &&
      kept.keep(block))
    return;
  count(0, bytes);
  std::free(block);
}

void* resize(void* block, std::size_t bytes, const char* file, int line) {
  if (block == nullptr) return allocate(bytes, file, line);
  if (bytes == 0) {
    release(block, file, line);
    return nullptr;
  }
  const std::size_t before = malloc_usable_size(block);
  void* const moved = std::realloc(block, bytes);
  if (moved != nullptr) count(malloc_usable_size(moved), before);
  return moved;
}

}  // namespace

bool install() {
  return CRYPTO_set_mem_functions(allocate, resize, release) == 1;
}

std::uint64_t bytes() {
  return held_bytes.load(std::memory_order_relaxed);
}

}  // namespace spate::core::tls_memory
