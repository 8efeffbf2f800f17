// The heap as OpenSSL sees it: counted, and with its record buffers kept for the next record.
//
// A session that holds no buffer between two messages (SSL_MODE_RELEASE_BUFFERS) takes one of about
// 17 KiB for each record that it reads or writes and gives it back behind it. The heap carves each
// out of a larger block and joins it again; here the last few stay as they are, in a list of the
// thread. Everything else goes to malloc() as before.
//
// Any thread may use OpenSSL. The bytes are those of the process: a worker's count begins with what
// the master had, some hundred KiB of tables and certificates.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spate::core::tls_memory {

// Requests from one to the other get a record buffer, which is of the larger size. OpenSSL asks for
// 16,384 bytes and what a record may have beside them.
inline constexpr std::size_t kLeastRecordBytes = 16 * 1024 + 1;
inline constexpr std::size_t kRecordBufferBytes = 17 * 1024;
// A record is read and another written; a second pair covers a session in the middle of one.
inline constexpr std::size_t kKeptBuffers = 4;

// Before anything has used OpenSSL. False when something has: then OpenSSL goes on with a heap of
// its own, and nothing is counted. A second time changes nothing.
bool install();

// What OpenSSL holds in this process, kept buffers included, as malloc() rounds it.
std::uint64_t bytes();

}  // namespace spate::core::tls_memory
