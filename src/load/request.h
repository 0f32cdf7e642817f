// SPDX-License-Identifier: Apache-2.0
// The bytes of one request, the same for every call of a run but for the date and the signature that follows from
// it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/sha256.h"
#include "base/time.h"
#include "identity/sigv4.h"
#include "load/load.h"

namespace portolan::load {

/// Where the calls go: "http://HOST:PORT". Code::usage for anything else.
struct Address {
  std::string host;
  std::string port;
  std::string authority;  // the Host field: with the port unless it is 80
};
base::Result<Address> read_address(std::string_view url);

/// The JSON body of a call, padded to options.request_bytes; longer when the least possible body is.
std::string request_body(const LoadOptions& options);
/// "/model/us.anthropic.x%3A0/converse"
std::string request_path(const LoadOptions& options);

class RequestMaker {
 public:
  RequestMaker(const LoadOptions& options, const Address& address);
  /// Head and body, ready to send. Signed anew when the second has changed, since SigV4 dates are whole seconds and
  /// the rest of the signed text stays the same. The caller keeps what it is sending alive.
  std::shared_ptr<const std::string> request(base::WallTime now);

 private:
  std::string authority_, path_, region_, authorization_, body_;
  base::Digest body_hash_;
  std::unique_ptr<identity::Signer> signer_;  // null: bearer
  std::chrono::sys_seconds made_for_{};
  std::shared_ptr<const std::string> request_;
};

}  // namespace portolan::load
