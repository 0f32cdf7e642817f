// SPDX-License-Identifier: Apache-2.0
// Policies written from the catalog: the least that a principal needs to call a profile, and the guardrails (SCPs)
// that keep an organisation from cross-Region inference.
//
// The forms are those that AWS publishes: Bedrock User Guide, "Geographic cross-Region inference" and "Global
// cross-Region inference", and for the guardrails the same pages and the AWS Organizations User Guide. A policy
// that would pass its quota (IAM and Organizations quotas, white space not counted) is merged or split.
//
// Pure functions: values in, texts out; the same order gives the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/catalog.h"
#include "iam/document.h"

namespace portolan::policy {

/// Quotas of IAM and AWS Organizations in characters, white space not counted.
inline constexpr std::size_t managed_policy_characters_max = 6'144;
inline constexpr std::size_t service_control_policy_characters_max = 10'240;

/// One document, and what to say about it.
struct GeneratedPolicy {
  iam::PolicyKind kind = iam::PolicyKind::identity;  // identity or service_control
  std::string name;         // of the policy and of its file: "bedrock-inference", with "-2" … when it was split
  std::string description;  // one line, for whoever finds it in the account
  std::string text;         // AWS JSON, indented, with a line end
  /// What its reader should know: what the policy does beside what was asked, and why it is written so.
  std::vector<std::string> notes;
};

/// A profile and the Regions where it is called.
struct ProfileUse {
  const domain::Profile* profile = nullptr;
  domain::RegionMask sources;
};

/// What is done when a policy is longer than IAM stores.
enum class WhenTooLong : std::uint8_t {
  merge,  // wildcards in place of Regions, each use pinned to its profile; split only if that is too long as well
  split,  // every ARN written out, in as many policies as it takes
};

struct IdentityOrder {
  std::string name;
  std::string account;               // 12 digits: profile ARNs hold the caller's account
  std::vector<ProfileUse> uses;      // at least one
  std::vector<std::string> actions;  // "bedrock:InvokeModel" …; at least one
  WhenTooLong when_too_long = WhenTooLong::merge;
};

/// Whether `action` is one that inference through a profile is authorised by; Code::usage with a suggestion if not.
/// (Converse has no action of its own: it is authorised by bedrock:InvokeModel.)
base::Result<> check_inference_action(std::string_view action);

/// The identity policies that allow exactly the uses: each profile from those sources to all its destinations, and
/// the models through these profiles alone. Fails with Code::usage when the order contradicts itself or the
/// catalog.
base::Result<std::vector<GeneratedPolicy>> generate_identity(const domain::Catalog& catalog,
                                                             const IdentityOrder& order);

/// What a guardrail denies.
enum class Guardrail : std::uint8_t {
  cross_region,  // every call through an inference profile
  global,        // calls that may be served anywhere
  regions,       // Bedrock outside a list of Regions
};

struct GuardrailOrder {
  std::string name;
  Guardrail denies = Guardrail::cross_region;
  std::vector<std::string> regions;  // for Guardrail::regions: where Bedrock may be used; names of the catalog
  bool allow_global = false;         // for Guardrail::regions: whether Global profiles stay usable
};

/// The SCP. Fails with Code::usage when the order contradicts itself or the catalog.
base::Result<GeneratedPolicy> generate_guardrail(const domain::Catalog& catalog, const GuardrailOrder& order);

}  // namespace portolan::policy
