// SPDX-License-Identifier: Apache-2.0
// Where the certificate files of a configuration are looked at: this machine's files, at this machine's time. A
// private key is a secret like the others: one that others may read is refused.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "world/clock.h"
#include "world/private_file.h"
#include "world/tls.h"

namespace portolan::cli {

class ProcessCertificateFiles final : public config::CertificateFiles {
 public:
  base::Result<void> certificate(const std::string& file) override {
    return note(world::check_certificate(file, now_));
  }
  base::Result<void> private_key(const std::string& file, const std::string& certificate_file) override {
    TRY_VOID(world::check_private_key(file, certificate_file));
    if (const auto checked = world::check_owner_only(file); !checked)
      return base::fail(base::Code::config_invalid, file + ": " + checked.error().message);
    return {};
  }
  base::Result<void> authorities(const std::string& file) override {
    return note(world::check_authorities(file, now_));
  }

  /// Of the files that were looked at: one line for each that ends soon.
  std::vector<std::string> warnings() const {
    std::vector<world::CertificateFacts> all;
    for (const auto& [file, facts] : seen_) all.push_back(facts);
    return world::expiry_warnings(all, now_);
  }

 private:
  base::Result<void> note(base::Result<world::CertificateFacts> checked) {
    if (!checked) return std::unexpected(std::move(checked).error());
    seen_.insert_or_assign(checked->file, *checked);
    return {};
  }

  base::WallTime now_ = world::RealClock().wall();
  std::map<std::string, world::CertificateFacts> seen_;
};

}  // namespace portolan::cli
