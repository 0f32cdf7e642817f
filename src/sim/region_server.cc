// SPDX-License-Identifier: Apache-2.0
#include "sim/region_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <sys/socket.h>

namespace portolan::sim {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
// Lets the placeholder and the listener change places without the address ever being free.
using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr std::array<std::string_view, 9> profile_prefixes = {"us", "us-gov", "eu", "apac",  "au",
                                                              "jp", "ca",     "in", "global"};
constexpr std::size_t connections_max = 10'000;

base::Error network_error(const tcp::endpoint& endpoint, std::string_view what, const error_code& failure) {
  return base::error(base::Code::network,
                     fmt::format("{}:{}: cannot {}: {}; is the address in use by another sandbox?",
                                 endpoint.address().to_string(), endpoint.port(), what, failure.message()));
}

}  // namespace

RegionServer::RegionServer(asio::io_context& io, RegionServerOptions options, const world::Clock& clock)
    : io_(io),
      options_(std::move(options)),
      clock_(clock),
      model_(options_.traits),
      auth_(options_.traits.region, options_.access_key_id, options_.secret_access_key),
      faults_(answer_key(options_.traits.region, "faults", options_.traits.seed)),
      random_(answer_key(options_.traits.region, "requests", options_.traits.seed)),
      acceptor_(io),
      placeholder_(io),
      accept_pause_(io) {
  reset_counts();
}

void RegionServer::reset_counts() {
  counts_.reset();
  for (const OfferedModel& model : model_.traits().models) counts_.models.try_emplace(model.id);
}

base::Result<void> RegionServer::listen(const std::string& address, std::uint16_t port) {
  error_code failure;
  endpoint_ = {asio::ip::make_address(address, failure), port};
  if (failure) return base::fail(base::Code::network, fmt::format("'{}' is not an IP address", address));
  if (port != 0) {
    // With SO_REUSEPORT a second sandbox could share the port and take half of the connections: ask without it
    // first.
    tcp::acceptor probe(io_);
    probe.open(endpoint_.protocol());
    probe.set_option(tcp::acceptor::reuse_address(true));
    if (probe.bind(endpoint_, failure); !failure) probe.listen(1, failure);
    if (failure) return base::fail(network_error(endpoint_, "listen", failure));
  }
  return open_listener();
}

base::Result<void> RegionServer::open_listener() {
  error_code failure;
  acceptor_.open(endpoint_.protocol(), failure);
  if (!failure) acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor_.set_option(reuse_port(true), failure);
  if (!failure) acceptor_.bind(endpoint_, failure);
  if (!failure) acceptor_.listen(4096, failure);
  if (failure) {
    error_code ignored;
    acceptor_.close(ignored);
    return base::fail(network_error(endpoint_, "listen", failure));
  }
  endpoint_ = acceptor_.local_endpoint();
  accept();
  return {};
}

void RegionServer::accept() {
  acceptor_.async_accept([this](error_code failure, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (failure) {
      // Out of descriptors, most likely: try again when some may be free.
      accept_pause_.expires_after(std::chrono::milliseconds{50});
      accept_pause_.async_wait([this](error_code cancelled) {
        if (!cancelled && acceptor_.is_open()) accept();
      });
      return;
    }
    ++counts_.connections_accepted;
    if (connections_.size() < connections_max) {
      ++counts_.connections_open;
      const auto connection = std::make_shared<RegionConnection>(std::move(socket), *this, options_.tls.get());
      connections_.emplace(connection.get(), connection);
      connection->start(faults_.silences_all());
    }
    accept();
  });
}

void RegionServer::forget(RegionConnection& connection) {
  if (connections_.erase(&connection) != 0) --counts_.connections_open;
}

void RegionServer::stop() {
  stopped_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  placeholder_.close(ignored);
  accept_pause_.cancel();
  expiries_.clear();
  const auto open = connections_;
  for (const auto& [pointer, connection] : open)
    if (const auto alive = connection.lock()) alive->reset();
}

base::Result<void> RegionServer::put_fault(const Fault& fault) {
  const std::uint64_t id = faults_.put(fault);
  if (fault.duration > base::Duration::zero()) expire_fault(id, fault.duration);
  return apply_faults();
}

base::Result<void> RegionServer::clear_faults() {
  faults_.clear();
  expiries_.clear();
  return apply_faults();
}

void RegionServer::expire_fault(std::uint64_t id, base::Duration after) {
  std::erase_if(expiries_, [](const auto& timer) { return timer->expiry() <= std::chrono::steady_clock::now(); });
  auto& timer = expiries_.emplace_back(std::make_unique<asio::steady_timer>(io_));
  timer->expires_after(after);
  timer->async_wait([this, id](error_code cancelled) {
    // Listening again can only fail when the machine is out of sockets; clear() reports it.
    if (!cancelled && faults_.remove(id)) (void)apply_faults();
  });
}

base::Result<void> RegionServer::apply_faults() {
  if (stopped_) return {};
  const auto open = connections_;
  if (faults_.refuses_all()) {
    error_code failure;
    if (acceptor_.is_open()) {
      placeholder_.open(endpoint_.protocol(), failure);
      if (!failure) placeholder_.set_option(tcp::socket::reuse_address(true), failure);
      if (!failure) placeholder_.set_option(reuse_port(true), failure);
      if (!failure) placeholder_.bind(endpoint_, failure);
      if (failure) return base::fail(network_error(endpoint_, "hold the address", failure));
      acceptor_.close(failure);
    }
    for (const auto& [pointer, connection] : open)
      if (const auto alive = connection.lock()) alive->reset();
    return {};
  }
  for (const auto& [pointer, connection] : open)
    if (const auto alive = connection.lock()) alive->set_silent(faults_.silences_all());
  if (acceptor_.is_open()) return {};
  TRY_VOID(open_listener());
  error_code ignored;
  placeholder_.close(ignored);
  return {};
}

std::string RegionServer::resolve_model(const std::string& id) const {
  std::string_view name = id;
  if (name.starts_with("arn:")) name.remove_prefix(name.rfind('/') + 1);
  if (const domain::Profile* profile = options_.catalog->find_profile(name)) return profile->model->id;
  const std::size_t dot = name.find('.');
  if (dot != std::string_view::npos &&
      std::ranges::find(profile_prefixes, name.substr(0, dot)) != profile_prefixes.end() &&
      options_.catalog->find_model(name.substr(dot + 1)) != nullptr)
    name.remove_prefix(dot + 1);
  return std::string(name);
}

std::shared_ptr<Exchange> RegionServer::start_exchange(ReplyChannel& channel, std::string_view operation,
                                                       std::shared_ptr<Exchange>& slot) {
  slot = std::make_shared<Exchange>(io_.get_executor(), RegionParts{clock_, model_, counts_}, channel,
                                    std::string(operation), base::uuid(random_));
  return slot;
}

void RegionServer::begin(RegionRequest request, ReplyChannel& channel, std::shared_ptr<Exchange>& slot) {
  const std::optional<RegionTarget> target = parse_region_target(request.target);
  const std::string_view operation = target ? name(target->operation) : "?";
  const std::string model = target ? resolve_model(target->model) : "";
  FaultPlan plan = faults_.draw(model);
  if (plan.reset || plan.silent) {
    counts_.count(operation, plan.reset ? "reset" : "dropped");
    if (plan.reset) channel.reset();
    return;
  }
  const auto exchange = start_exchange(channel, operation, slot);
  const auto refuse = [&](Refusal refusal) {
    exchange->refuse(std::move(refusal),
                     base::from_ms(base::to_ms(model_.round_trip(request.new_connection)) * plan.slow));
  };
  if (auto refusal = auth_.check(request, clock_.wall())) return refuse(*std::move(refusal));
  if (!target) return refuse({404, "UnknownOperationException", "This Region has no such operation."});
  if (request.method != "POST")
    return refuse({405, "UnknownOperationException", "This operation is called with POST."});
  if (auto known = counts_.models.find(model); known != counts_.models.end()) ++known->second.requests;
  if (plan.refusal) return refuse(*std::move(plan.refusal));
  const domain::Model* in_catalog = options_.catalog->find_model(model);
  if (in_catalog == nullptr)
    return refuse({400, "ValidationException", "The provided model identifier is invalid."});
  const bool invokes =
      target->operation == RegionOperation::invoke || target->operation == RegionOperation::invoke_stream;
  if (invokes && in_catalog->body_dialect != "anthropic")
    return refuse(
        {400, "ValidationException",
         "A sandbox Region reads InvokeModel bodies of Anthropic models only; use Converse for this model."});

  auto question = read_question(target->operation, request.body);
  if (!question) return refuse(std::move(question).error());
  auto generation = model_.admit({.account = options_.account_id,
                                  .model = model,
                                  .prompt = question->prompt,
                                  .input_tokens = question->input_tokens,
                                  .output_tokens_max = question->output_tokens_max,
                                  .new_connection = request.new_connection},
                                 clock_.now());
  if (!generation) return refuse(std::move(generation).error());
  counts_.models.find(model)->second.input_tokens += question->input_tokens;
  exchange->answer(target->operation, *std::move(generation), std::move(plan));
}

void RegionServer::begin_oversized(const RegionRequest& request, ReplyChannel& channel,
                                   std::shared_ptr<Exchange>& slot) {
  const std::optional<RegionTarget> target = parse_region_target(request.target);
  start_exchange(channel, target ? name(target->operation) : "?", slot)
      ->refuse({413, "ValidationException", "The request body is larger than 25000000 bytes."},
               model_.round_trip(request.new_connection));
}

std::string RegionServer::http_date() const {
  constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto now = std::chrono::floor<std::chrono::seconds>(clock_.wall());
  const auto midnight = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date{midnight};
  const std::chrono::hh_mm_ss time{now - midnight};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", days[std::chrono::weekday{midnight}.c_encoding()],
                     unsigned{date.day()}, months[unsigned{date.month()} - 1], int{date.year()},
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

}  // namespace portolan::sim
