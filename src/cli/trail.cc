// SPDX-License-Identifier: Apache-2.0
// portolan trail lookup: what happened, newest first.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/bytes.h"
#include "cli/admin_client.h"
#include "cli/command.h"
#include "trail/lookup.h"

namespace portolan::cli {
namespace {

struct Options {
  AdminClient admin;
  std::string data_dir;
  std::string from, until, principal, tenant, profile, source_region, region, outcome, call_id, event_name;
  std::size_t limit = 50;
  bool json = false;
};

base::Result<trail::Filter> filter_of(const Options& options) {
  trail::Filter filter;
  filter.principal = options.principal;
  filter.tenant = options.tenant;
  filter.profile = options.profile;
  filter.source_region = options.source_region;
  filter.inference_region = options.region;
  filter.outcome = options.outcome;
  filter.call_id = options.call_id;
  filter.event_name = options.event_name;
  filter.limit = options.limit;
  for (const auto& [text, target] :
       {std::pair{&options.from, &filter.from}, std::pair{&options.until, &filter.until}}) {
    if (text->empty()) continue;
    base::WallTime at{};
    if (!base::parse_time(*text, at))
      return base::fail(base::Code::usage, "'" + *text + "' is not a time; write 2026-11-21T23:05:00Z");
    *target = at;
  }
  return filter;
}

std::string query_of(const Options& options) {
  std::string query = "/api/trail?limit=" + std::to_string(options.limit);
  const auto add = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    query.append("&").append(name).append("=");
    base::percent_encode(value, query);
  };
  add("from", options.from);
  add("until", options.until);
  add("principal", options.principal);
  add("tenant", options.tenant);
  add("profile", options.profile);
  add("source_region", options.source_region);
  add("region", options.region);
  add("outcome", options.outcome);
  add("call_id", options.call_id);
  add("event_name", options.event_name);
  return query;
}

base::Result<std::vector<std::string>> find(const Options& options) {
  TRY(const trail::Filter filter, filter_of(options));
  if (!options.data_dir.empty()) {
    const auto disk = world::real_disk();
    return trail::lookup(*disk, options.data_dir + "/trail", filter);
  }
  TRY(const std::string lines, options.admin.expect("GET", query_of(options)));
  std::vector<std::string> records;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) records.push_back(line);
  return records;
}

void print_table(const std::vector<std::string>& records) {
  if (records.empty()) {
    fmt::print("no record matches\n");
    return;
  }
  fmt::print("{:<24} {:<16} {:<28} {:<15} {:<15} {:>7} {:>7}  {}\n", "time", "principal", "event", "source",
             "inference", "in", "out", "outcome");
  for (const std::string& text : records) {
    const auto record = nlohmann::json::parse(text, nullptr, false);
    if (!record.is_object()) continue;
    const auto& identity = record.at("userIdentity");
    const auto data = record.contains("additionalEventData") && record["additionalEventData"].is_object()
                          ? record["additionalEventData"]
                          : nlohmann::json::object();
    const auto tokens = [&](const char* name) {
      return data.contains(name) ? std::to_string(data[name].get<std::uint64_t>()) : "-";
    };
    fmt::print("{:<24} {:<16} {:<28} {:<15} {:<15} {:>7} {:>7}  {}\n", record.value("eventTime", ""),
               identity.value("userName", identity.value("accessKeyId", "-")), record.value("eventName", ""),
               record.value("awsRegion", ""), data.value("inferenceRegion", "-"), tokens("inputTokens"),
               tokens("outputTokens"), record.value("errorCode", "served"));
  }
}

}  // namespace

void add_trail(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* trail = app.add_subcommand("trail", "The audit trail");
  trail->require_subcommand(1);
  CLI::App* command = trail->add_subcommand("lookup", "Find records, newest first");
  command->footer(
      "Examples:\n  portolan trail lookup --limit 10\n  portolan trail lookup --region eu-west-1 --from "
      "2026-11-01T00:00:00Z --json\n  portolan trail lookup --data-dir ./portolan-data   (without a gateway)");
  options->admin.add_options(*command);
  command->add_option("--data-dir", options->data_dir,
                      "Read the files of this data directory instead of asking a gateway");
  command->add_option("--from", options->from, "Not before this time, 2026-11-21T23:05:00Z");
  command->add_option("--until", options->until, "Before this time");
  command->add_option("--principal", options->principal, "ARN, user name, access key id or key id");
  command->add_option("--tenant", options->tenant, "Tenant");
  command->add_option("--profile", options->profile, "Inference profile, or the model as it was asked for");
  command->add_option("--source-region", options->source_region, "Region the call was made in");
  command->add_option("--region", options->region, "Region that served");
  command->add_option("--outcome", options->outcome, "served, denied, failed, or an errorCode");
  command->add_option("--call-id", options->call_id, "The x-portolan-call-id of an answer");
  command->add_option("--event-name", options->event_name, "Converse, InvokeModel …");
  add_number(*command, "--limit", options->limit, "At most so many; 0 for all")->capture_default_str();
  command->add_flag("--json", options->json, "One record a line, as it was written");
  command->callback([options, &exit_code] {
    const auto records = find(*options);
    if (!records) {
      exit_code = report(records.error());
      return;
    }
    if (!options->json) return print_table(*records);
    for (const std::string& record : *records) fmt::print("{}\n", record);
  });
}

}  // namespace portolan::cli
