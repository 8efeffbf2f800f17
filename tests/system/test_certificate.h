// A certificate for localhost and its key, in files that go with the object.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/core/certificates.h"

namespace spate::tests {

class TestCertificate {
 public:
  explicit TestCertificate(const std::string& names = "DNS:localhost,IP:127.0.0.1",
                           long valid_seconds = 3600) {
    std::string pattern = std::filesystem::temp_directory_path() / "spate-tls-XXXXXX";
    SPATE_CHECK(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    renew(names, valid_seconds);
  }
  ~TestCertificate() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  // Another one in the same files.
  void renew(const std::string& names, long valid_seconds = 3600) {
    identity_ = test::make_identity(names, valid_seconds);
    std::ofstream(certificate()) << identity_.certificate;
    std::ofstream(key()) << identity_.key;
  }

  std::string certificate() const { return folder_ / "certificate.pem"; }
  std::string key() const { return folder_ / "key.pem"; }
  const test::Identity& identity() const { return identity_; }

 private:
  std::filesystem::path folder_;
  test::Identity identity_;
};

}  // namespace spate::tests
