// SPDX-License-Identifier: Apache-2.0
// A Region's own check of AWS Signature Version 4.
//
// Written from the public description (IAM User Guide, "Create a signed AWS API request") and sharing no code with
// the gateway's signer and verifier: what one of them gets wrong, the other finds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "sim/region_model.h"
#include "sim/region_request.h"

namespace portolan::sim {

class RegionAuth {
 public:
  RegionAuth(std::string region, std::string access_key_id, std::string secret_access_key)
      : region_(std::move(region)),
        access_key_id_(std::move(access_key_id)),
        secret_(std::move(secret_access_key)) {}

  /// Nothing when the request carries a valid signature for this Region and the service "bedrock", made within five
  /// minutes of `now`; otherwise the error to answer. The body is always hashed.
  std::optional<Refusal> check(const RegionRequest& request, base::WallTime now);

 private:
  const std::string& signing_key(std::string_view day);

  std::string region_;
  std::string access_key_id_;
  std::string secret_;
  std::string key_day_;  // the day that signing_key_ is for
  std::string signing_key_;
};

}  // namespace portolan::sim
