// OpenSSL's heap: counted, record buffers kept. In a program of its own, because it must be
// installed before anything uses OpenSSL.
#include "core/tls_memory.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <thread>
#include <vector>

namespace spate::core {
namespace {

const bool kInstalled = tls_memory::install();

constexpr std::size_t kReadBufferBytes = 16'716, kWriteBufferBytes = 16'812;  // OpenSSL 3.0's

class TlsMemory : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(kInstalled); }
  ~TlsMemory() override {
    for (void* const block : blocks) OPENSSL_free(block);
  }
  void* take(std::size_t bytes) { return blocks.emplace_back(OPENSSL_malloc(bytes)); }
  void give_back() {
    for (void* const block : blocks) OPENSSL_free(block);
    blocks.clear();
  }

  std::vector<void*> blocks;
};

TEST_F(TlsMemory, CountsWhatIsHeld) {
  const std::uint64_t before = tls_memory::bytes();
  take(100);
  EXPECT_GE(tls_memory::bytes(), before + 100);
  blocks[0] = OPENSSL_realloc(blocks[0], 50'000);
  EXPECT_GE(tls_memory::bytes(), before + 50'000);
  EXPECT_LT(tls_memory::bytes(), before + 51'000);
  give_back();
  EXPECT_EQ(tls_memory::bytes(), before);
}

TEST_F(TlsMemory, WhatOpenSslMakesForItselfIsCounted) {
  const std::uint64_t before = tls_memory::bytes();
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  ASSERT_EQ(EVP_DigestInit_ex(context, EVP_sha256(), nullptr), 1);
  EXPECT_GT(tls_memory::bytes(), before);
  EVP_MD_CTX_free(context);
}

TEST_F(TlsMemory, NothingAndReallocOfNothingAreAsOpenSslsOwn) {
  const std::uint64_t before = tls_memory::bytes();
  EXPECT_EQ(OPENSSL_malloc(0), nullptr);
  void* block = OPENSSL_realloc(nullptr, 10);
  EXPECT_NE(block, nullptr);
  EXPECT_EQ(OPENSSL_realloc(block, 0), nullptr);
  OPENSSL_free(nullptr);
  EXPECT_EQ(tls_memory::bytes(), before);
}

TEST_F(TlsMemory, ARecordBufferIsUsedAgainForReadingAndWriting) {
  void* const first = take(kReadBufferBytes);
  give_back();
  EXPECT_EQ(take(kWriteBufferBytes), first);
  give_back();
}

TEST_F(TlsMemory, KeptBuffersAreFew) {
  for (std::size_t i = 0; i < 3 * tls_memory::kKeptBuffers; ++i) take(kReadBufferBytes);
  const std::uint64_t before = tls_memory::bytes();
  give_back();
  const std::uint64_t given_back = before - tls_memory::bytes();
  EXPECT_GE(given_back, 2 * tls_memory::kKeptBuffers * tls_memory::kRecordBufferBytes);
  EXPECT_LT(given_back, (2 * tls_memory::kKeptBuffers + 1) * tls_memory::kRecordBufferBytes);
}

TEST_F(TlsMemory, ABlockOfAnotherSizeIsNotKept) {
  give_back();
  const std::uint64_t before = tls_memory::bytes();
  for (const std::size_t bytes : {16u * 1024, 18u * 1024, 64u * 1024}) take(bytes);
  give_back();
  EXPECT_EQ(tls_memory::bytes(), before);
}

TEST_F(TlsMemory, AThreadGivesItsBuffersBackWhenItEnds) {
  const std::uint64_t before = tls_memory::bytes();
  std::thread([] {
    void* const block = OPENSSL_malloc(kReadBufferBytes);
    OPENSSL_free(block);
    EXPECT_GE(tls_memory::bytes(), tls_memory::kRecordBufferBytes);
  }).join();
  EXPECT_EQ(tls_memory::bytes(), before);
}

TEST_F(TlsMemory, ASecondInstallationChangesNothing) {
  const std::uint64_t before = tls_memory::bytes();
  take(100);
  EXPECT_TRUE(tls_memory::install());
  give_back();
  EXPECT_EQ(tls_memory::bytes(), before);
}

}  // namespace
}  // namespace spate::core
