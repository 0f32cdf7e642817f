// SPDX-License-Identifier: Apache-2.0
// Whether a principal may ask the control plane for something: to list profiles, to make, tag or delete one.
// Service Authorization Reference, "Actions, resources, and condition keys for Amazon Bedrock".
//
// Nobody does that thousands of times a second: each request is judged by itself, nothing is compiled.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/application_profile.h"
#include "domain/call.h"
#include "policy/cross_region.h"

namespace portolan::policy {

/// What a request is about. Every one of its resources has to be allowed.
struct ControlResource {
  std::string arn;                     // "*" where the action has no resources
  bool is_of_account = false;          // it belongs to the principal's account
  const domain::Tags* tags = nullptr;  // what aws:ResourceTag/… reads; null: none
};

/// One request of the control plane. Views must outlive the judging.
struct ControlCall {
  const domain::Principal& principal;
  std::string_view action;  // "bedrock:CreateInferenceProfile"
  domain::RegionIndex source = domain::region_none;
  const RequestFacts& facts;
  std::vector<ControlResource> resources;
  domain::Tags tags;                  // what aws:RequestTag/… reads
  std::vector<std::string> tag_keys;  // aws:TagKeys; empty: the key is absent
};

/// One ruling for each resource up to the first that denies. Allowed: in the source Region.
Judgement judge(const ControlCall& call, const Organization& organization, const domain::Catalog& catalog);

/// The refusal, in AWS's words.
std::string denial_text(const ControlCall& call, const Judgement& judgement, const Organization& organization);

}  // namespace portolan::policy
