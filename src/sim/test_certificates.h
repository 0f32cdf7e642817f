// SPDX-License-Identifier: Apache-2.0
// For tests: certificates made on the spot, as the files that settings name. Nothing in the repository can expire.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "sim/throwaway_ca.h"
#include "world/tls.h"

namespace portolan::sim::testing {

inline base::WallTime wall_now() {
  return std::chrono::floor<base::microseconds>(std::chrono::system_clock::now());
}
inline Validity a_day() {
  return Validity::days(1, wall_now());
}
inline Validity expired() {
  return {.not_before = wall_now() - std::chrono::days{9}, .not_after = wall_now() - std::chrono::days{2}};
}
inline Validity not_yet_valid() {
  return {.not_before = wall_now() + std::chrono::days{2}, .not_after = wall_now() + std::chrono::days{9}};
}

/// A folder with an authority of its own.
class Certificates {
 public:
  Certificates() : ca_(ThrowawayCa::make("Test authority", a_day()).value()) {
    std::string path = (std::filesystem::temp_directory_path() / "portolan-certificates-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    folder_ = path;
    ca_file_ = write("ca.pem", ca_.certificate_pem());
  }
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  const std::string& ca_file() const { return ca_file_; }
  std::string file(std::string_view name) const { return (folder_ / name).string(); }
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }
  /// NAME.pem and NAME.key.
  world::CertificateFiles issue(const std::string& name, CertificateWish wish) const {
    if (wish.subject.empty()) wish.subject = name;
    if (wish.validity.not_after == base::WallTime{}) wish.validity = a_day();
    const CertificateWithKey made = ca_.issue(wish).value();
    return {.certificate = write(name + ".pem", made.certificate_pem),
            .private_key = write(name + ".key", made.private_key_pem)};
  }
  /// For a server on 127.0.0.1.
  world::CertificateFiles loopback(const std::string& name = "loopback") const {
    return issue(name, {.dns_names = {"localhost"}, .addresses = {"127.0.0.1"}});
  }

 private:
  ThrowawayCa ca_;
  std::filesystem::path folder_;
  std::string ca_file_;
};

}  // namespace portolan::sim::testing
