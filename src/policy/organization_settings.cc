// SPDX-License-Identifier: Apache-2.0
#include "policy/organization_settings.h"

#include <algorithm>

#include "base/bytes.h"
#include "config/schema.h"
#include "policy/organization.h"

namespace portolan::policy {
namespace {

using config::Bounds;
using config::Format;
using config::Section;

constexpr std::size_t file_length_max = 255;
constexpr Bounds units_count{0, 2'000};
constexpr Bounds entries_count{0, 10'000};
/// Managed policies of one role, at the highest that AWS raises it to (IAM User Guide, "IAM and AWS STS quotas").
constexpr Bounds identity_count{0, 25};
constexpr Bounds groups_count{0, 10};  // groups of one user (the same page)
constexpr Bounds tags_count{0, 50};    // tags of one user or role (the same page)

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || base::is_digit(c);
}

/// "r-examp", "ou-examp-11112222": a prefix, then letters and digits in the pieces that AWS gives them.
bool is_organizations_id(std::string_view text, std::string_view prefix, std::size_t size_min,
                         std::size_t size_max) {
  if (!text.starts_with(prefix) || text.size() < size_min || text.size() > size_max) return false;
  text.remove_prefix(prefix.size());
  return std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

/// Relative, and below the directory of the set.
bool is_document_file(std::string_view text) {
  constexpr std::string_view extension = ".json";
  if (!text.ends_with(extension) || text.size() > file_length_max || text.starts_with('/')) return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    const std::string_view piece = text.substr(begin, end - begin);
    if (piece.empty() || piece == "." || piece == "..") return false;
    begin = end + 1;
  }
  return std::ranges::none_of(text, [](char c) { return c < 0x20 || c == 0x7f || c == '\\'; });
}

bool is_unit_path(std::string_view text) {
  if (text == "root" || text.starts_with('/') || text.ends_with('/') || text.contains("//")) return false;
  const auto fits = [](char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || std::string_view{" /_.()&,+-"}.contains(c);
  };
  return text.size() <= 640 && std::ranges::all_of(text, fits) &&
         static_cast<std::size_t>(std::ranges::count(text, '/')) < unit_depth_max;
}

bool is_principal(std::string_view text) {
  const std::optional<PrincipalName> name = principal_name(text);
  if (!name || (name->type != "user" && name->type != "role") || name->name.empty()) return false;
  const std::size_t star = text.find('*');
  return name->account.size() == 12 && std::ranges::all_of(name->account, base::is_digit) && !text.contains('?') &&
         (star == std::string_view::npos || star + 1 == text.size());
}

const Format organization_id{
    .type = "organisation id",
    .allowed = "o- and 10 to 32 lower-case letters or digits, as AWS Organizations gives it",
    .pattern = "^o-[a-z0-9]{10,32}$",
    .accepts = [](std::string_view text) { return is_organizations_id(text, "o-", 12, 34); }};
const Format root_id{.type = "root id",
                     .allowed = "r- and 4 to 32 lower-case letters or digits, as AWS Organizations gives it",
                     .pattern = "^r-[a-z0-9]{4,32}$",
                     .accepts = [](std::string_view text) { return is_organizations_id(text, "r-", 6, 34); }};
const Format unit_id{.type = "unit id",
                     .allowed = "ou-, the root's letters, - and 8 to 32 more, as AWS Organizations gives it",
                     .pattern = "^ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}$",
                     .accepts = [](std::string_view text) { return is_organizations_id(text, "ou-", 16, 68); }};
const Format document_file{
    .type = "policy file",
    .allowed = "the path of a JSON policy document below this directory, such as scps/regions.json",
    .pattern = "^[^/\\\\].*\\.json$",
    .accepts = is_document_file};
const Format scp_name{
    .type = "SCP",
    .allowed = "FullAWSAccess, or the path of a JSON policy document below this directory",
    .pattern = "^(FullAWSAccess|[^/\\\\].*\\.json)$",
    .accepts = [](std::string_view text) { return text == full_access_scp || is_document_file(text); }};
const Format rcp_name{
    .type = "RCP",
    .allowed = "RCPFullAWSAccess, or the path of a JSON policy document below this directory",
    .pattern = "^(RCPFullAWSAccess|[^/\\\\].*\\.json)$",
    .accepts = [](std::string_view text) { return text == full_access_rcp || is_document_file(text); }};
const Format unit_path{.type = "unit path",
                       .allowed = "names of units with / between them, at most 5, such as workloads/prod; not root",
                       .pattern = "^[A-Za-z0-9 _.()&,+-]+(/[A-Za-z0-9 _.()&,+-]+){0,4}$",
                       .accepts = is_unit_path};
const Format principal_arn{
    .type = "principal",
    .allowed =
        "the ARN of a user or a role, such as arn:aws:iam::111122223333:user/alice; a * at its end stands for "
        "all others that begin so",
    .pattern = "^arn:[a-z-]+:iam::[0-9]{12}:(user|role)/[^*?]*\\*?$",
    .accepts = is_principal};
const Format tag_key{.type = "tag key",
                     .allowed = "1 to 128 characters",
                     .pattern = "^.{1,128}$",
                     .accepts = [](std::string_view text) { return text.size() <= 128; }};
const Format tag_value{.type = "tag value",
                       .allowed = "1 to 256 characters",
                       .pattern = "^.{1,256}$",
                       .accepts = [](std::string_view text) { return text.size() <= 256; }};

template <class Draft>
void add_attachments(Section<Draft>& section) {
  section.texts(
      "scps", &Draft::scps, scp_name, {1, scps_max},
      "Service control policies attached here, all of them. Absent: FullAWSAccess alone, as AWS attaches it.");
  section.texts("rcps", &Draft::rcps, rcp_name, {0, rcps_max},
                "Resource control policies attached here. RCPFullAWSAccess always is, listed or not, and counts.");
}

Section<RootDraft> root() {
  Section<RootDraft> root;
  root.text("id", &RootDraft::id, root_id, "The root's id; part of aws:PrincipalOrgPaths.");
  add_attachments(root);
  return root;
}

Section<UnitDraft> unit() {
  Section<UnitDraft> unit;
  unit.text("path", &UnitDraft::path, unit_path, "The unit's name after those of the units above it.");
  unit.required();
  unit.text("id", &UnitDraft::id, unit_id, "The unit's id; part of aws:PrincipalOrgPaths.");
  add_attachments(unit);
  return unit;
}

Section<AccountDraft> account() {
  Section<AccountDraft> account;
  account.text("id", &AccountDraft::id, config::account_number, "The account's 12 digits, in quotes.");
  account.required();
  account.text("name", &AccountDraft::name, config::any_text, "A name for people.");
  account.text("unit", &AccountDraft::unit, unit_path, "The unit that it is in; absent: directly below the root.");
  add_attachments(account);
  return account;
}

Section<GroupDraft> group() {
  Section<GroupDraft> group;
  group.text("name", &GroupDraft::name, config::name_text, "What principals call it.");
  group.required();
  group.texts("policies", &GroupDraft::policies, document_file, identity_count,
              "Identity policies of every principal in the group.");
  group.required();
  return group;
}

Section<PrincipalDraft> principal() {
  Section<PrincipalDraft> principal;
  principal.text("arn", &PrincipalDraft::arn, principal_arn, "Who it is.");
  principal.required();
  principal.labels("tags", &PrincipalDraft::tags, tag_key, tag_value, tags_count, "Read as aws:PrincipalTag/KEY.");
  principal.texts("groups", &PrincipalDraft::groups, config::name_text, groups_count, "Groups that it is in.");
  principal.texts("policies", &PrincipalDraft::policies, document_file, identity_count,
                  "Its identity policies, inline and managed alike.");
  principal.text("boundary", &PrincipalDraft::boundary, document_file, "Its permissions boundary.");
  return principal;
}

Section<NamedPolicyDraft> named_policy(std::string_view what_for) {
  Section<NamedPolicyDraft> named;
  named.text("name", &NamedPolicyDraft::name, config::name_text, "What it is asked for by.");
  named.required();
  named.text("policy", &NamedPolicyDraft::policy, document_file, what_for);
  named.required();
  return named;
}

Section<OrganizationDraft> everything_of_the_organization() {
  using Draft = OrganizationDraft;
  Section<Draft> all;
  all.whole("version", &Draft::version, {1, 1}, "The version of this file's format.");
  all.required();
  all.text("id", &Draft::id, organization_id, "The organisation's id; read as aws:PrincipalOrgID.");
  all.text("management_account", &Draft::management_account, config::account_number,
           "One of the accounts: SCPs and RCPs do not bind it.");
  all.section("root", &Draft::root, root(), "What is attached to the root, above everything.");
  all.sections("units", &Draft::units, unit(), units_count, "Organisational units, each by its path.");
  all.sections("accounts", &Draft::accounts, account(), {1, entries_count.max},
               "The accounts of the organisation.");
  all.required();
  all.sections("groups", &Draft::groups, group(), entries_count, "Identity policies under one name.");
  all.sections("principals", &Draft::principals, principal(), entries_count,
               "Users and roles. One that is in no entry may do nothing.");
  all.sections("session_policies", &Draft::session_policies, named_policy("What narrows the session."),
               entries_count, "Policies that may be passed with a session.");
  all.sections("listeners", &Draft::listeners,
               named_policy("What may pass this listener, as a VPC endpoint policy says it."), entries_count,
               "Policies of listeners.");
  return all;
}

}  // namespace

const Section<OrganizationDraft>& organization_settings() {
  static const Section<OrganizationDraft> all = everything_of_the_organization();
  return all;
}

std::string organization_schema() {
  return config::json_schema_of("Portolan policy set: organization.yaml", organization_settings().settings());
}

std::string organization_reference() {
  return config::reference_markdown_of(
      "Policy set reference: organization.yaml",
      "One YAML file beside the JSON policy documents that it names. `portolan policy check DIR` names every "
      "mistake "
      "with its line and column. [operate/policy.md](../operate/policy.md) explains it with an example.",
      organization_settings().settings());
}

}  // namespace portolan::policy
