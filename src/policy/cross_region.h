// SPDX-License-Identifier: Apache-2.0
// Whether a principal may make one inference call, and in which Regions it may run: the reference.
//
// One call is several checks, as Amazon Bedrock makes them (User Guide, "Geographic cross-Region inference" and
// "Global cross-Region inference"):
//
//   resource                                          aws:RequestedRegion   bedrock:InferenceProfileArn
//   the profile, in the source Region                 source                -
//   the model, in the source Region                   source                the profile
//   the model, in each destination     (Geographic)   destination           the profile
//   arn:aws:bedrock:::foundation-model/ID  (Global)   "unspecified"         the profile
//
// A model that is called by its bare id is one check, of the model in the source Region, without a profile.
//
// Strict mode is AWS's: a check that is denied, denies the call. Subset mode is ours: a destination that is denied
// is pruned, and the call runs in the others; the checks that are of no single destination must pass all the same.
// In subset mode a Global call is also held against each of its destinations, where an explicit deny prunes it; no
// Allow is asked for there, as AWS asks for none.
//
// Everything here is a function of its arguments; what the path of a call uses is compiled from it and held against
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "domain/catalog.h"
#include "iam/evaluate.h"
#include "policy/in_force.h"
#include "policy/organization.h"

namespace portolan::policy {

enum class Mode : std::uint8_t { strict, subset };
std::string_view name(Mode mode);
std::optional<Mode> mode_named(std::string_view name);
/// strict for AWS's own profiles, those of the shipped catalog, and for copies of them; subset for those that were
/// made here.
Mode default_mode(const domain::Profile& profile);

/// Which ARN `bedrock:InferenceProfileArn` holds when an application profile is called. AWS does not document it.
enum class ProfileArn : std::uint8_t { application, system };

/// What is called, and through which door.
struct Target {
  const domain::Profile* profile = nullptr;  // null: the model by its bare id
  const domain::Model* model = nullptr;
  domain::RegionIndex source = domain::region_none;
  /// Of an application profile that copies one of AWS's: that one. Its kind says whether the call is Global.
  const domain::Profile* copy_of = nullptr;
  /// Of an application profile: what aws:ResourceTag/… reads.
  domain::Tags tags;
};

/// What the request says besides. Views must outlive the judging.
struct RequestFacts {
  std::string_view source_ip;            // empty: unknown, and the key is absent
  std::optional<base::WallTime> now;     // empty: both keys of time are absent
  std::optional<bool> secure_transport;  // empty: the key is absent
  std::string_view service_tier;         // "priority" …; empty: none was asked for
  std::string_view user_agent;           // empty: the key is absent
  /// Further keys with their values; they replace what is filled in otherwise.
  std::vector<std::pair<std::string, std::vector<std::string>>> further;
};

/// One inference call to be judged.
struct InferenceCall {
  std::string_view principal;  // ARN
  std::string_view account;    // in whose name the profile is called: 12 digits; empty: the principal's
  std::string_view action = "bedrock:InvokeModel";  // sentence.h says which an operation has
  Target target;
  RequestFacts request;
  ProfileArn profile_arn = ProfileArn::application;
};

/// One of the checks that a call consists of.
struct Check {
  enum class Part : std::uint8_t {
    profile,       // the profile, in the source Region
    source_model,  // the model in the source Region, where that is no destination, or the call is Global
    destination,   // the model in one destination
    global_model,  // the model without a Region
    pruning,       // of a Global call: the model in one destination, where only an explicit deny counts
  };
  Part part = Part::profile;
  std::string resource;                              // ARN
  std::string requested_region;                      // aws:RequestedRegion
  domain::RegionIndex region = domain::region_none;  // of `destination` and `pruning`: the destination
  std::string inference_profile_arn;                 // bedrock:InferenceProfileArn; empty: absent
};
std::string_view name(Check::Part part);

/// The checks of a call in the order above. Those of `pruning` are left out unless `mode` is subset. Empty when the
/// profile or model cannot be called from the source Region.
std::vector<Check> checks_of(const InferenceCall& call, Mode mode, const domain::Catalog& catalog);

/// The condition keys of one check: the documented global keys, and those of Amazon Bedrock.
iam::Context context_of(const InferenceCall& call, const Check& check, const Organization& organization,
                        const InForce& in_force);

/// The keys that checks can have, those of the control plane included, lower-case; one that ends in '/' goes on
/// with the key of a tag. Every other condition key is absent from every check (unless RequestFacts::further has
/// it, which only people who ask what would be fill in).
std::span<const std::string_view> supplied_keys();

/// Whether the key differs from one request of a caller to the next: those that RequestFacts fills in.
bool is_of_the_request(std::string_view key_lower);

/// A check with what was decided, and by what: rule() judges one. Points into the Organization.
struct Ruling {
  Check check;
  iam::Decision decision;
  std::string level;                          // "root", "unit workloads/prod"; empty for kinds without levels
  const Policy* policy = nullptr;             // null when an Allow is missing
  const iam::Statement* statement = nullptr;  // null when an Allow is missing

  /// Whether it stands in the way of a call.
  bool denies() const {
    return check.part == Check::Part::pruning ? decision.outcome == iam::Outcome::explicit_deny
                                              : decision.outcome != iam::Outcome::allowed;
  }
};

Ruling rule(const InferenceCall& call, Check check, const Organization& organization, const InForce& in_force);

struct Judgement {
  Mode mode = Mode::strict;
  domain::RegionMask destinations;  // of the profile or model, from the source Region
  domain::RegionMask allowed;       // where the call may run; empty: it is denied
  domain::RegionMask pruned;        // of a call that is allowed: destinations that a ruling took away
  std::vector<Ruling> rulings;
  /// Index into `rulings`: what denies the call; -1 when it is allowed, or has no destinations.
  int denied_by = -1;

  bool is_allowed() const { return !allowed.empty(); }
  /// What decided about a destination: the check that denies the call as a whole, else the destination's own, else
  /// that of the model without a Region. Null for what is no destination.
  const Ruling* ruling_for(domain::RegionIndex region) const;
};

/// `in_force` was made for `call.principal` from `organization`.
Judgement judge(const InferenceCall& call, Mode mode, const Organization& organization, const InForce& in_force,
                const domain::Catalog& catalog);

/// A denial in AWS's words (IAM User Guide, "Troubleshoot access denied error messages"): "User: ARN is not
/// authorized to perform: ACTION on resource: ARN with an explicit deny in a service control policy (Region
/// us-east-2)". Names the kind of policy, and neither document nor statement: the caller need not know those.
std::string denial_text(const InferenceCall& call, const Judgement& judgement, const domain::Catalog& catalog);

}  // namespace portolan::policy
