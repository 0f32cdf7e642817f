// SPDX-License-Identifier: Apache-2.0
#include "sim/sandbox.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "domain/nearest.h"
#include "sim/region_server.h"
#include "sim/region_tls.h"

namespace portolan::sim {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t hosts_per_network = 250;
constexpr int certificates_hold_days = 90;

// The models that a Region has to offer: those that some profile may send there, and those it offers by bare id.
std::vector<OfferedModel> offered_models(const domain::Catalog& catalog, domain::RegionIndex region,
                                         base::WallTime now) {
  std::vector<OfferedModel> offered;
  for (const auto& model : catalog.models()) {
    bool here = model->in_region.contains(region);
    for (const auto& profile : catalog.profiles()) {
      if (here) break;
      if (profile->model != model.get()) continue;
      for (const domain::RegionMask& destinations : profile->destinations)
        here = here || destinations.contains(region);
    }
    if (here)
      offered.push_back({.id = model->id,
                         .output_burndown = model->token_rule(now).output,
                         .output_tokens_default = model->output_tokens_default,
                         .output_tokens_max = model->output_tokens_max});
  }
  return offered;
}

/// The TLS of one Region; null without an authority.
base::Result<std::shared_ptr<boost::asio::ssl::context>> tls_of(const ThrowawayCa* authority,
                                                                const std::string& region,
                                                                const std::string& address,
                                                                const world::Clock& clock) {
  if (authority == nullptr) return nullptr;
  TRY(const CertificateWithKey shown,
      authority->issue({.subject = region,
                        .dns_names = {"bedrock-runtime." + region + ".amazonaws.com"},
                        .addresses = {address},
                        .validity = Validity::days(certificates_hold_days, clock.wall())}));
  return region_tls(shown);
}

Json counts_of(const RegionCounts& counts) {
  Json models = Json::object();
  for (const auto& [id, model] : counts.models)
    if (model.requests != 0)
      models[id] = {{"requests", model.requests},
                    {"input_tokens", model.input_tokens},
                    {"output_tokens", model.output_tokens}};
  return {{"connections_accepted", counts.connections_accepted},
          {"connections_open", counts.connections_open},
          {"bytes_in", counts.bytes_in},
          {"bytes_out", counts.bytes_out},
          {"bad_signatures", counts.bad_signatures},
          {"requests", Json(counts.requests)},
          {"models", std::move(models)}};
}

Sandbox::Reply reply_of(const base::Result<void>& result) {
  if (result) return {200, "{}"};
  const int status = result.error().code == base::Code::usage ? 400 : 500;
  return {status, Json{{"error", result.error().message}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

base::Result<std::string> text_member(const Json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end() || !at->is_string())
    return base::fail(base::Code::usage, fmt::format("'{}' is absent or not a text", name));
  return at->get<std::string>();
}

base::Result<Fault> read_fault(const Json& object) {
  TRY(const std::string kind, text_member(object, "kind"));
  std::vector<std::string> arguments;
  if (const auto at = object.find("args"); at != object.end()) {
    if (!at->is_array()) return base::fail(base::Code::usage, "'args' is not a list of texts");
    for (const Json& argument : *at) {
      if (!argument.is_string() && !argument.is_number())
        return base::fail(base::Code::usage, "'args' is not a list of texts");
      arguments.push_back(argument.is_string() ? argument.get<std::string>() : argument.dump());
    }
  }
  double share = 1;
  if (const auto at = object.find("share"); at != object.end()) {
    if (!at->is_number()) return base::fail(base::Code::usage, "'share' is not a number");
    share = at->get<double>();
  }
  base::Duration duration{};
  if (object.contains("for")) {
    TRY(const std::string text, text_member(object, "for"));
    if (!base::parse_duration(text, duration) || duration == base::Duration::zero())
      return base::fail(base::Code::usage,
                        fmt::format("'for': '{}' is not a duration such as 250ms, 10s or 2m", text));
  }
  return parse_fault(kind, arguments, share, duration);
}

}  // namespace

struct Sandbox::Impl {
  SandboxOptions options;
  std::optional<ThrowawayCa> authority;
  boost::asio::io_context io{1};
  std::vector<std::unique_ptr<RegionServer>> servers;  // by Region index; used on the thread only
  std::vector<SandboxEndpoint> endpoints;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work;
  std::thread thread;

  // Runs `task` on the sandbox's thread and waits for it; without one (before start, after stop) right here.
  template <class Task>
  auto run(Task task) -> decltype(task()) {
    if (!thread.joinable()) return task();
    std::packaged_task<decltype(task())()> packaged(std::move(task));
    auto done = packaged.get_future();
    boost::asio::post(io, [&packaged] { packaged(); });
    return done.get();
  }

  base::Result<domain::RegionIndex> find(std::string_view region) const {
    const domain::Catalog& catalog = *options.catalog;
    const domain::RegionIndex index = catalog.find_region(region);
    if (index != domain::region_none) return index;
    return base::fail(base::Code::usage, fmt::format("region '{}' is not in the catalog{}", region,
                                                     domain::did_you_mean(catalog.nearest_region(region))));
  }
};

Sandbox::Sandbox(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sandbox::~Sandbox() {
  stop();
}

base::Result<std::unique_ptr<Sandbox>> Sandbox::start(SandboxOptions options) {
  if (!options.catalog || options.clock == nullptr || options.from >= options.catalog->regions().size())
    return base::fail(base::Code::usage,
                      "the sandbox needs a catalog, a clock and a Region of that catalog to stand in");
  if (options.access_key_id.empty() || options.secret_access_key.empty())
    return base::fail(base::Code::usage, "the sandbox needs an access key id and a secret access key to accept");
  std::unique_ptr<Sandbox> sandbox{new Sandbox(std::make_unique<Impl>())};
  Impl& impl = *sandbox->impl_;
  impl.options = std::move(options);
  const domain::Catalog& catalog = *impl.options.catalog;
  if (impl.options.tls) {
    const Validity validity = Validity::days(certificates_hold_days, impl.options.clock->wall());
    TRY(impl.authority, ThrowawayCa::make("Portolan sandbox", validity));
  }
  for (domain::RegionIndex index = 0; index < catalog.regions().size(); ++index) {
    const domain::RoundTrip& round_trip = catalog.round_trip(impl.options.from, index);
    const std::string address = fmt::format("{}.{}.{}", impl.options.address_prefix, index / hosts_per_network,
                                            index % hosts_per_network + 1);
    TRY(auto tls, tls_of(sandbox->authority(), catalog.region(index).name, address, *impl.options.clock));
    auto server = std::make_unique<RegionServer>(
        impl.io,
        RegionServerOptions{
            .traits = {.region = catalog.region(index).name,
                       .seed = impl.options.seed,
                       .round_trip_p50_ms = round_trip.p50_ms,
                       .round_trip_p90_ms = round_trip.p90_ms,
                       .capacity = impl.options.capacity,
                       .quota = impl.options.quota,
                       .refill_law = impl.options.refill_law,
                       .latency = impl.options.latency,
                       .models = offered_models(catalog, index, impl.options.clock->wall())},
            .catalog = impl.options.catalog,
            .account_id = impl.options.account_id,
            .access_key_id = impl.options.access_key_id,
            .secret_access_key = impl.options.secret_access_key,
            .tls = std::move(tls),
        },
        *impl.options.clock);
    TRY_VOID(server->listen(address, impl.options.port));
    impl.endpoints.push_back({.region = index, .address = address, .port = server->endpoint().port()});
    impl.servers.push_back(std::move(server));
  }
  impl.work.emplace(impl.io.get_executor());
  impl.thread = std::thread([&impl] { impl.io.run(); });
  return sandbox;
}

void Sandbox::stop() {
  const auto close_all = [this] {
    for (const auto& server : impl_->servers) server->stop();
    impl_->work.reset();
  };
  if (impl_->thread.joinable()) {
    impl_->run([&] { close_all(); });
    impl_->thread.join();
  } else {
    close_all();
    impl_->io.restart();
    impl_->io.run();
  }
}

const std::vector<SandboxEndpoint>& Sandbox::endpoints() const {
  return impl_->endpoints;
}

const ThrowawayCa* Sandbox::authority() const {
  return impl_->authority ? &*impl_->authority : nullptr;
}

base::Result<void> Sandbox::fault(std::string_view region, const Fault& fault) {
  TRY(const domain::RegionIndex index, impl_->find(region));
  if (fault.kind == FaultKind::version_absent && impl_->options.catalog->find_model(fault.model) == nullptr)
    return base::fail(
        base::Code::usage,
        fmt::format("fault version-absent: model '{}' is not in the catalog; give a model id, not a profile",
                    fault.model));
  return impl_->run([&] { return impl_->servers[index]->put_fault(fault); });
}

base::Result<void> Sandbox::clear(std::optional<std::string_view> region) {
  if (region) {
    TRY(const domain::RegionIndex index, impl_->find(*region));
    return impl_->run([&] { return impl_->servers[index]->clear_faults(); });
  }
  return impl_->run([&]() -> base::Result<void> {
    base::Result<void> result;
    for (const auto& server : impl_->servers)
      if (auto cleared = server->clear_faults(); !cleared) result = std::move(cleared);
    return result;
  });
}

std::string Sandbox::counts_json() {
  return impl_->run([&] {
    Json regions = Json::object();
    for (const auto& server : impl_->servers) regions[server->region()] = counts_of(server->counts());
    return Json{{"regions", std::move(regions)}}.dump();
  });
}

std::string Sandbox::regions_json() {
  return impl_->run([&] {
    const domain::Catalog& catalog = *impl_->options.catalog;
    Json regions = Json::array();
    for (const SandboxEndpoint& endpoint : impl_->endpoints) {
      const RegionServer& server = *impl_->servers[endpoint.region];
      const domain::RoundTrip& round_trip = catalog.round_trip(impl_->options.from, endpoint.region);
      Json models = Json::array();
      for (const OfferedModel& model : server.model().traits().models) models.push_back(model.id);
      regions.push_back({{"region", server.region()},
                         {"address", endpoint.address},
                         {"port", endpoint.port},
                         {"round_trip_p50_ms", round_trip.p50_ms},
                         {"round_trip_p90_ms", round_trip.p90_ms},
                         {"estimated_from", round_trip.estimated_from},
                         {"answers_in_progress", server.model().in_progress()},
                         {"faults", server.faults()},
                         {"models", std::move(models)}});
    }
    return Json{{"from", catalog.region(impl_->options.from).name}, {"regions", std::move(regions)}}.dump();
  });
}

void Sandbox::reset_counts() {
  impl_->run([&] {
    for (const auto& server : impl_->servers) server->reset_counts();
  });
}

Sandbox::Reply Sandbox::handle(std::string_view method, std::string_view path, std::string_view body) {
  constexpr std::string_view root = "/api/sandbox/";
  const std::string_view route = path.starts_with(root) ? path.substr(root.size()) : std::string_view{};
  const bool reads = route == "regions" || route == "counts";
  if (!reads && route != "counts/reset" && route != "fault" && route != "clear")
    return {404,
            R"({"error":"the sandbox has regions, counts, counts/reset, fault and clear under /api/sandbox/"})"};
  if (method != (reads ? "GET" : "POST"))
    return {405, Json{{"error", fmt::format("{} is called with {}", path, reads ? "GET" : "POST")}}.dump()};
  if (route == "regions") return {200, regions_json()};
  if (route == "counts") return {200, counts_json()};
  if (route == "counts/reset") {
    reset_counts();
    return {200, "{}"};
  }
  const Json object = body.empty() && route == "clear" ? Json::object() : Json::parse(body, nullptr, false);
  if (!object.is_object()) return reply_of(base::fail(base::Code::usage, "the body is not a JSON object"));
  if (route == "clear" && !object.contains("region")) return reply_of(clear());
  const base::Result<std::string> region = text_member(object, "region");
  if (!region) return reply_of(base::fail(region.error()));
  if (route == "clear") return reply_of(clear(*region));
  const base::Result<Fault> parsed = read_fault(object);
  return reply_of(parsed ? fault(*region, *parsed) : base::fail(parsed.error()));
}

}  // namespace portolan::sim
