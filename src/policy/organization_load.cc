// SPDX-License-Identifier: Apache-2.0
// From files to Organization in three steps: the tree of organization.yaml, each setting by itself
// (organization_settings.h), and what must agree, the documents included. Later steps run even when an earlier one
// found mistakes, so that one pass tells them all.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <tuple>

#include "base/sha256.h"
#include "domain/nearest.h"
#include "policy/never_applies.h"
#include "policy/organization.h"
#include "policy/organization_settings.h"

namespace portolan::policy {
namespace {

using config::Mistake;
using config::Place;
using config::printable;
using iam::PolicyKind;

/// No setting of an organisation is a secret.
class NoSecrets final : public config::Secrets {
 public:
  std::optional<base::Secret> environment(const std::string&) const override { return std::nullopt; }
  base::Result<base::Secret> file(const std::string&) const override { return refused(); }
  base::Result<base::Secret> command(const std::vector<std::string>&) const override { return refused(); }

 private:
  static base::Result<base::Secret> refused() {
    return base::fail(base::Code::usage, "no secret can stand in this file");
  }
};

iam::Document allow_everything(PolicyKind kind) {
  iam::Statement statement;
  statement.effect = iam::Effect::allow;
  statement.actions.push_back({.written = "*"});
  statement.resources.push_back({.text = iam::Text::compile("*", false)});
  if (kind == PolicyKind::resource_control) {
    statement.has_principal = true;
    statement.principals.push_back({.type = iam::PrincipalPattern::Type::any, .text = "*"});
  }
  return {.kind = kind, .has_variables = true, .id = {}, .statements = {std::move(statement)}};
}

bool allows_something(const Policies& policies) {
  return std::ranges::any_of(policies, [](const PolicyPointer& policy) {
    return std::ranges::any_of(policy->document.statements, [](const iam::Statement& statement) {
      return statement.effect == iam::Effect::allow;
    });
  });
}

Mistake remark_in(const std::string& file, iam::Place place, std::string what) {
  return {.file = file,
          .line = static_cast<int>(place.line),
          .column = static_cast<int>(place.column),
          .path = {},
          .what = std::move(what)};
}

/// Values that must occur once.
class EachOnce {
 public:
  /// False for one that was there before, which is noted.
  bool note(config::Reader& reader, const Place& place, std::string_view what, const std::string& value) {
    const auto [first, is_new] = seen_.emplace(value, place.path);
    if (!is_new)
      reader.wrong(place, fmt::format("{} is also that of {}; each must have its own", what, first->second));
    return is_new;
  }

 private:
  std::map<std::string, std::string> seen_;
};

/// Makes the Organization from what was written, and notes what does not agree.
class Assembly {
 public:
  Assembly(const ReadFile& read_file, config::Reader& reader, LoadedOrganization& loaded)
      : read_file_(read_file), reader_(reader), loaded_(loaded) {}

  Organization assemble(const Place& root, const OrganizationDraft& draft, std::string text) {
    organization_.files.emplace(organization_file, std::move(text));
    organization_.id = draft.id;
    organization_.root_id = draft.root.id;
    organization_.root = attachments(root.at("root"), draft.root, "the root");
    add_units(root.at("units"), draft);
    add_accounts(root, draft);
    add_groups(root.at("groups"), draft);
    add_principals(root.at("principals"), draft);
    add_named(root.at("session_policies"), draft.session_policies, PolicyKind::session,
              organization_.session_policies);
    add_named(root.at("listeners"), draft.listeners, PolicyKind::listener, organization_.listeners);
    seal();
    return std::move(organization_);
  }

 private:
  /// The file's text; null when it cannot be read, which is noted where it is named first.
  const std::string* text_of(const Place& place, const std::string& name) {
    if (const auto known = organization_.files.find(name); known != organization_.files.end())
      return &known->second;
    if (!unreadable_.insert(name).second) return nullptr;
    base::Result<std::string> text = read_file_(name);
    if (!text) {
      reader_.wrong(place, fmt::format("cannot read {}: {}; put the document there, or correct the path",
                                       printable(name), text.error().message));
      return nullptr;
    }
    unreadable_.erase(name);
    return &organization_.files.emplace(name, *std::move(text)).first->second;
  }

  /// Null when it is not readable or not a policy of this kind, which is noted.
  PolicyPointer policy(const Place& place, const std::string& name, PolicyKind kind) {
    const auto [known, is_new] = policies_.try_emplace({name, kind});
    if (!is_new) return known->second;
    if (name == full_access_scp || name == full_access_rcp) {
      known->second = std::make_shared<const Policy>(Policy{.name = name, .document = allow_everything(kind)});
      return known->second;
    }
    const std::string* text = text_of(place, name);
    if (text == nullptr) return nullptr;
    std::vector<iam::Notice> notices;
    std::expected<iam::Document, iam::Fault> document = iam::read_document(*text, kind, notices);
    if (document) note_denies_that_never_apply(*document, notices);
    for (iam::Notice& notice : notices)
      loaded_.notices.push_back(remark_in(name, notice.place, std::move(notice.text)));
    if (!document)
      loaded_.mistakes.push_back(remark_in(name, document.error().place, std::move(document.error().what)));
    else
      known->second = std::make_shared<const Policy>(Policy{.name = name, .document = *std::move(document)});
    return known->second;
  }

  Policies policies(const Place& list, const std::vector<std::string>& names, PolicyKind kind) {
    Policies all;
    EachOnce once;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].empty() || !once.note(reader_, list.at(i), "this document", names[i])) continue;
      if (PolicyPointer found = policy(list.at(i), names[i], kind)) all.push_back(std::move(found));
    }
    return all;
  }

  Attachments attachments(const Place& place, const AttachmentsDraft& draft, std::string_view where) {
    Attachments attached;
    const bool says_scps = place.node->find("scps") != nullptr;
    const std::size_t mistakes_before = loaded_.mistakes.size();
    attached.service_control =
        says_scps ? policies(place.at("scps"), draft.scps, PolicyKind::service_control)
                  : Policies{policy(place, std::string{full_access_scp}, PolicyKind::service_control)};
    const bool was_readable = loaded_.mistakes.size() == mistakes_before && !draft.scps.empty();
    if (says_scps && was_readable && !allows_something(attached.service_control))
      notice(
          place.at("scps"),
          fmt::format("nothing is allowed at {}, because no SCP here has an Allow; add FullAWSAccess to the list",
                      where));
    attached.resource_control = policies(place.at("rcps"), draft.rcps, PolicyKind::resource_control);
    if (std::ranges::find(draft.rcps, full_access_rcp) == draft.rcps.end()) {
      attached.resource_control.insert(attached.resource_control.begin(),
                                       policy(place, std::string{full_access_rcp}, PolicyKind::resource_control));
      if (draft.rcps.size() >= rcps_max)
        reader_.wrong(place.at("rcps"),
                      fmt::format("with RCPFullAWSAccess, which cannot be detached, these are {}; {} "
                                  "may be attached",
                                  draft.rcps.size() + 1, rcps_max));
    }
    return attached;
  }

  void add_units(const Place& list, const OrganizationDraft& draft) {
    EachOnce path_once;
    EachOnce id_once;
    for (std::size_t i = 0; i < draft.units.size(); ++i) {
      const UnitDraft& unit = draft.units[i];
      const Place place = list.at(i);
      if (unit.path.empty() || !path_once.note(reader_, place.at("path"), "this path", unit.path)) continue;
      if (!unit.id.empty()) id_once.note(reader_, place.at("id"), "this id", unit.id);
      organization_.units.emplace(
          unit.path,
          Unit{.path = unit.path, .id = unit.id, .attached = attachments(place, unit, "unit " + unit.path)});
    }
    for (std::size_t i = 0; i < draft.units.size(); ++i) {
      const std::string& path = draft.units[i].path;
      const std::size_t slash = path.rfind('/');
      if (slash == std::string::npos || organization_.units.contains(path.substr(0, slash))) continue;
      reader_.wrong(list.at(i).at("path"),
                    fmt::format("the unit above it, {}, is not among the units{}; add it, if only with its path",
                                printable(path.substr(0, slash)), did_you_mean_unit(path.substr(0, slash))));
    }
  }

  void add_accounts(const Place& root, const OrganizationDraft& draft) {
    const Place list = root.at("accounts");
    EachOnce id_once;
    for (std::size_t i = 0; i < draft.accounts.size(); ++i) {
      const AccountDraft& account = draft.accounts[i];
      const Place place = list.at(i);
      if (!account.unit.empty() && !organization_.units.contains(account.unit))
        reader_.wrong(place.at("unit"), fmt::format("{} is not among the units{}", printable(account.unit),
                                                    did_you_mean_unit(account.unit)));
      if (account.id.empty() || !id_once.note(reader_, place.at("id"), "this id", account.id)) continue;
      organization_.accounts.emplace(account.id,
                                     Account{.id = account.id,
                                             .name = account.name,
                                             .unit = account.unit,
                                             .attached = attachments(place, account, "account " + account.id)});
    }
    organization_.management_account = draft.management_account;
    if (!draft.management_account.empty() && !organization_.accounts.contains(draft.management_account))
      reader_.wrong(root.at("management_account"),
                    fmt::format("{} is not among the accounts; add it there", draft.management_account));
  }

  void add_groups(const Place& list, const OrganizationDraft& draft) {
    EachOnce once;
    for (std::size_t i = 0; i < draft.groups.size(); ++i) {
      const GroupDraft& group = draft.groups[i];
      if (group.name.empty() || !once.note(reader_, list.at(i).at("name"), "this name", group.name)) continue;
      groups_.emplace(group.name, policies(list.at(i).at("policies"), group.policies, PolicyKind::identity));
    }
  }

  void add_principals(const Place& list, const OrganizationDraft& draft) {
    EachOnce once;
    EachOnce role_once;
    for (std::size_t i = 0; i < draft.principals.size(); ++i) {
      const PrincipalDraft& from = draft.principals[i];
      const Place place = list.at(i);
      if (from.arn.empty() || !once.note(reader_, place.at("arn"), "this ARN", from.arn)) continue;
      const PrincipalName name = *principal_name(from.arn);
      if (!organization_.accounts.contains(name.account))
        reader_.wrong(place.at("arn"),
                      fmt::format("account {} is not among the accounts; add it there", name.account));
      if (!from.arn.ends_with('*'))  // IAM tells users and roles apart by name alone, whatever their paths
        role_once.note(reader_, place.at("arn"), "this name",
                       fmt::format("{}:{}/{}", name.account, name.type, name.name));
      Principal principal{.arn = from.arn,
                          .tags = from.tags,
                          .identity = policies(place.at("policies"), from.policies, PolicyKind::identity),
                          .boundary = nullptr};
      if (name.type == "role" && !from.groups.empty())
        reader_.wrong(place.at("groups"), "roles are in no groups; list the policies under policies");
      for (std::size_t g = 0; g < from.groups.size(); ++g)
        add_group(place.at("groups").at(g), from.groups[g], principal);
      if (!from.boundary.empty())
        principal.boundary = policy(place.at("boundary"), from.boundary, PolicyKind::permission_boundary);
      organization_.principals.emplace(from.arn, std::move(principal));
    }
  }

  void add_group(const Place& place, const std::string& name, Principal& principal) {
    if (name.empty()) return;
    const auto group = groups_.find(name);
    if (group == groups_.end()) {
      std::vector<std::string_view> names;
      for (const auto& [known, unused] : groups_) names.push_back(known);
      reader_.wrong(place, fmt::format("{} is not among the groups{}", printable(name),
                                       domain::did_you_mean(domain::nearest_name(name, names))));
      return;
    }
    for (const PolicyPointer& each : group->second)
      if (std::ranges::find(principal.identity, each) == principal.identity.end())
        principal.identity.push_back(each);
  }

  void add_named(const Place& list, const std::vector<NamedPolicyDraft>& drafts, PolicyKind kind,
                 std::map<std::string, PolicyPointer, std::less<>>& out) {
    EachOnce once;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      const NamedPolicyDraft& draft = drafts[i];
      if (draft.name.empty() || !once.note(reader_, list.at(i).at("name"), "this name", draft.name)) continue;
      if (draft.policy.empty()) continue;
      if (PolicyPointer found = policy(list.at(i).at("policy"), draft.policy, kind)) out.emplace(draft.name, found);
    }
  }

  std::string did_you_mean_unit(std::string_view path) const {
    std::vector<std::string_view> paths;
    for (const auto& [known, unused] : organization_.units) paths.push_back(known);
    return domain::did_you_mean(domain::nearest_name(path, paths));
  }

  void notice(const Place& place, std::string what) {
    loaded_.notices.push_back({.file = std::string{organization_file},
                               .line = place.node->line,
                               .column = place.node->column,
                               .path = place.path,
                               .what = std::move(what)});
  }

  void seal() {
    base::Sha256 hash;
    for (const auto& [name, text] : organization_.files) {
      hash.update(fmt::format("{} {}\n{}\n", name.size(), text.size(), name));
      hash.update(text);
    }
    organization_.version = base::to_hex(hash.finish());
  }

  const ReadFile& read_file_;
  config::Reader& reader_;
  LoadedOrganization& loaded_;
  Organization organization_;
  std::map<std::pair<std::string, PolicyKind>, PolicyPointer> policies_;
  std::set<std::string> unreadable_;
  std::map<std::string, Policies> groups_;
};

void sort_by_place(std::vector<Mistake>& mistakes) {
  std::ranges::sort(mistakes, {}, [](const Mistake& mistake) {
    const bool is_document = mistake.file != organization_file;  // organization.yaml first
    return std::tuple{is_document, std::string_view{mistake.file}, mistake.line, mistake.column,
                      std::string_view{mistake.path}};
  });
}

}  // namespace

LoadedOrganization load_organization(const ReadFile& read_file) {
  LoadedOrganization loaded;
  const auto give_up = [&](int line, int column, std::string what) {
    loaded.mistakes.push_back({.file = std::string{organization_file},
                               .line = line,
                               .column = column,
                               .path = {},
                               .what = std::move(what)});
    return loaded;
  };
  base::Result<std::string> text = read_file(std::string{organization_file});
  if (!text) return give_up(1, 1, "cannot be read: " + text.error().message);
  std::expected<config::Node, config::SyntaxError> tree = config::read_document(*text);
  if (!tree) return give_up(tree.error().line, tree.error().column, tree.error().what);
  if (tree->kind == config::Node::Kind::null) tree->kind = config::Node::Kind::mapping;  // what is missing is said

  const std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  const NoSecrets secrets;
  config::Reader reader{organization_file, *catalog, secrets};
  OrganizationDraft draft;
  const Place root{&*tree, ""};
  organization_settings().read(reader, root, draft);
  std::optional<Organization> organization;
  if (tree->kind == config::Node::Kind::mapping)
    organization = Assembly{read_file, reader, loaded}.assemble(root, draft, *std::move(text));
  for (Mistake& mistake : reader.take_mistakes()) loaded.mistakes.push_back(std::move(mistake));
  sort_by_place(loaded.mistakes);
  sort_by_place(loaded.notices);
  if (loaded.mistakes.empty()) loaded.organization = std::move(organization);
  return loaded;
}

LoadedOrganization load_organization(const std::map<std::string, std::string, std::less<>>& files) {
  return load_organization([&](const std::string& name) -> base::Result<std::string> {
    const auto found = files.find(name);
    if (found == files.end()) return base::fail(base::Code::usage, "there is no such file");
    return found->second;
  });
}

}  // namespace portolan::policy
