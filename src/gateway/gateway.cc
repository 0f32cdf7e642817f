// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway.h"

#include <boost/asio/executor_work_guard.hpp>
#include <future>
#include <iterator>
#include <latch>
#include <map>
#include <nlohmann/json.hpp>

#include "trail/act_record.h"

namespace portolan::gateway {

using base::Result;
namespace asio = world::asio;

namespace {

constexpr std::uint64_t first_epoch = 1;
constexpr std::chrono::seconds act_record_within{5};

Result<std::shared_ptr<const world::ServerTls>> load_tls(const config::Tls& tls, base::WallTime now) {
  world::ServerTls::Options options{.client_ca_file = tls.client_ca_file};
  for (const config::Certificate& certificate : tls.certificates)
    options.certificates.push_back(
        {.certificate = certificate.certificate_file, .private_key = certificate.private_key_file});
  switch (tls.client_certificates) {
    case config::ClientCertificates::ignored:
      options.clients = world::ClientCertificates::ignored;
      break;
    case config::ClientCertificates::optional:
      options.clients = world::ClientCertificates::optional;
      break;
    case config::ClientCertificates::required:
      options.clients = world::ClientCertificates::required;
      break;
  }
  return world::ServerTls::load(options, now);
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::start(config::Config config, const world::Clock& clock, world::Disk& disk,
                                                std::uint64_t seed, Kept kept, const ProfileDoor& change_profiles,
                                                std::function<void(const std::string&)> tell,
                                                world::Inheritance& inherited) {
  std::unique_ptr<Gateway> gateway{new Gateway(clock, ~seed)};
  TRY(auto rules, compile_rules(first_epoch, kept.rules, config, policy::Rules()));
  auto applications = std::make_shared<const ApplicationProfiles>(kept.profiles, config.catalog);
  auto snapshot = std::make_shared<const Snapshot>(std::move(config), gateway->allowances_, kept.keys,
                                                   std::move(rules), std::move(applications));
  gateway->kept_ = std::move(kept);
  const config::Config& settings = snapshot->config;
  const unsigned reactors =
      settings.reactors > 0 ? settings.reactors : std::max(1u, std::thread::hardware_concurrency());
  gateway->snapshot_ = snapshot;
  gateway->retry_budget_ = std::make_unique<route::RetryBudget>(settings.retry.budget_percent);
  gateway->metrics_ = std::make_unique<observe::Metrics>(reactors);
  if (settings.listen.tls) {
    TRY(gateway->tls_, load_tls(*settings.listen.tls, clock.wall()));
  }
  TRY(gateway->destinations_, upstream::find_destinations(settings.endpoints, clock.wall()));

  const auto take_over = [&](const std::string& address,
                             std::uint16_t port) -> Result<std::vector<world::Descriptor>> {
    std::vector<world::Descriptor> sockets = inherited.take_sockets(address, port);
    if (sockets.empty()) TRY_VOID(Listener::expect_free(address, port));
    return sockets;
  };
  TRY(std::vector<world::Descriptor> plain, take_over(settings.listen.address, settings.listen.port));
  std::vector<world::Descriptor> tls;
  if (settings.listen.tls) {
    TRY(tls, take_over(settings.listen.tls->address, settings.listen.tls->port));
  }

  std::vector<world::Reactor*> woken;
  for (unsigned i = 0; i < reactors; ++i) {
    gateway->cores_.push_back(std::make_unique<Core>(i, clock));
    gateway->cores_.back()->pools.set_destinations(*gateway->destinations_);
    woken.push_back(&gateway->cores_.back()->reactor);
  }
  trail::TrailOptions trail_options{.directory = settings.data_dir + "/trail", .tell = std::move(tell)};
  trail_options.inherited_lock = inherited.take_lock(trail_options.directory);
  TRY(gateway->recorder_, Recorder::open(std::move(trail_options), disk, std::move(woken)));

  gateway->port_ = settings.listen.port;
  gateway->tls_port_ = settings.listen.tls ? settings.listen.tls->port : 0;
  for (auto& core : gateway->cores_) {
    observe::Counters& counters = gateway->metrics_->reactor(core->reactor.index);
    const Journey::Parts parts{.reactor = core->reactor,
                               .fleet = gateway->fleet_,
                               .retry_budget = *gateway->retry_budget_,
                               .signing_keys = gateway->signing_keys_,
                               .transport = core->pools,
                               .recorder = *gateway->recorder_,
                               .counters = counters,
                               .seed = seed + core->reactor.index,
                               .change_profiles = change_profiles};
    core->journey = std::make_unique<Journey>(parts, snapshot);
    core->listener = std::make_unique<Listener>(core->reactor, *core->journey, counters, gateway->occupancy_);
    // With port 0 the first reactor chooses and the others follow.
    TRY(gateway->port_,
        gateway->listen(*core, settings.listen.address, gateway->port_, Listener::Speaks::plain, plain));
    if (gateway->tls_ != nullptr) {
      core->listener->use_tls(gateway->tls_);
      TRY(gateway->tls_port_,
          gateway->listen(*core, settings.listen.tls->address, gateway->tls_port_, Listener::Speaks::tls, tls));
    }
  }
  gateway->add_gauges();
  for (auto& core : gateway->cores_) core->thread = std::thread([core = core.get()] { core->reactor.io.run(); });
  return gateway;
}

/// On what was inherited, this reactor's share of it; else on a socket of its own.
Result<std::uint16_t> Gateway::listen(Core& core, const std::string& address, std::uint16_t port,
                                      Listener::Speaks speaks, std::vector<world::Descriptor>& inherited) {
  if (core.reactor.index >= inherited.size()) return core.listener->listen(address, port, speaks);
  for (std::size_t i = core.reactor.index; i < inherited.size(); i += cores_.size())
    TRY_VOID(core.listener->adopt(std::move(inherited[i]), speaks));
  return port;
}

std::vector<int> Gateway::sockets() const {
  std::vector<int> all;
  for (const auto& core : cores_) std::ranges::copy(core->listener->sockets(), std::back_inserter(all));
  return all;
}

Gateway::~Gateway() {
  if (!stopped_ && recorder_ != nullptr) drain();
}

std::shared_ptr<const Snapshot> Gateway::snapshot() const {
  const std::scoped_lock lock(mutex_);
  return snapshot_;
}

Result<std::vector<std::string>> Gateway::reload(config::Config config) {
  const std::scoped_lock one_change(changes_);
  const std::shared_ptr<const Snapshot> before = snapshot();
  std::vector<std::string> need_restart;
  const auto fixed = [&](bool same, const char* setting) {
    if (!same) need_restart.emplace_back(setting);
  };
  fixed(config.listen.address == before->config.listen.address && config.listen.port == before->config.listen.port,
        "listen");
  const auto& tls_before = before->config.listen.tls;
  fixed(config.listen.tls.has_value() == tls_before.has_value() &&
            (!tls_before ||
             (config.listen.tls->port == tls_before->port && config.listen.tls->address == tls_before->address)),
        "listen.tls");
  fixed(config.data_dir == before->config.data_dir, "data_dir");
  fixed(config.reactors == before->config.reactors, "reactors");
  fixed(config.admin.port == before->config.admin.port && config.admin.address == before->config.admin.address,
        "admin");

  TRY(const auto destinations, upstream::find_destinations(config.endpoints, clock_.wall()));
  std::shared_ptr<const world::ServerTls> tls = tls_;
  if (tls != nullptr && config.listen.tls) {
    TRY(tls, load_tls(*config.listen.tls, clock_.wall()));
  }
  TRY(auto rules, compile_rules(before->rules->epoch() + 1, kept_.rules, config, *before->rules));
  auto applications = std::make_shared<const ApplicationProfiles>(kept_.profiles, config.catalog);
  auto after = std::make_shared<const Snapshot>(std::move(config), allowances_, kept_.keys, std::move(rules),
                                                std::move(applications));
  {
    const std::scoped_lock lock(mutex_);
    snapshot_ = after;
    tls_ = tls;
    destinations_ = destinations;
  }
  // A reactor that is slow to take it keeps what it has until then.
  (void)on_each_reactor([after, destinations, tls](Core& core) {
    core.pools.set_destinations(*destinations);
    core.listener->use_tls(tls);
    core.journey->use(after);
  });
  signing_keys_.clear();  // only now: no call can bring those of before back
  return need_restart;
}

Result<void> Gateway::use_keys(std::vector<domain::IssuedKey> issued) {
  const std::scoped_lock one_change(changes_);
  kept_.keys = std::move(issued);
  const std::shared_ptr<const Snapshot> before = snapshot();
  auto in_force = put_in_force(before->config, before->rules, before->applications, "keys");
  signing_keys_.clear();  // those of a revoked key among them, now that no call can bring them back
  return in_force;
}

Result<void> Gateway::use_rules(domain::PolicyStanding standing) {
  const std::scoped_lock one_change(changes_);
  const std::shared_ptr<const Snapshot> before = snapshot();
  TRY(auto rules, compile_rules(before->rules->epoch() + 1, standing, before->config, *before->rules));
  kept_.rules = std::move(standing);
  return put_in_force(before->config, std::move(rules), before->applications, "rules");
}

Result<void> Gateway::use_profiles(const domain::ApplicationProfileList& profiles) {
  const std::scoped_lock one_change(changes_);
  kept_.profiles = profiles;
  const std::shared_ptr<const Snapshot> before = snapshot();
  auto applications = std::make_shared<const ApplicationProfiles>(profiles, before->config.catalog);
  return put_in_force(before->config, before->rules, std::move(applications), "application profiles");
}

/// With changes_ held.
Result<void> Gateway::put_in_force(config::Config config, std::shared_ptr<const policy::Rules> rules,
                                   std::shared_ptr<const ApplicationProfiles> applications, std::string_view what) {
  const auto after = std::make_shared<const Snapshot>(std::move(config), allowances_, kept_.keys, std::move(rules),
                                                      std::move(applications));
  {
    const std::scoped_lock lock(mutex_);
    snapshot_ = after;
  }
  if (on_each_reactor([after](Core& core) { core.journey->use(after); })) return {};
  return base::fail(base::Code::internal, "a reactor has not taken the changed " + std::string(what) +
                                              " within 1 s; they are in force once it has");
}

Result<void> Gateway::record(const domain::Act& act) {
  std::string json;
  {
    const std::scoped_lock lock(changes_);
    const std::shared_ptr<const Snapshot> now = snapshot();
    json = trail::act_record(act, base::uuid(random_), now->catalog.region(now->config.source_region).name);
  }
  const auto written = std::make_shared<std::promise<Result<void>>>();
  std::future<Result<void>> outcome = written->get_future();
  Core& core = *cores_.front();
  asio::co_spawn(
      core.reactor.io, recorder_->durable(std::move(json), core.reactor.index),
      [written](const std::exception_ptr&, Result<void> result) { written->set_value(std::move(result)); });
  if (outcome.wait_for(act_record_within) == std::future_status::ready) return outcome.get();
  return base::fail(base::Code::unrecordable, "the trail did not take the record within 5 s");
}

/// Waits for all, at most a second. True when all have done it.
bool Gateway::on_each_reactor(const std::function<void(Core&)>& change) {
  const auto taken = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(cores_.size()));
  for (auto& core : cores_) {
    asio::post(core->reactor.io, [core = core.get(), change, taken] {
      change(*core);
      taken->count_down();
    });
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{1};
  while (!taken->try_wait()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::microseconds{200});
  }
  return true;
}

std::int64_t Gateway::calls_in_flight() const {
  std::int64_t calls = 0;
  for (std::size_t i = 0; i < cores_.size(); ++i)
    calls += metrics_->reactor(i).calls_in_flight.load(std::memory_order_relaxed);
  return calls;
}

bool Gateway::drain() {
  stopped_ = true;
  draining_.store(true, std::memory_order_relaxed);
  for (auto& core : cores_) asio::post(core->reactor.io, [core = core.get()] { core->listener->drain(); });
  // A connection may be about to bring a call; when none is left, what was answered has left too.
  const base::Instant until = clock_.now() + snapshot()->config.deadlines.drain;
  while (occupancy_.connections.load(std::memory_order_relaxed) > 0 && clock_.now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  const std::int64_t left = calls_in_flight();
  recorder_->flush();
  for (auto& core : cores_) core->reactor.io.stop();
  for (auto& core : cores_)
    if (core->thread.joinable()) core->thread.join();
  return left == 0;
}

void Gateway::add_gauges() {
  const trail::Trail& trail = recorder_->trail();
  metrics_->add({.name = "portolan_trail_records_total",
                 .help = "Records on stable storage since the start.",
                 .labels = "",
                 .value = [&trail] { return static_cast<double>(trail.records_durable()); },
                 .counter = true});
  metrics_->add({.name = "portolan_trail_groups_total",
                 .help = "Group commits, one sync each.",
                 .labels = "",
                 .value = [&trail] { return static_cast<double>(trail.groups()); },
                 .counter = true});
  metrics_->add({.name = "portolan_trail_records_waiting",
                 .help = "Records that wait for the disk now, each holding the end of an answer.",
                 .labels = "",
                 .value = [&trail] { return static_cast<double>(trail.records_waiting()); }});
  metrics_->add({.name = "portolan_trail_broken",
                 .help = "1 when the trail refuses records and calls fail.",
                 .labels = "",
                 .value = [&trail] { return trail.broken() ? 1.0 : 0.0; }});
  metrics_->add({.name = "portolan_freezes", .help = "Freezes in force.", .labels = "", .value = [this] {
                   return static_cast<double>(snapshot()->rules->freezes().size());
                 }});
  metrics_->add({.name = "portolan_policy_version",
                 .help = "Number of the policies in force; 0 when there are none.",
                 .labels = "",
                 .value = [this] {
                   const policy::PolicyVersionPointer version = snapshot()->rules->in_force();
                   return version != nullptr ? static_cast<double>(version->number) : 0.0;
                 }});
  metrics_->add({.name = "portolan_retry_budget_tokens",
                 .help = "Retries that may be taken now.",
                 .labels = "",
                 .value = [this] { return retry_budget_->tokens(); }});
  const auto greatest = [this](auto value) {
    double most = 0;
    for (const auto& core : cores_) most = std::max(most, value(core->journey->shedder()));
    return most;
  };
  metrics_->add({.name = "portolan_queue_wait_seconds",
                 .help = "How long ready work waits for the busiest reactor: the least of its last interval.",
                 .labels = "",
                 .value = [greatest] {
                   return greatest([](const quota::Shedder& shedder) {
                     return std::chrono::duration<double>(shedder.wait()).count();
                   });
                 }});
  metrics_->add(
      {.name = "portolan_shed_level",
       .help = "Calls refused for overload: up to 1 batch, up to 2 standard, up to 3 critical.",
       .labels = "",
       .value = [greatest] { return greatest([](const quota::Shedder& shedder) { return shedder.level(); }); }});
  metrics_->add_family({.name = "portolan_certificate_expires_seconds",
                        .help = "Seconds until a certificate of this file ends: shown to callers, or trusted.",
                        .values = [this] { return certificates_expire(); }});
  for (const domain::RegionIndex region : snapshot_->reachable) {
    const std::string labels = "region=\"" + snapshot_->catalog.region(region).name + "\"";
    const auto sum = [this, region](std::atomic<std::uint64_t> upstream::PoolCounts::* count) {
      double total = 0;
      for (const auto& core : cores_)
        total += static_cast<double>((core->pools.counts(region).*count).load(std::memory_order_relaxed));
      return total;
    };
    metrics_->add({.name = "portolan_upstream_connects_total",
                   .help = "Connections opened to a Region.",
                   .labels = labels,
                   .value = [sum] { return sum(&upstream::PoolCounts::connects); },
                   .counter = true});
    metrics_->add({.name = "portolan_upstream_reuses_total",
                   .help = "Attempts on a kept connection.",
                   .labels = labels,
                   .value = [sum] { return sum(&upstream::PoolCounts::reuses); },
                   .counter = true});
    metrics_->add(
        {.name = "portolan_region_open",
         .help = "1 while the Region's breaker is open.",
         .labels = labels,
         .value = [this, region] { return fleet_.health(region).open_until > clock_.now() ? 1.0 : 0.0; }});
  }
}

std::vector<std::pair<std::string, double>> Gateway::certificates_expire() const {
  std::map<std::string, base::WallTime> ends;  // by file, each once
  const auto note = [&ends](const std::vector<world::CertificateFacts>& certificates) {
    for (const world::CertificateFacts& facts : certificates) ends.insert_or_assign(facts.file, facts.not_after);
  };
  {
    const std::scoped_lock lock(mutex_);
    if (tls_ != nullptr) note(tls_->certificates());
    for (const upstream::Destination& destination : *destinations_)
      if (destination.tls != nullptr) note(destination.tls->certificates());
  }
  std::vector<std::pair<std::string, double>> values;
  for (const auto& [file, not_after] : ends)
    values.emplace_back(observe::label("certificate", file),
                        static_cast<double>(std::chrono::floor<base::seconds>(not_after - clock_.wall()).count()));
  return values;
}

std::string Gateway::metrics() const {
  return metrics_->scrape(snapshot()->catalog);
}

std::string Gateway::regions_json() const {
  const std::shared_ptr<const Snapshot> now_serving = snapshot();
  const base::Instant now = clock_.now();
  nlohmann::ordered_json regions = nlohmann::ordered_json::array();
  for (const domain::RegionIndex region : now_serving->reachable) {
    const route::Health health = fleet_.health(region);
    nlohmann::ordered_json entry{{"region", now_serving->catalog.region(region).name},
                                 {"endpoint", now_serving->hosts[region]},
                                 {"in_flight", health.in_flight},
                                 {"failures_in_a_row", health.failures_in_a_row},
                                 {"open", health.open_until > now},
                                 {"cooling", health.cooling_until > now}};
    if (health.measured) entry["first_token_ms"] = health.first_token_ms;
    regions.push_back(std::move(entry));
  }
  return regions.dump();
}

}  // namespace portolan::gateway
