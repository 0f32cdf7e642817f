// SPDX-License-Identifier: Apache-2.0
// `explain`: the nine verdicts for a call that has not been made, by the judges that would decide it.
#include "domain/nearest.h"
#include "gateway/gateway.h"
#include "route/plan.h"
#include "trail/record.h"

namespace portolan::gateway {
namespace {

using base::Result;
using domain::Stage;

class Report {
 public:
  explicit Report(Explanation& explanation) : explanation_(explanation) {}
  void pass(Stage stage, std::string detail) { explanation_.verdicts.push_back({stage, true, std::move(detail)}); }
  /// The refusing stop, and what happens to the rest: a refused call is recorded all the same.
  void refuse(Stage stage, const base::Error& error, domain::Dialect dialect) {
    const base::CodeFacts& facts = error.facts();
    explanation_.status = dialect == domain::Dialect::openai ? facts.openai_status : facts.bedrock_status;
    explanation_.error_code = facts.name;
    explanation_.error_type = dialect == domain::Dialect::openai ? facts.openai_type : facts.bedrock_type;
    explanation_.verdicts.push_back({stage, false, error.message});
    for (std::size_t later = static_cast<std::size_t>(stage) + 1; later < domain::stage_count - 1; ++later)
      explanation_.verdicts.push_back(
          {.stage = static_cast<Stage>(later),
           .passed = true,
           .detail = "not reached: the call ends at stop " + std::to_string(static_cast<std::size_t>(stage) + 1),
           .reached = false});
    pass(Stage::record,
         "one record in the trail that says so, errorCode " + std::string(trail::error_code(error.code)));
  }

 private:
  Explanation& explanation_;
};

/// What the caller is not told: the document and the statement.
std::string deciding_statement(const policy::Verdict& verdict) {
  if (verdict.judgement == nullptr || verdict.judgement->denied_by < 0) return {};
  const auto denied_by = static_cast<std::size_t>(verdict.judgement->denied_by);
  return "; " + describe(verdict.judgement->rulings[denied_by]) + " (version " +
         std::to_string(verdict.version->number) + ")";
}

std::string pruned_text(const Call& call) {
  const policy::Judgement* judgement = call.verdict.judgement;
  const domain::RegionMask by_policies = judgement != nullptr ? judgement->pruned : domain::RegionMask{};
  const domain::RegionMask by_tenant = call.grant.pruned - by_policies;
  std::string text;
  if (!by_tenant.empty()) text += "; pruned by the tenant's rules: " + call.catalog().names(by_tenant);
  for (const domain::RegionIndex region : by_policies)
    if (const policy::Ruling* ruling = judgement->ruling_for(region))
      text += "; pruned " + call.catalog().region(region).name + ": " + describe(*ruling);
  if (call.verdict.version != nullptr)
    text += "; policies of version " + std::to_string(call.verdict.version->number);
  return text;
}

}  // namespace

Explanation Gateway::explain(const Hypothesis& hypothesis) {
  const std::scoped_lock lock(mutex_);
  const domain::Catalog& catalog = snapshot_->catalog;
  Explanation explanation;
  Report report(explanation);
  const Request request;
  Call call(snapshot_, request);
  call.began = clock_.now();
  call.began_wall = clock_.wall();
  policy::CellMemory cells;
  const Bench bench{clock_, fleet_, signing_keys_, explain_reader_, cells};

  report.pass(Stage::receive, "a request of about " + std::to_string(hypothesis.input_tokens) + " input tokens");

  call.identity.principal = snapshot_->keyring.find(hypothesis.principal);
  if (call.identity.principal == nullptr) {
    report.refuse(Stage::identify,
                  base::error(base::Code::unknown_access_key, "no principal " + hypothesis.principal +
                                                                  ": give an ARN, an access key id or a user name"),
                  call.dialect);
    return explanation;
  }
  if (const auto valid = identity::check_expiry(*call.identity.principal, clock_.wall()); !valid) {
    report.refuse(Stage::identify, valid.error(), call.dialect);
    return explanation;
  }
  call.inference.source = hypothesis.source_region.empty() ? snapshot_->config.source_region
                                                           : catalog.find_region(hypothesis.source_region);
  if (call.inference.source == domain::region_none) {
    report.refuse(Stage::identify,
                  base::error(base::Code::bad_signature,
                              "no Region " + hypothesis.source_region +
                                  domain::did_you_mean(catalog.nearest_region(hypothesis.source_region))),
                  call.dialect);
    return explanation;
  }
  const domain::Principal& principal = *call.identity.principal;
  report.pass(Stage::identify, principal.arn + " of tenant " + principal.tenant + ", source Region " +
                                   catalog.region(call.inference.source).name);

  call.inference.operation = hypothesis.stream ? domain::Operation::converse_stream : domain::Operation::converse;
  call.inference.stream = hypothesis.stream;
  call.inference.input_tokens = hypothesis.input_tokens;
  if (hypothesis.output_tokens_max > 0) call.asked.output_tokens_max = hypothesis.output_tokens_max;
  Result<void> outcome = resolve_model(call, hypothesis.model);
  if (outcome) outcome = limit_output(call);
  if (!outcome) {
    report.refuse(Stage::understand, outcome.error(), call.dialect);
    return explanation;
  }
  report.pass(Stage::understand,
              (call.inference.profile != nullptr
                   ? std::string(name(call.inference.profile->kind)) + " profile " + call.inference.profile->id
                   : "model " + call.inference.model->id) +
                  ", at most " + std::to_string(call.inference.output_tokens_max) + " output tokens" +
                  (call.inference.output_tokens_defaulted ? " (the model's default)" : ""));

  outcome = permit(call, bench.cells);
  if (!outcome) {
    base::Error error = outcome.error();
    error.message += deciding_statement(call.verdict);
    report.refuse(Stage::permit, error, call.dialect);
    return explanation;
  }
  report.pass(Stage::permit, "may run in " + catalog.names(call.grant.allowed) + pruned_text(call));

  outcome = reserve(call, bench, false);
  if (!outcome) {
    report.refuse(Stage::reserve, outcome.error(), call.dialect);
    return explanation;
  }
  report.pass(Stage::reserve, std::to_string(tokens_to_hold(call)) + " tokens would be held");

  outcome = plan(call, bench);
  if (!outcome) {
    report.refuse(Stage::plan, outcome.error(), call.dialect);
    return explanation;
  }
  for (std::size_t i = 0; i < call.plan.size; ++i)
    explanation.regions.push_back(catalog.region(call.plan.candidates[i].region).name);
  explanation.first_region = explanation.regions.front();
  report.pass(Stage::plan, route::describe(call.plan, catalog));
  report.pass(Stage::attempt, "first " + explanation.first_region + ", at most " +
                                  std::to_string(snapshot_->config.retry.attempts_max) + " attempts within " +
                                  base::format_duration(snapshot_->config.deadlines.total));
  report.pass(Stage::settle, "what the Region reports: input + cache writes + output x " +
                                 std::to_string(call.inference.model->token_rule(call.began_wall).output));
  report.pass(Stage::record, "one record in the trail of " + catalog.region(call.inference.source).name +
                                 ", durable before the answer ends");
  explanation.allowed = true;
  return explanation;
}

}  // namespace portolan::gateway
