// SPDX-License-Identifier: Apache-2.0
// A set of policies in a directory, for the commands that work on files; and the questions that several of them ask
// in the same words.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/cross_region.h"
#include "policy/organization.h"

namespace portolan::cli {

/// Reads the files of `directory` for policy::load_organization.
policy::ReadFile files_below(std::string directory);

/// Loads the set in `directory`. Code::config_invalid with all mistakes, one a line, when there are any.
base::Result<policy::Organization> read_policy_set(const std::string& directory);

/// The shipped catalog, with the profiles of the configuration when its file is named. Errors of
/// read_configuration.
base::Result<std::shared_ptr<const domain::Catalog>> catalog_with(const std::string& configuration_file);

/// The ARN of a principal that was given as an ARN or by the name of a user or role in the set. Code::usage when
/// the name is nobody's or not only one's.
base::Result<std::string> principal_arn_of(const policy::Organization& organization, const std::string& words);

/// What a call is checked for: "InvokeModel", "bedrock:InvokeModel", "ConverseStream" … Code::usage, with the
/// nearest name, for what is no action: a policy that allows `*` would allow it, which tells nobody anything.
base::Result<std::string> action_named(const std::string& words);

/// A profile or model that was named on the command line.
struct NamedTarget {
  policy::Target target;  // `source` is set when an ARN names a Region
  std::string account;    // of a profile's ARN, 12 digits; empty: of whoever calls it
};
/// A profile or model of the catalog, by id or ARN. Code::usage when there is none, or the ARN is of another type
/// than what it names.
base::Result<NamedTarget> target_named(const domain::Catalog& catalog, const std::string& words);

/// A Region of the catalog. Code::usage, with the nearest name, when there is none.
base::Result<domain::RegionIndex> region_named(const domain::Catalog& catalog, std::string_view option,
                                               const std::string& words);

/// What the request is said to be, the same for every command that judges.
struct CircumstanceOptions {
  std::vector<std::string> context;  // KEY=VALUE
  std::string now;                   // empty: now
  std::string mode;                  // empty: each profile's own

  void add_options(CLI::App& command);
};

struct Circumstances {
  policy::RequestFacts request;
  std::optional<policy::Mode> mode;

  policy::Mode mode_of(const domain::Profile* profile) const {
    return mode.value_or(profile != nullptr ? policy::default_mode(*profile) : policy::Mode::strict);
  }
};
/// Code::usage for what cannot be read. Without more words the call is one of now, over TLS.
base::Result<Circumstances> circumstances_of(const CircumstanceOptions& options);

/// "scps/regions.json:4", or the document's name where it is AWS's own, or "-" where an Allow is missing.
std::string place_of(const policy::Policy* policy, const iam::Statement* statement);
/// The names of destinations, unless they are many and all that the profile has from these sources: "all 33
/// destinations".
std::string destination_names(const domain::Catalog& catalog, const domain::Profile& profile,
                              domain::RegionMask sources, domain::RegionMask destinations);
/// "scp root", "identity".
std::string level_name(iam::PolicyKind kind, std::string_view level);
/// "explicit deny", "no allow", "allowed".
std::string outcome_words(iam::Outcome outcome);

}  // namespace portolan::cli
