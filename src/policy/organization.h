// SPDX-License-Identifier: Apache-2.0
// A set of policies: an organisation with its units and accounts, the principals in them, and every AWS JSON
// document that is attached somewhere.
//
// The set is a directory: organization.yaml says what is attached where, and names the documents, each a file of
// AWS JSON beside it. Loading is pure: files come from a function that the caller passes, so that a running gateway
// can keep a set as one bundle of texts (Organization::files) and load it again from there.
//
// What AWS attaches by itself is said by its name. `FullAWSAccess` is attached as an SCP wherever organization.yaml
// says nothing of SCPs; where it does, its list is all there is, as `aws organizations list-policies-for-target`
// shows it. `RCPFullAWSAccess` cannot be detached, so it is attached everywhere, listed or not. (AWS Organizations
// User Guide, "Service control policies" and "Resource control policies".)
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "iam/document.h"

namespace portolan::policy {

/// The file of the set that names all others.
inline constexpr std::string_view organization_file = "organization.yaml";

/// A document with the name it has in the set. Immutable; shared by all sets that hold it.
struct Policy {
  std::string name;  // the file, as organization.yaml names it: "scps/regions.json"; or "FullAWSAccess"
  iam::Document document;

  /// AWS's own, which is in no file.
  bool is_managed_by_aws() const { return !name.ends_with(".json"); }
};
using PolicyPointer = std::shared_ptr<const Policy>;
using Policies = std::vector<PolicyPointer>;

/// What is attached to the root, a unit or an account.
struct Attachments {
  Policies service_control;
  Policies resource_control;
};

struct Unit {
  std::string path;  // "workloads/prod"
  std::string id;    // "ou-examp-11112222"; empty when it is not said
  Attachments attached;
};

struct Account {
  std::string id;  // 12 digits
  std::string name;
  std::string unit;  // the path; empty: directly below the root
  Attachments attached;
};

struct Principal {
  /// Of a user or a role, with its path. One that ends with `*` stands for every principal whose ARN begins so and
  /// has no entry that fits better.
  std::string arn;
  std::map<std::string, std::string> tags;
  Policies identity;  // its own and those of its groups
  PolicyPointer boundary;

  bool is_pattern() const { return arn.ends_with('*'); }
};

/// Everything that is in force, as one value. Copies share the documents. Immutable once loaded: any thread.
struct Organization {
  std::string id;                  // "o-exampleorgid"; empty when it is not said
  std::string root_id;             // "r-examp"; the same
  std::string management_account;  // SCPs and RCPs do not bind it; empty: none is in the set
  Attachments root;
  std::map<std::string, Unit, std::less<>> units;            // by path; every unit has its parent here
  std::map<std::string, Account, std::less<>> accounts;      // by id
  std::map<std::string, Principal, std::less<>> principals;  // by ARN or pattern
  // Under a name that has null, nothing is asked: without_policy() took the document away.
  std::map<std::string, PolicyPointer, std::less<>> session_policies;  // by name
  std::map<std::string, PolicyPointer, std::less<>> listeners;         // by name
  /// SHA-256 over the names and texts of all files, in hexadecimal: equal sets have equal versions.
  std::string version;
  /// The files as they were read: organization.yaml and every document that it names.
  std::map<std::string, std::string, std::less<>> files;

  /// The entry for a principal: the one of this ARN, else the longest pattern that fits; null when there is none.
  /// An assumed role's session is its role. Its ARN does not tell the role's path: when no entry names the role
  /// itself and a pattern of its account has a path, the session is in no entry, for it may be that pattern's.
  const Principal* find_principal(std::string_view arn) const;
  /// The units above an account, outermost first.
  std::vector<const Unit*> units_above(const Account& account) const;
};

/// Reads one file of the set by its name in it ("organization.yaml", "scps/regions.json"). An Error's message says
/// what is wrong without the name.
using ReadFile = std::function<base::Result<std::string>(const std::string& name)>;

struct LoadedOrganization {
  std::optional<Organization> organization;  // set when there is no mistake
  std::vector<config::Mistake> mistakes;
  /// What AWS would take, and surely is not meant: a condition key that does not exist, a level where nothing is
  /// allowed.
  std::vector<config::Mistake> notices;
};

/// Never throws. Reports every mistake in one pass, each with its file, line and column.
LoadedOrganization load_organization(const ReadFile& read_file);
/// The same from texts by name: a bundle, or a test.
LoadedOrganization load_organization(const std::map<std::string, std::string, std::less<>>& files);

/// The JSON Schema and the reference page of organization.yaml, from the definitions that read it.
std::string organization_schema();
std::string organization_reference();

/// A change to try: what would happen if.
struct Change {
  iam::PolicyKind kind = iam::PolicyKind::identity;
  /// What it is attached to: "root", a unit's path or an account's id for SCPs and RCPs; a principal's ARN for
  /// identity policies and boundaries; a name for session and listener policies.
  std::string target;
  PolicyPointer policy;
};

/// A copy with one more document attached. A boundary takes the place of the one that is there. Fails with
/// Code::usage when the set has no such target.
base::Result<Organization> with_policy(const Organization& from, const Change& change);
/// A copy without the document of that name, wherever it is attached. Fails with Code::usage when it is nowhere.
base::Result<Organization> without_policy(const Organization& from, std::string_view name);

/// The parts of an ARN that say who somebody is.
struct PrincipalName {
  std::string_view partition;
  std::string_view account;
  std::string_view type;     // "user", "role", "assumed-role", "root" …
  std::string_view name;     // without its path: of a user or a role
  std::string_view session;  // of an assumed role
};
/// Nothing for what is no ARN of IAM or STS.
std::optional<PrincipalName> principal_name(std::string_view arn);
/// Whether it is a role, or a pattern of roles, that services of AWS made for themselves; its path says so.
bool is_service_linked_role(std::string_view arn);

}  // namespace portolan::policy
