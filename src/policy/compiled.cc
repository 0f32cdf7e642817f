// SPDX-License-Identifier: Apache-2.0
#include "policy/compiled.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "policy/sentence.h"

namespace portolan::policy {
namespace {

using iam::Condition;
using iam::Document;
using iam::Statement;

// Truths are kept by their bits, and each combination that occurs is a judgement in memory.
constexpr std::size_t conditions_max = 16;
constexpr std::size_t judgements_max = 100'000;
// Callers make application profiles and change their tags as they like, and each of these is a cell of its own.
constexpr std::size_t application_cells_max = 10'000;
constexpr std::size_t remembered_max = std::size_t{1} << 20;

/// Keys that differ from one check of a call to the next.
bool differs_by_check(std::string_view key_lower) {
  return key_lower == "aws:requestedregion" || key_lower == "bedrock:inferenceprofilearn" ||
         key_lower.starts_with("aws:resource");
}

bool is_of_principal(std::string_view key_lower) {
  return key_lower.starts_with("aws:principal") || key_lower == "aws:username" || key_lower == "aws:userid";
}

/// Calls `visit(key_lower)` for each key that the condition reads.
template <class Visit>
void for_each_key(const Condition& condition, Visit visit) {
  visit(std::string_view{condition.key_lower});
  for (const iam::Text& value : condition.values)
    for (const std::string& key : value.variables()) visit(std::string_view{key});
}

bool reads_any(const Condition& condition, bool (*of_kind)(std::string_view)) {
  bool any = false;
  for_each_key(condition, [&](std::string_view key) { any = any || of_kind(key); });
  return any;
}

template <class Visit>
void for_each_document(const InForce& in_force, Visit visit) {
  const iam::PolicySet& set = in_force.policies();
  for (const auto* documents : {&set.identity, &set.boundaries, &set.session, &set.resource, &set.listener})
    for (const Document* document : *documents) visit(*document);
  for (const auto* levels : {&set.service_control, &set.resource_control})
    for (const iam::Level& level : *levels)
      for (const Document* document : level.documents) visit(*document);
}

bool speaks_of_action(const Statement& statement, std::string_view action) {
  const bool listed =
      std::ranges::any_of(statement.actions, [&](const auto& each) { return each.matches(action); });
  return listed != statement.not_action;
}

bool speaks_of_resource(const Statement& statement, std::string_view resource, const iam::Context& context) {
  if (statement.resources.empty()) return true;
  const bool listed =
      std::ranges::any_of(statement.resources, [&](const auto& each) { return each.matches(resource, context); });
  return listed != statement.not_resource;
}

/// Whether it applies to the check but for the conditions that differ by request, its Principal aside.
bool may_apply(const Statement& statement, const Check& check, const iam::Context& context) {
  return speaks_of_resource(statement, check.resource, context) &&
         std::ranges::all_of(statement.conditions, [&](const Condition& condition) {
           return reads_any(condition, is_of_the_request) || condition.holds(context);
         });
}

/// Whether its Principal tells one caller from another.
bool names_some(const Statement& statement) {
  if (statement.not_principal) return true;
  return std::ranges::any_of(statement.principals, [](const iam::PrincipalPattern& pattern) {
    using Type = iam::PrincipalPattern::Type;
    return pattern.type != Type::any && !(pattern.type == Type::aws && pattern.text == "*");
  });
}

bool resources_differ_by_request(const Statement& statement) {
  return std::ranges::any_of(statement.resources, [](const iam::ResourcePattern& pattern) {
    return std::ranges::any_of(pattern.text.variables(), is_of_the_request);
  });
}

const void* target_of(const domain::Inference& inference) {
  if (inference.profile != nullptr) return inference.profile;
  return inference.model;
}

}  // namespace

CompiledPolicies::CompiledPolicies(std::shared_ptr<const Organization> organization,
                                   std::shared_ptr<const domain::Catalog> catalog, ProfileArn profile_arn)
    : organization_(std::move(organization)), catalog_(std::move(catalog)), profile_arn_(profile_arn) {}

InferenceCall CompiledPolicies::call_of(const Question& question) const {
  const domain::Profile* profile = question.inference.profile;
  const bool is_application = profile != nullptr && profile->application != nullptr;
  return {.principal = question.principal.arn,
          .account = question.principal.account_id,
          .action = action(question.inference),
          .target = {.profile = profile,
                     .model = question.inference.model,
                     .source = question.inference.source,
                     .copy_of = is_application ? profile->copy_of : nullptr,
                     .tags = is_application ? profile->application->tags : domain::Tags{}},
          .request = question.facts,
          .profile_arn = profile_arn_};
}

Judgement CompiledPolicies::judge(const Question& question) const {
  const auto in_force = InForce::of(*organization_, question.principal.arn);
  return policy::judge(call_of(question), question.mode, *organization_, *in_force, *catalog_);
}

const CompiledPolicies::Reads& CompiledPolicies::reads_of(const Document& document) const {
  const auto [found, fresh] = reads_.try_emplace(&document);
  Reads& reads = found->second;
  if (!fresh) return reads;
  const auto note = [&reads](std::string_view key) {
    if (is_of_principal(key)) reads.keys.emplace(key);
  };
  for (const Statement& statement : document.statements) {
    reads.names_principals = reads.names_principals || names_some(statement);
    for (const Condition& condition : statement.conditions) for_each_key(condition, note);
    for (const iam::ResourcePattern& resource : statement.resources)
      for (const std::string& key : resource.text.variables()) note(key);
  }
  return reads;
}

/// Equal for principals that no document in force for them can tell apart.
std::string CompiledPolicies::signature(const InForce& in_force, const domain::Principal& principal) const {
  std::set<std::string, std::less<>> keys;
  bool names_principals = false;
  std::string text = principal.account_id + "\n";
  for_each_document(in_force, [&](const Document& document) {
    const Reads& reads = reads_of(document);
    keys.insert(reads.keys.begin(), reads.keys.end());
    names_principals = names_principals || reads.names_principals;
    text += fmt::format("{} ", fmt::ptr(&document));
  });
  text += in_force.policies().boundaries.empty() ? "\n" : "bounded\n";
  const auto name = principal_name(principal.arn);
  if (name) text += fmt::format("{} {} {}\n", name->partition, name->account, name->type);
  text += in_force.principal() == nullptr ? "unnamed\n" : "named\n";
  if (names_principals || !name) text += principal.arn + "\n";
  const InferenceCall call{.principal = principal.arn, .account = {}, .target = {}, .request = {}};
  const iam::Context context = context_of(call, Check{}, *organization_, in_force);
  for (const std::string& key : keys) {
    text += key + "=";
    for (const std::string& value : context.find(key)) text += fmt::format("{}:{},", value.size(), value);
    text += "\n";
  }
  return text;
}

/// With the lock held.
CompiledPolicies::Class& CompiledPolicies::class_of(const domain::Principal& principal) const {
  std::string who = principal.arn + " " + principal.account_id;
  if (const auto found = class_by_principal_.find(who); found != class_by_principal_.end()) return *found->second;
  InForce in_force = *InForce::of(*organization_, principal.arn);
  std::unique_ptr<Class>& shared = classes_[signature(in_force, principal)];
  if (shared == nullptr) {
    shared = std::make_unique<Class>(std::move(in_force));
    shared->principal = principal.arn;
    shared->account = principal.account_id;
  }
  class_by_principal_.emplace(std::move(who), shared.get());
  return *shared;
}

const CompiledPolicies::Cell& CompiledPolicies::cell(const Question& question) const {
  const domain::Inference& inference = question.inference;
  // By what they are, not by address: a catalog of another configuration may be meant.
  const domain::RegionMask destinations =
      inference.profile != nullptr ? inference.profile->destinations_from(inference.source) : domain::RegionMask{};
  std::string key = fmt::format("{} {} {} {} {} {:x}", action(inference), name(question.mode),
                                inference.profile != nullptr ? inference.profile->id : "",
                                inference.profile != nullptr ? inference.profile->model->id : inference.model->id,
                                inference.source, destinations.bits());
  const bool is_application = inference.profile != nullptr && inference.profile->application != nullptr;
  if (is_application)
    for (const auto& [tag, value] : inference.profile->application->tags)
      key += fmt::format(" {}:{}{}:{}", tag.size(), tag, value.size(), value);  // tags may hold any separator
  Class* principals = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    principals = &class_of(question.principal);
    if (const auto found = principals->cells.find(key); found != principals->cells.end()) return *found->second;
    if (is_application && ++application_cells_ > application_cells_max) return judged_anew_;
  }
  // Compiled without the lock; of two that do the same, the first stays.
  std::unique_ptr<const Cell> fresh = compile(question, principals->in_force);
  const std::scoped_lock lock(mutex_);
  return *principals->cells.try_emplace(key, std::move(fresh)).first->second;
}

std::unique_ptr<const CompiledPolicies::Cell> CompiledPolicies::compile(const Question& question,
                                                                        const InForce& in_force) const {
  InferenceCall call = call_of(question);
  call.request = {};
  auto cell = std::make_unique<Cell>();
  cell->names_principal = in_force.principal() != nullptr;
  const std::vector<Check> checks = checks_of(call, question.mode, *catalog_);
  std::vector<iam::Context> contexts;
  for (const Check& check : checks) contexts.push_back(context_of(call, check, *organization_, in_force));

  bool is_mixed = false;
  for_each_document(in_force, [&](const Document& document) {
    for (const Statement& statement : document.statements) {
      if (!speaks_of_action(statement, call.action)) continue;
      if (resources_differ_by_request(statement)) is_mixed = true;
      const auto differs = [](const Condition& condition) { return reads_any(condition, is_of_the_request); };
      if (std::ranges::none_of(statement.conditions, differs)) continue;
      bool applies = false;
      for (std::size_t i = 0; i < checks.size() && !applies; ++i)
        applies = may_apply(statement, checks[i], contexts[i]);
      if (!applies) continue;
      for (const Condition& condition : statement.conditions) {
        if (!differs(condition)) continue;
        cell->conditions.push_back(&condition);
        is_mixed = is_mixed || reads_any(condition, differs_by_check);
      }
    }
  });
  cell->is_static = cell->conditions.empty() && !is_mixed;
  cell->is_shared = !is_mixed && cell->conditions.size() <= conditions_max;
  if (cell->is_static) cell->judgement = policy::judge(call, question.mode, *organization_, in_force, *catalog_);
  for (const Condition* condition : cell->conditions)
    for_each_key(*condition, [&](std::string_view key) {
      if (is_of_the_request(key) || contexts.empty()) return;
      const auto values = contexts.front().find(key);
      if (!values.empty()) cell->of_principal.set(key, std::vector<std::string>(values.begin(), values.end()));
    });
  return cell;
}

std::uint64_t CompiledPolicies::truths(const Cell& cell, const Question& question) const {
  iam::Context context = cell.of_principal;
  const auto is_read = [&cell](std::string_view key) {
    return std::ranges::any_of(cell.conditions, [key](const Condition* condition) {
      bool reads = false;
      for_each_key(*condition, [&](std::string_view each) { reads = reads || each == key; });
      return reads;
    });
  };
  // As cross_region.h fills them in.
  const RequestFacts& facts = question.facts;
  const auto set = [&](std::string_view key, std::string_view value) {
    if (!value.empty() && is_read(key)) context.set(key, std::string{value});
  };
  set("aws:sourceip", facts.source_ip);
  set("aws:useragent", facts.user_agent);
  set("bedrock:servicetier", facts.service_tier);
  if (facts.secure_transport) set("aws:securetransport", *facts.secure_transport ? "true" : "false");
  if (facts.now && is_read("aws:currenttime")) context.set("aws:currenttime", base::iso8601(*facts.now));
  if (facts.now && is_read("aws:epochtime")) {
    const auto since_epoch = std::chrono::duration_cast<base::seconds>(facts.now->time_since_epoch());
    context.set("aws:epochtime", std::to_string(since_epoch.count()));
  }
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < cell.conditions.size(); ++i)
    if (cell.conditions[i]->holds(context)) bits |= std::uint64_t{1} << i;
  return bits;
}

const Judgement* CompiledPolicies::judgement(const Cell& cell, std::uint64_t truths,
                                             const Question& question) const {
  const std::pair key{&cell, truths};
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = judgements_.find(key); found != judgements_.end()) return found->second.get();
    if (judgements_.size() >= judgements_max) return nullptr;
  }
  auto fresh = std::make_unique<const Judgement>(judge(question));
  const std::scoped_lock lock(mutex_);
  return judgements_.try_emplace(key, std::move(fresh)).first->second.get();
}

std::string CompiledPolicies::denial(const Question& question, const Judgement& judgement) const {
  const InferenceCall call = call_of(question);
  if (organization_->find_principal(question.principal.arn) == nullptr)
    return not_authorized(question.principal, question.inference, *catalog_) +
           " because the policies in force do not name this principal";
  return denial_text(call, judgement, *catalog_);
}

std::size_t CompiledPolicies::cells() const {
  const std::scoped_lock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [signature, principals] : classes_) count += principals->cells.size();
  return count;
}

std::size_t CompiledPolicies::classes() const {
  const std::scoped_lock lock(mutex_);
  return classes_.size();
}

const Judgement& CellMemory::judge(const CompiledPolicies& policies, const Question& question, Judgement& anew) {
  const domain::Inference& inference = question.inference;
  const Key key{.policies = &policies,
                .principal = &question.principal,
                .target = target_of(inference),
                .more = std::uint64_t{inference.source} | (action(inference).size() << 8) |
                        (std::uint64_t{question.mode == Mode::subset} << 16)};
  const auto* cell = static_cast<const CompiledPolicies::Cell*>(find(key));
  if (cell == nullptr) {
    cell = &policies.cell(question);
    add(key, cell);
  }
  if (cell->is_static) return cell->judgement;
  if (!cell->is_shared) return anew = policies.judge(question);
  const Key of_truths{
      .policies = &policies, .principal = cell, .target = nullptr, .more = policies.truths(*cell, question)};
  const auto* judgement = static_cast<const Judgement*>(find(of_truths));
  if (judgement == nullptr) {
    judgement = policies.judgement(*cell, of_truths.more, question);
    if (judgement == nullptr) return anew = policies.judge(question);
    add(of_truths, judgement);
  }
  return *judgement;
}

void CellMemory::forget() {
  entries_.assign(64, {});
  used_ = 0;
}

std::size_t CellMemory::hash(const Key& key) {
  std::uint64_t mixed = key.more;
  for (const void* part : {key.policies, key.principal, key.target}) {
    mixed = (mixed ^ reinterpret_cast<std::uintptr_t>(part)) * 0x9E3779B97F4A7C15ull;
    mixed ^= mixed >> 29;
  }
  return mixed;
}

const void* CellMemory::find(const Key& key) const {
  const std::size_t mask = entries_.size() - 1;
  for (std::size_t at = hash(key) & mask; entries_[at].value != nullptr; at = (at + 1) & mask)
    if (entries_[at].key == key) return entries_[at].value;
  return nullptr;
}

void CellMemory::add(const Key& key, const void* value) {
  if (2 * (used_ + 1) > entries_.size()) grow();
  const std::size_t mask = entries_.size() - 1;
  std::size_t at = hash(key) & mask;
  while (entries_[at].value != nullptr) at = (at + 1) & mask;
  entries_[at] = {key, value};
  ++used_;
}

void CellMemory::grow() {
  if (entries_.size() >= remembered_max) return forget();
  std::vector<Entry> before(entries_.size() * 2);
  before.swap(entries_);
  used_ = 0;
  for (const Entry& entry : before)
    if (entry.value != nullptr) add(entry.key, entry.value);
}

std::string describe(const Ruling& ruling) {
  std::string text = ruling.decision.outcome == iam::Outcome::explicit_deny ? "explicit deny in " : "no allow in ";
  text += iam::name(ruling.decision.by.kind);
  if (ruling.policy != nullptr) text += " " + ruling.policy->name;
  if (ruling.statement != nullptr)
    text += ruling.statement->sid.empty() ? fmt::format(", line {}", ruling.statement->place.line)
                                          : ", statement " + ruling.statement->sid;
  if (!ruling.level.empty()) text += ", of " + ruling.level;
  return text;
}

}  // namespace portolan::policy
