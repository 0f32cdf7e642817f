// SPDX-License-Identifier: Apache-2.0
// portolan trail: look records up, newest first; read every byte of the files.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/bytes.h"
#include "cli/admin_client.h"
#include "cli/command.h"
#include "data/directory.h"
#include "trail/check.h"
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
    TRY_VOID(data::expect_readable(*disk, options.data_dir));
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

base::Result<std::vector<trail::SegmentReport>> check(const std::string& data_dir) {
  const auto disk = world::real_disk();
  TRY_VOID(data::expect_readable(*disk, data_dir));
  return trail::check_files(*disk, data_dir + "/trail");
}

int print_check(const std::vector<trail::SegmentReport>& reports, bool as_json) {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::size_t flaws = 0;
  for (const trail::SegmentReport& report : reports) {
    records += report.content.records;
    bytes += report.content.segment_bytes;
    if (as_json)
      fmt::print("{}\n", nlohmann::ordered_json{{"segment", report.path},
                                                {"records", report.content.records},
                                                {"bytes", report.content.segment_bytes},
                                                {"sound", report.flaw.empty()},
                                                {"flaw", report.flaw}}
                             .dump());
    if (report.flaw.empty()) continue;
    ++flaws;
    if (!as_json) fmt::print("{}\n", report.flaw);
  }
  if (!as_json)
    fmt::print("{} records in {} segments, {} bytes read: {}\n", records, reports.size(), bytes,
               flaws == 0 ? "sound" : fmt::format("{} not sound", flaws));
  return flaws == 0 ? Exit::done : Exit::finding;
}

void add_check_command(CLI::App& trail, int& exit_code) {
  struct CheckOptions {
    std::string data_dir = default_data_dir();
    bool json = false;
  };
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command = trail.add_subcommand("check", "Read every byte of the files and tell what is damaged");
  command->footer(
      "Reads the files themselves, whether a gateway is writing them or not.\n\n"
      "Example:\n  portolan trail check --data-dir /var/lib/portolan");
  command->add_option("--data-dir", options->data_dir, "The gateway's data directory")->capture_default_str();
  command->add_flag("--json", options->json, "One line for each segment");
  command->callback([options, &exit_code] {
    const auto reports = check(options->data_dir);
    exit_code = reports ? print_check(*reports, options->json) : report(reports.error());
  });
}

}  // namespace

void add_trail(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* trail = app.add_subcommand("trail", "The audit trail");
  trail->require_subcommand(1);
  add_check_command(*trail, exit_code);
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
