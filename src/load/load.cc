// SPDX-License-Identifier: Apache-2.0
#include "load/load.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <time.h>
#include <utility>
#include <vector>

#include "load/answer.h"
#include "load/request.h"
#include "world/clock.h"
#include "world/conduit.h"
#include "world/reactor.h"

namespace portolan::load {
namespace {

using base::Code;
using base::Duration;
using base::Instant;
using world::ErrorCode;
using world::Task;

/// Calls that are taken up before the answers of others get a turn.
constexpr unsigned batch = 64;
/// Kinds of errors and names of Regions in a report; what is beyond is counted together.
constexpr std::size_t rows_max = 100;
constexpr std::size_t waiting_max = 1'000'000;
constexpr Duration lag_tolerated = std::chrono::milliseconds{5};
constexpr double cpu_share_tolerated = 0.95;

bool streams(const LoadOptions& options) {
  return options.stream || options.operation == domain::Operation::converse_stream ||
         options.operation == domain::Operation::invoke_model_stream;
}

base::Result<void> check(const LoadOptions& o) {
  const auto refuse = [](std::string message) { return base::fail(Code::usage, std::move(message)); };
  if (!domain::runs_model(o.operation)) return refuse("operation: only those that run a model can be generated");
  if (o.stream && !streams({.operation = o.operation}) && o.operation != domain::Operation::chat_completions)
    return refuse("stream: this operation has no stream; name the one that has, or ChatCompletions");
  if (o.model.empty()) return refuse("model: name a model or an inference profile");
  const bool signs = !o.access_key_id.empty() || !o.secret_access_key.empty();
  if (signs == !o.api_key.empty()) return refuse("credentials: give either an access key pair or an API key");
  if (signs && (o.access_key_id.empty() || o.secret_access_key.empty() || o.source_region.empty()))
    return refuse("credentials: signing needs an access key id, its secret and a source Region");
  if ((o.rate_per_s > 0) == (o.concurrency > 0))
    return refuse("give either a rate (open loop) or a concurrency (closed)");
  if (!(o.rate_per_s >= 0 && o.rate_per_s <= 1e6)) return refuse("rate: at most 1,000,000 calls a second");
  if (o.concurrency > 50'000) return refuse("concurrency: at most 50,000");
  if (o.duration <= Duration{} && o.calls == 0) return refuse("give a duration, a number of calls, or both");
  if (o.duration > std::chrono::hours{24 * 7}) return refuse("duration: at most 7 days");
  if (o.request_bytes > 20'000'000) return refuse("request size: at most 20,000,000 bytes");
  if (o.output_tokens == 0) return refuse("output tokens: at least 1");
  if (o.connections_max == 0) return refuse("connections: at least 1");
  for (const Duration limit : {o.connect_timeout, o.wait_timeout, o.call_timeout})
    if (limit <= Duration{}) return refuse("timeouts must be longer than zero");
  return {};
}

/// CPU that this thread has used. Not a time that anything waits for: a figure about the generator itself.
Duration thread_cpu() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}

void count_row(std::map<std::string, std::uint64_t>& rows, const std::string& name) {
  const bool full = rows.size() >= rows_max && !rows.contains(name);
  ++rows[full ? "other" : name];
}

class Generator {
 public:
  Generator(const LoadOptions& options, const Address& address, const world::Tcp::endpoint& endpoint)
      : options_(options), endpoint_(endpoint), maker_(options, address) {}

  LoadReport run();

 private:
  /// One caller: a connection, and the call it is busy with.
  struct Caller {
    explicit Caller(const world::Executor& executor) : wake(executor) {}
    std::unique_ptr<world::Conduit> conduit;
    world::Signal wake;
    std::optional<Instant> intended;  // of the call to make next
    bool waited = false;              // that call had to wait for a connection
    std::array<char, 16 * 1024> buffer;
  };
  /// How far a call came.
  struct Timing {
    Instant first_byte{};
    Instant last_arrival{};
    observe::Histogram* gaps = nullptr;
  };

  void start(Task<void> task);
  Task<void> pace();
  void dispatch(Instant intended);
  Task<void> serve(Caller& caller);
  Task<void> repeat(Caller& caller);
  Task<void> report_progress();

  Task<void> call(Caller& caller, Instant intended);
  Task<bool> connect(Caller& caller);
  Task<std::string> exchange(Caller& caller, Instant intended, Answer& answer, Timing& timing);
  void arrived(const Answer& answer, std::uint64_t payload_before, Timing& timing);
  void count(const Answer& answer, const std::string& problem, Instant intended, const Timing& timing);

  bool time_is_up(Instant now) const { return options_.duration > Duration{} && now - start_ >= options_.duration; }
  bool enough() const { return stopping_ || (options_.calls != 0 && report_.sent >= options_.calls); }
  Instant now() const { return clock_.now(); }
  LoadReport finish(Duration cpu);

  const LoadOptions& options_;
  world::RealClock clock_;
  world::Reactor reactor_{0, clock_};
  world::Tcp::endpoint endpoint_;
  RequestMaker maker_;

  std::vector<std::unique_ptr<Caller>> callers_;
  std::vector<Caller*> idle_;
  std::deque<Instant> waiting_;  // open loop: calls that are due and have no connection
  bool all_sent_ = false;
  bool stopping_ = false;
  std::uint64_t under_way_ = 0;

  Instant start_{};
  Instant last_end_{};
  LoadReport report_;
  observe::Histogram first_byte_, gap_, total_, lag_, waited_;
};

void Generator::start(Task<void> task) {
  world::asio::co_spawn(reactor_.io.get_executor(), std::move(task), [](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
  });
}

LoadReport Generator::run() {
  start_ = last_end_ = now();
  const Duration cpu_before = thread_cpu();
  if (options_.rate_per_s > 0) {
    start(pace());
  } else {
    all_sent_ = true;  // nobody hands out calls: each caller takes its own
    for (std::uint32_t i = 0; i < options_.concurrency; ++i) {
      callers_.push_back(std::make_unique<Caller>(reactor_.io.get_executor()));
      ++under_way_;
      start(repeat(*callers_.back()));
    }
  }
  if (options_.on_progress) start(report_progress());
  reactor_.io.run();
  return finish(thread_cpu() - cpu_before);
}

/// Open loop: the schedule. Call n is due at start + n / rate, whatever became of those before it.
Task<void> Generator::pace() {
  std::uint64_t planned = options_.calls == 0 ? UINT64_MAX : options_.calls;
  if (options_.duration > Duration{}) {
    const double in_time = std::max(1.0, options_.rate_per_s * base::to_ms(options_.duration) / 1000);
    planned = std::min(planned, static_cast<std::uint64_t>(in_time));
  }
  const double interval_ns = 1e9 / options_.rate_per_s;
  const auto due = [&](std::uint64_t n) {
    return start_ + Duration{static_cast<std::int64_t>(static_cast<double>(n) * interval_ns)};
  };
  std::uint64_t n = 0;
  while (n < planned && !stopping_) {
    const Instant at = now();
    for (unsigned taken = 0; taken < batch && n < planned && due(n) <= at; ++taken) dispatch(due(n++));
    if (n == planned) break;
    // Also when the next is already due: the answers of others get their turn.
    co_await world::sleep_for(std::max(due(n) - now(), Duration{}), clock_);
  }
  if (stopping_) {  // what still waits for a connection was never sent
    report_.sent -= waiting_.size();
    under_way_ -= waiting_.size();
    waiting_.clear();
  }
  all_sent_ = true;
  for (Caller* caller : idle_) caller->wake.set();
}

void Generator::dispatch(Instant intended) {
  ++report_.sent;
  ++under_way_;
  if (!idle_.empty()) {
    Caller* caller = idle_.back();  // the one used last: its connection is least likely to have been closed
    idle_.pop_back();
    caller->intended = intended;
    caller->wake.set();
    return;
  }
  if (callers_.size() < options_.connections_max) {
    callers_.push_back(std::make_unique<Caller>(reactor_.io.get_executor()));
    callers_.back()->intended = intended;
    start(serve(*callers_.back()));
    return;
  }
  if (waiting_.size() < waiting_max) {
    waiting_.push_back(intended);
    return;
  }
  --under_way_;
  ++report_.failed;
  count_row(report_.errors, "never sent: no connection became free");
}

/// A caller of the open loop: makes the call it was given, then one that waits, else sits idle.
Task<void> Generator::serve(Caller& caller) {
  for (;;) {
    if (caller.intended) {
      const Instant intended = *caller.intended;
      caller.intended.reset();
      (caller.waited ? waited_ : lag_).record(now() - intended);
      co_await call(caller, intended);
      --under_way_;
    }
    caller.waited = !waiting_.empty();
    if (caller.waited) {
      caller.intended = waiting_.front();
      waiting_.pop_front();
      continue;
    }
    if (all_sent_) break;
    idle_.push_back(&caller);
    co_await caller.wake.wait();
    if (!caller.intended && all_sent_) break;
  }
  caller.conduit.reset();
}

/// A caller of the closed loop.
Task<void> Generator::repeat(Caller& caller) {
  while (!enough() && !time_is_up(now())) {
    ++report_.sent;
    const Instant intended = now();
    co_await call(caller, intended);
  }
  --under_way_;
  caller.conduit.reset();
}

Task<void> Generator::report_progress() {
  constexpr Duration look = std::chrono::milliseconds{50};
  Instant said = start_;
  while (!all_sent_ || under_way_ > 0) {
    co_await world::sleep_for(look, clock_);
    if (now() - said < std::chrono::seconds{1}) continue;
    said = now();
    const bool go_on = options_.on_progress({.elapsed = said - start_,
                                             .sent = report_.sent,
                                             .complete = report_.complete,
                                             .failed = report_.failed + report_.truncated});
    if (!go_on) stopping_ = true;
  }
}

Task<void> Generator::call(Caller& caller, Instant intended) {
  Answer answer{options_.operation, streams(options_)};
  Timing timing{.gaps = streams(options_) ? &gap_ : nullptr};
  const std::string problem = co_await exchange(caller, intended, answer, timing);
  if (caller.conduit != nullptr && (!problem.empty() || !answer.ended() || !answer.keep_alive()))
    caller.conduit.reset();
  count(answer, problem, intended, timing);
}

Task<bool> Generator::connect(Caller& caller) {
  ++report_.connections_opened;
  caller.conduit = std::make_unique<world::Conduit>(reactor_, world::Socket{reactor_.io});
  caller.conduit->give_up_at(now() + options_.connect_timeout);
  ErrorCode error;
  co_await caller.conduit->socket().async_connect(endpoint_, world::into(error));
  if (!error) caller.conduit->prepare();
  co_return !error;
}

/// Sends the request and reads the answer to its end. Returns what went wrong on the way, or nothing.
Task<std::string> Generator::exchange(Caller& caller, Instant intended, Answer& answer, Timing& timing) {
  if (caller.conduit == nullptr || !caller.conduit->is_quiet()) {
    const bool connected = co_await connect(caller);
    if (!connected) co_return caller.conduit->timed_out() ? "connect timeout" : "connect refused";
  }
  world::Conduit& conduit = *caller.conduit;
  const Instant give_up = std::max(intended, now()) + options_.call_timeout;
  const std::shared_ptr<const std::string> request = maker_.request(clock_.wall());
  ErrorCode error;
  conduit.give_up_at(std::min(now() + options_.wait_timeout, give_up));
  const bool sent = co_await conduit.write(*request, error);
  if (!sent) co_return conduit.timed_out() ? "request not taken in time" : "connection cut while sending";

  while (!answer.ended()) {
    conduit.give_up_at(std::min(now() + options_.wait_timeout, give_up));
    const std::size_t size = co_await conduit.read_some(world::asio::buffer(caller.buffer), error);
    if (error) {
      if (!conduit.timed_out()) answer.end_of_input();
      if (answer.ended()) break;
      if (conduit.timed_out()) co_return answer.has_head() ? "stalled mid-answer" : "no answer in time";
      co_return answer.has_head() ? "connection cut mid-answer" : "connection closed before an answer";
    }
    report_.bytes_received += size;
    const std::uint64_t payload_before = answer.payload_bytes();
    const base::Result<void> taken = answer.take({caller.buffer.data(), size});
    arrived(answer, payload_before, timing);
    if (!taken) co_return "malformed answer";
  }
  conduit.no_deadline();
  co_return "";
}

/// Of a whole answer the first byte counts, of a stream the first byte of an event: the head may come long before.
void Generator::arrived(const Answer& answer, std::uint64_t payload_before, Timing& timing) {
  const bool payload = answer.payload_bytes() > payload_before;
  if (timing.gaps != nullptr && !payload) return;
  const Instant at = now();
  if (timing.first_byte == Instant{})
    timing.first_byte = at;
  else if (timing.gaps != nullptr && answer.status() == 200)
    timing.gaps->record(at - timing.last_arrival);
  timing.last_arrival = at;
}

void Generator::count(const Answer& answer, const std::string& problem, Instant intended, const Timing& timing) {
  last_end_ = std::max(last_end_, now());
  const bool began = answer.has_head() && answer.status() == 200;
  if (problem.empty() && began && answer.complete()) {
    ++report_.complete;
    count_row(report_.regions, answer.region().empty() ? "unnamed" : std::string{answer.region()});
    first_byte_.record(timing.first_byte - intended);
    total_.record(now() - intended);
    return;
  }
  // A stream that says by a typed exception that it failed is honest: it failed, it was not truncated.
  const bool truncated = began && answer.exception().empty() && problem != "malformed answer";
  ++(truncated ? report_.truncated : report_.failed);
  if (!problem.empty())
    count_row(report_.errors, problem);
  else if (!began)
    count_row(report_.errors, fmt::format("HTTP {} {}", answer.status(), answer.error_type()));
  else if (!answer.exception().empty())
    count_row(report_.errors, fmt::format("stream exception {}", answer.exception()));
  else
    count_row(report_.errors, "stream ended without its last event");
}

LoadReport Generator::finish(Duration cpu) {
  report_.operation = options_.operation;
  report_.stream = streams(options_);
  report_.open_loop = options_.rate_per_s > 0;
  report_.rate_asked_per_s = options_.rate_per_s;
  report_.concurrency = options_.concurrency;
  report_.elapsed = last_end_ - start_;
  const double elapsed_s = std::max(base::to_ms(report_.elapsed) / 1000, 1e-9);
  report_.rate_achieved_per_s = static_cast<double>(report_.complete) / elapsed_s;
  report_.first_byte = Times::of(first_byte_);
  report_.gap = Times::of(gap_);
  report_.total = Times::of(total_);
  report_.lag = Times::of(lag_);
  report_.waited_for_connection = Times::of(waited_);
  report_.cpu_share = base::to_ms(cpu) / 1000 / elapsed_s;
  report_.generator_limited = report_.cpu_share > cpu_share_tolerated || report_.lag.p99 > lag_tolerated;
  return std::move(report_);
}

base::Result<world::Tcp::endpoint> resolve(const Address& address) {
  world::asio::io_context io;
  world::asio::ip::basic_resolver<world::Tcp, world::Executor> resolver{io};
  ErrorCode error;
  const auto found = resolver.resolve(address.host, address.port, error);
  if (error || found.empty())
    return base::fail(Code::unreachable, fmt::format("{}: {}", address.authority, error.message()));
  return found.begin()->endpoint();
}

/// Owns its connection, so that nothing keeps the reactor running when it is done.
Task<void> connect_once(world::Reactor& reactor, world::Tcp::endpoint endpoint, Duration timeout,
                        std::string& problem) {
  world::Conduit conduit{reactor, world::Socket{reactor.io}};
  conduit.give_up_at(reactor.clock.now() + timeout);
  ErrorCode error;
  co_await conduit.socket().async_connect(endpoint, world::into(error));
  if (error) problem = conduit.timed_out() ? "no answer to a connection" : error.message();
}

base::Result<void> look(const world::Tcp::endpoint& endpoint, const Address& address, Duration timeout) {
  const world::RealClock clock;
  world::Reactor reactor{0, clock};
  std::string problem;
  world::asio::co_spawn(reactor.io.get_executor(), connect_once(reactor, endpoint, timeout, problem),
                        world::asio::detached);
  reactor.io.run();
  if (problem.empty()) return {};
  return base::fail(Code::unreachable, fmt::format("{}: {}; is it running?", address.authority, problem));
}

}  // namespace

base::Result<LoadReport> run(const LoadOptions& options) {
  TRY_VOID(check(options));
  TRY(const Address address, read_address(options.url));

  TRY(const world::Tcp::endpoint endpoint, resolve(address));
  // One look before the schedule starts: ten thousand refused calls would say no more than one.
  TRY_VOID(look(endpoint, address, options.connect_timeout));
  Generator generator{options, address, endpoint};
  return generator.run();
}

}  // namespace portolan::load
