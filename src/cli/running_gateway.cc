// SPDX-License-Identifier: Apache-2.0
#include "cli/running_gateway.h"

#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <openssl/rand.h>
#include <signal.h>

#include "cli/application_profiles.h"
#include "cli/command.h"
#include "cli/enforced_policies.h"
#include "cli/issued_keys.h"
#include "data/directory.h"
#include "trail/lookup.h"
#include "trail/pages.h"
#include "wire/target.h"

namespace portolan::cli {

using base::Result;
using control::AdminReply;
using control::AdminRequest;

namespace {

std::string url_of(std::string_view scheme, const std::string& address, std::uint16_t port) {
  // A wildcard address is where one listens, not where one connects.
  const std::string host = address == "0.0.0.0" ? "127.0.0.1" : address == "::" ? "::1" : address;
  return fmt::format("{}://{}:{}", scheme, host.find(':') != std::string::npos ? "[" + host + "]" : host, port);
}

AdminReply explain(gateway::Gateway& gateway, const AdminRequest& request) {
  const auto asked = nlohmann::json::parse(request.body, nullptr, false);
  if (!asked.is_object()) return control::admin_error(400, "a JSON object is expected");
  gateway::Hypothesis hypothesis;
  try {
    hypothesis.principal = asked.value("principal", "");
    hypothesis.model = asked.value("model", "");
    hypothesis.source_region = asked.value("source_region", "");
    hypothesis.input_tokens = asked.value("input_tokens", 0u);
    hypothesis.output_tokens_max = asked.value("output_tokens_max", 0u);
    hypothesis.stream = asked.value("stream", false);
  } catch (const nlohmann::json::exception& e) {
    return control::admin_error(400, e.what());
  }
  if (hypothesis.principal.empty() || hypothesis.model.empty())
    return control::admin_error(400, "principal and model are needed");
  const gateway::Explanation explanation = gateway.explain(hypothesis);
  nlohmann::ordered_json verdicts = nlohmann::ordered_json::array();
  for (const domain::Verdict& verdict : explanation.verdicts)
    verdicts.push_back({{"stop", domain::name(verdict.stage)},
                        {"reached", verdict.reached},
                        {"passed", verdict.passed},
                        {"detail", verdict.detail}});
  const nlohmann::ordered_json answer{
      {"allowed", explanation.allowed},           {"status", explanation.status},
      {"error_code", explanation.error_code},     {"error_type", explanation.error_type},
      {"first_region", explanation.first_region}, {"regions", explanation.regions},
      {"verdicts", std::move(verdicts)}};
  return {.status = 200, .content_type = "application/json", .body = answer.dump()};
}

Result<std::optional<base::WallTime>> time_in(std::string_view query, std::string_view name) {
  const std::string text = wire::query_value(query, name);
  if (text.empty()) return std::nullopt;
  base::WallTime at{};
  if (base::parse_time(text, at)) return at;
  return base::fail(base::Code::usage, std::string(name) + ": a time like 2026-11-21T23:05:00Z is expected");
}

AdminReply look_up(world::Disk& disk, const std::string& directory, const AdminRequest& request) {
  trail::Filter filter;
  const auto value = [&](std::string_view name) { return wire::query_value(request.query, name); };
  filter.principal = value("principal");
  filter.tenant = value("tenant");
  filter.profile = value("profile");
  filter.source_region = value("source_region");
  filter.inference_region = value("region");
  filter.outcome = value("outcome");
  filter.call_id = value("call_id");
  filter.event_name = value("event_name");
  for (const auto& [name, target] : {std::pair{"from", &filter.from}, std::pair{"until", &filter.until}}) {
    const auto at = time_in(request.query, name);
    if (!at) return control::admin_error(400, at.error().message);
    *target = *at;
  }
  if (const std::string limit = value("limit"); !limit.empty()) {
    const auto [end, failure] = std::from_chars(limit.data(), limit.data() + limit.size(), filter.limit);
    if (failure != std::errc{} || end != limit.data() + limit.size())
      return control::admin_error(400, "limit: a whole number is expected, 0 for all");
  }
  const auto found = trail::lookup(disk, directory, filter);
  if (!found)
    return control::admin_error(found.error().code == base::Code::usage ? 400 : 500, found.error().message);
  std::string lines;
  for (const std::string& record : *found) lines.append(record).append("\n");
  return {.status = 200, .content_type = "application/x-ndjson", .body = std::move(lines)};
}

/// All records, from the beginning on: a page for each request, so that other orders wait for milliseconds only.
/// The last line says where the next page begins.
AdminReply trail_page(world::Disk& disk, const std::string& directory, const AdminRequest& request) {
  const auto value = [&](std::string_view name) { return wire::query_value(request.query, name); };
  trail::Bookmark after;
  if (const std::string text = value("after"); !text.empty()) {
    const auto mark = trail::bookmark_of(text);
    if (!mark) return control::admin_error(400, "after: a bookmark like 7:123456 is expected");
    after = *mark;
  }
  const auto from = time_in(request.query, "from");
  if (!from) return control::admin_error(400, from.error().message);
  const auto until = time_in(request.query, "until");
  if (!until) return control::admin_error(400, until.error().message);
  const auto page = trail::read_page(disk, directory, after, *from, *until);
  if (!page) return control::admin_error(page.error().code == base::Code::usage ? 400 : 500, page.error().message);
  std::string lines;
  for (const std::string& record : page->records) lines.append(record).append("\n");
  const nlohmann::ordered_json end{
      {"page",
       {{"next", trail::text_of(page->next)}, {"last", page->last}, {"segments_missing", page->segments_missing}}}};
  return {.status = 200, .content_type = "application/x-ndjson", .body = lines + end.dump() + "\n"};
}

}  // namespace

void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

std::uint64_t fresh_seed() {
  std::uint64_t seed = 0;
  std::array<unsigned char, sizeof seed> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) == 1) std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

Result<std::unique_ptr<RunningGateway>> RunningGateway::start(
    config::Config config, const world::Clock& clock, const std::function<void(control::AdminServer&)>& mount,
    world::Inheritance inherited) {
  std::unique_ptr<RunningGateway> running{new RunningGateway};
  running->inherited_ = std::move(inherited);
  running->disk_ = world::real_disk();
  running->data_dir_ = config.data_dir;
  running->address_ = config.listen.address;
  if (config.listen.tls) running->tls_address_ = config.listen.tls->address;
  running->admin_address_ = config.admin.address;
  const std::uint16_t admin_port = config.admin.port;
  TRY(const std::string migrated, data::prepare_directory(*running->disk_, config.data_dir));
  if (!migrated.empty()) log(migrated);
  TRY(running->admin_key_, control::admin_key(config.data_dir));
  TRY(running->key_desk_, open_key_desk(config, clock, [running = running.get()]() -> gateway::Gateway& {
        return *running->gateway_;
      }));
  TRY(std::optional<store::MasterKeys> named, running->named_master_keys(config));
  gateway::Kept kept;
  if (running->key_desk_ != nullptr) kept.keys = running->key_desk_->keys();
  TRY(running->profile_desk_,
      open_profile_desk(config.data_dir, clock,
                        [running = running.get()]() -> gateway::Gateway& { return *running->gateway_; }));
  kept.profiles = running->profile_desk_->profiles();
  TRY(running->policy_desk_,
      open_policy_desk(
          config.data_dir, clock, [running = running.get()]() -> gateway::Gateway& { return *running->gateway_; },
          running->inherited_));
  const std::string policies = config.policies;
  bool adopted = false;
  if (!policies.empty()) {
    TRY(const PolicySet set, read_policies(policies));
    TRY(adopted, running->policy_desk_->adopt(set.files, set.hash, policies));
  }
  kept.rules = running->policy_desk_->standing();
  const gateway::ProfileDoor change_profiles = [desk = running->profile_desk_.get()](domain::ProfileOrder order,
                                                                                     gateway::ProfileDone done) {
    desk->ask(std::move(order), std::move(done));
  };
  TRY(running->gateway_, gateway::Gateway::start(
                             std::move(config), clock, *running->disk_, fresh_seed(), std::move(kept),
                             change_profiles, [](const std::string& line) { log(line); }, running->inherited_));
  running->mount_routes(clock);
  if (mount) mount(running->admin_);
  std::vector<world::Descriptor> admin_sockets =
      running->inherited_.take_sockets(running->admin_address_, admin_port);
  TRY_VOID(running->admin_.start(
      {.address = running->admin_address_, .port = admin_port, .key = running->admin_key_, .host_names = {}},
      admin_sockets.empty() ? world::Descriptor{} : std::move(admin_sockets.front())));
  running->write_admin_url();
  // Only now: the trail's lock says that no other process works with this directory.
  if (named) TRY_VOID(running->key_desk_->use(*std::move(named)));
  if (adopted) running->policy_desk_->publish_adopted(policies);
  running->tell_policies(policies);
  const std::string recovered = running->gateway_->recovery().text();
  log("trail " + running->data_dir_ + "/trail: " + recovered);
  return running;
}

/// Its thread posts to the gateway's reactors, and callers ask it as long as these run.
RunningGateway::~RunningGateway() {
  if (profile_desk_ != nullptr) profile_desk_->stop();
}

/// Where the commands find this gateway. A convenience: its loss changes nothing.
void RunningGateway::write_admin_url() const {
  std::ofstream(data_dir_ + "/admin.url") << admin_url() << "\n";
}

std::string RunningGateway::gateway_url() const {
  return url_of("http", address_, gateway_->port());
}
std::string RunningGateway::gateway_tls_url() const {
  return gateway_->tls_port() == 0 ? "" : url_of("https", tls_address_, gateway_->tls_port());
}
std::string RunningGateway::admin_url() const {
  return url_of("http", admin_address_, admin_.port());
}

void RunningGateway::mount_routes(const world::Clock& clock) {
  const auto text = [](int status, std::string body) {
    return AdminReply{.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
  };
  admin_.route("GET", "/healthz", [text](const AdminRequest&) { return text(200, "ok\n"); }, true);
  admin_.route(
      "GET", "/readyz",
      [this, text](const AdminRequest&) {
        return gateway_->ready() ? text(200, "ready\n")
                                 : text(503, "not ready: draining, or the trail refuses records\n");
      },
      true);
  admin_.route("GET", "/metrics", [this](const AdminRequest&) {
    return AdminReply{
        .status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8", .body = gateway_->metrics()};
  });
  admin_.route("GET", "/api/regions", [this](const AdminRequest&) {
    return AdminReply{.status = 200, .content_type = "application/json", .body = gateway_->regions_json()};
  });
  admin_.route("POST", "/api/explain", [this](const AdminRequest& request) { return explain(*gateway_, request); });
  if (key_desk_ != nullptr) {
    key_desk_->mount(admin_);
  } else {
    for (const auto& [method, path] :
         {std::pair{"GET", "/api/keys"}, std::pair{"POST", "/api/keys"}, std::pair{"POST", "/api/keys/"}})
      admin_.route(method, path, [](const AdminRequest&) {
        return control::admin_error(400, "this gateway issues no keys: set keys.master_key and start it again");
      });
  }
  policy_desk_->mount(admin_);
  mount_profiles(admin_, *profile_desk_, *gateway_, clock);
  admin_.route("GET", "/api/trail",
               [this](const AdminRequest& request) { return look_up(*disk_, data_dir_ + "/trail", request); });
  admin_.route("GET", "/api/trail/page",
               [this](const AdminRequest& request) { return trail_page(*disk_, data_dir_ + "/trail", request); });
}

/// Policies outlast the setting that once brought them; whoever took it away wants to know.
void RunningGateway::tell_policies(const std::string& configured) const {
  const domain::PolicyStanding standing = policy_desk_->standing();
  if (standing.in_force)
    log("policies: version " + std::to_string(standing.in_force->number) + " is in force" +
        (configured.empty() ? ", though the configuration names none; `portolan policy rollback 0` takes it away"
                            : ""));
}

/// None without a key store, or when the configuration names none. Code::config_invalid when they do not open it.
Result<std::optional<store::MasterKeys>> RunningGateway::named_master_keys(const config::Config& config) const {
  if (!config.keys || key_desk_ == nullptr) return std::nullopt;
  TRY(store::MasterKeys named, master_keys(*config.keys));
  TRY_VOID(key_desk_->accepts(named));
  return std::optional{std::move(named)};
}

void RunningGateway::reload_now(const std::function<Result<config::Config>()>& reload) {
  Result<config::Config> config = reload();
  if (!config) {
    log("SIGHUP: the configuration stays as it was. " + config.error().message);
    return;
  }
  if (config->keys.has_value() != (key_desk_ != nullptr)) log("SIGHUP: keys changed, which takes a restart");
  Result<std::optional<store::MasterKeys>> named = named_master_keys(*config);
  if (!named) {
    log("SIGHUP: the configuration stays as it was. " + named.error().message);
    return;
  }
  std::optional<PolicySet> policies;
  const std::string policies_from = config->policies;
  if (!policies_from.empty()) {
    auto set = read_policies(policies_from);
    if (!set) return log("SIGHUP: the configuration stays as it was. " + set.error().message);
    policies = *std::move(set);
  }
  const std::string version = config->version_hash;
  const auto reloaded = gateway_->reload(std::move(*config));
  if (!reloaded) {
    log("SIGHUP: the configuration stays as it was. " + reloaded.error().message);
    return;
  }
  log("SIGHUP: configuration " + version + " is in force");
  if (policies) {
    const auto adopted = policy_desk_->adopt(policies->files, policies->hash, policies_from);
    if (!adopted) log("SIGHUP: the policies stay as they were. " + adopted.error().message);
    if (adopted && *adopted) policy_desk_->publish_adopted(policies_from);
  }
  tell_policies(policies_from);
  // Last, for it cannot be taken back: from now on the store needs the new master key.
  if (*named)
    if (const auto used = key_desk_->use(std::move(**named)); !used)
      log("SIGHUP: the issued keys stay sealed as they were. " + used.error().message);
  for (const std::string& setting : *reloaded) log("SIGHUP: " + setting + " changed, which takes a restart");
}

}  // namespace portolan::cli
