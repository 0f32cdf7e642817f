// SPDX-License-Identifier: Apache-2.0
// A certificate authority that lives as long as the process: it vouches for sandbox Regions, and in tests for
// whatever a test wants to see believed or refused. Its key never leaves it.
//
// Keys are of the curve P-256. Nothing here belongs in a deployment.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace portolan::sim {

struct Validity {
  base::WallTime not_before{};
  base::WallTime not_after{};

  /// From an hour before `now`, so that a clock that is a little behind does not matter.
  static Validity days(int count, base::WallTime now);
};

/// What a certificate is to say.
struct CertificateWish {
  std::string subject;  // its common name
  std::vector<std::string> dns_names;
  std::vector<std::string> addresses;
  std::vector<std::string> uris;
  Validity validity;
};

struct CertificateWithKey {
  std::string certificate_pem;
  std::string private_key_pem;
};

class ThrowawayCa {
 public:
  /// Code::internal when OpenSSL fails, which it does not.
  static base::Result<ThrowawayCa> make(const std::string& subject, Validity validity);
  ThrowawayCa(ThrowawayCa&&) noexcept;
  ThrowawayCa& operator=(ThrowawayCa&&) noexcept;
  ~ThrowawayCa();

  /// What those who are to believe it must trust.
  const std::string& certificate_pem() const { return certificate_pem_; }
  /// A certificate for a server or a client, with a new key. Code::usage names a wish that cannot be written down.
  base::Result<CertificateWithKey> issue(const CertificateWish& wish) const;

 private:
  struct Authority;
  explicit ThrowawayCa(std::unique_ptr<Authority> authority);
  std::unique_ptr<Authority> authority_;
  std::string certificate_pem_;
};

}  // namespace portolan::sim
