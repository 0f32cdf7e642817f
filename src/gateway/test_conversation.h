// SPDX-License-Identifier: Apache-2.0
// For tests: a conversation is a configuration, a request as text, Regions that follow a script, and what came of
// it: the answer and the record. The whole journey runs, without a socket and without waiting.
#pragma once

#include <condition_variable>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "gateway/journey.h"
#include "gateway/test_regions.h"
#include "sim/crash_disk.h"
#include "trail/lookup.h"

namespace portolan::gateway::testing {

using Json = nlohmann::json;

inline constexpr std::string_view sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Time that passes only when somebody sleeps, and then at once.
class SleepersClock final : public world::Clock {
 public:
  base::Instant now() const override { return now_; }
  base::WallTime wall() const override {
    return base::WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}} +
           std::chrono::floor<base::microseconds>(now_.time_since_epoch());
  }
  base::Duration to_real(base::Duration world) const override {
    if (world > base::Duration{}) now_ += world;
    return base::Duration{std::max<std::int64_t>(world.count() / 1'000'000, 1)};
  }
  void pass(base::Duration span) { now_ += span; }

 private:
  mutable base::Instant now_{std::chrono::hours{1}};
};

/// A disk whose syncs can be made to wait.
class GatedDisk final : public world::Disk {
 public:
  GatedDisk() : disk_(1) {}
  sim::CrashDisk& disk() { return disk_; }

  void close_gate() {
    const std::scoped_lock lock(mutex_);
    open_ = false;
  }
  void open_gate() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool somebody_waits() {
    const std::scoped_lock lock(mutex_);
    return waiting_ > 0;
  }

  base::Result<void> make_directory(const std::string& path) override { return disk_.make_directory(path); }
  base::Result<std::unique_ptr<world::File>> open(const std::string& path) override {
    TRY(auto file, disk_.open(path));
    return std::make_unique<GatedFile>(*this, std::move(file));
  }
  base::Result<std::unique_ptr<world::File>> open_existing(const std::string& path) override {
    return disk_.open_existing(path);
  }
  base::Result<std::vector<std::string>> list(const std::string& directory) override {
    return disk_.list(directory);
  }
  base::Result<void> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  base::Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  base::Result<void> sync_directory(const std::string& directory) override {
    return disk_.sync_directory(directory);
  }
  base::Result<std::unique_ptr<world::DirectoryLock>> lock(const std::string& directory) override {
    return disk_.lock(directory);
  }

 private:
  class GatedFile final : public world::File {
   public:
    GatedFile(GatedDisk& gate, std::unique_ptr<world::File> file) : gate_(gate), file_(std::move(file)) {}
    base::Result<void> append(std::string_view bytes) override { return file_->append(bytes); }
    base::Result<void> sync() override {
      gate_.pass();
      return file_->sync();
    }
    base::Result<std::string> read(std::uint64_t offset, std::size_t size) override {
      return file_->read(offset, size);
    }
    base::Result<std::uint64_t> size() override { return file_->size(); }
    base::Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }

   private:
    GatedDisk& gate_;
    std::unique_ptr<world::File> file_;
  };

  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }

  sim::CrashDisk disk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

/// What the caller got.
struct Answer final : ReplySink {
  int status = 0;
  bool close = false;
  std::map<std::string, std::string> fields;
  std::string body;
  bool streamed = false;
  bool whole = false;  // the end came
  std::vector<std::string> pieces;
  std::size_t leaves_after_pieces = SIZE_MAX;  // the caller goes away once it has seen that many
  bool left = false;

  std::string field(const std::string& name) const { return fields.contains(name) ? fields.at(name) : ""; }
  Json json() const { return Json::parse(body, nullptr, false); }
  std::string message() const { return json().value("message", ""); }

  world::Task<bool> send(const ReplyHead& head, std::string_view bytes) override {
    take_head(head);
    body = bytes;
    whole = true;
    co_return true;
  }
  world::Task<bool> begin(const ReplyHead& head, std::string_view bytes) override {
    take_head(head);
    streamed = true;
    co_return take(bytes);
  }
  world::Task<bool> piece(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    co_return take(bytes);
  }
  world::Task<bool> end(std::string_view bytes) override {
    EXPECT_TRUE(streamed);
    whole = true;
    co_return take(bytes);
  }
  bool gone() const override { return left; }
  void waits_on(upstream::Flow* exchange) override { waits_on_ = exchange; }
  /// The caller goes away, and its connection notices.
  void leave() {
    left = true;
    if (waits_on_ != nullptr) waits_on_->abandon();
  }

 private:
  void take_head(const ReplyHead& head) {
    EXPECT_EQ(status, 0) << "a second answer";
    status = head.status;
    close = head.close;
    for (const wire::Header& field : head) {
      EXPECT_FALSE(fields.contains(std::string(field.name))) << field.name << " twice";
      fields[std::string(field.name)] = field.value;
    }
  }
  bool take(std::string_view bytes) {
    EXPECT_NE(status, 0);
    if (!bytes.empty()) pieces.emplace_back(bytes);
    body += bytes;
    left = left || pieces.size() >= leaves_after_pieces;
    return !left;
  }
  upstream::Flow* waits_on_ = nullptr;
};

inline std::string post(std::string_view target, std::string_view body, std::string_view key = "alice-key",
                        std::string_view more_fields = "") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nhost: gateway.test\r\ncontent-type: application/json\r\n" +
         "authorization: Bearer " + std::string(key) + "\r\n" + std::string(more_fields) +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline std::string get(std::string_view target, std::string_view method = "GET") {
  return std::string(method) + " " + std::string(target) +
         " HTTP/1.1\r\nhost: gateway.test\r\nauthorization: Bearer alice-key\r\n\r\n";
}
/// input: "Say hello." and at most 100 tokens back.
inline constexpr std::string_view say_hello =
    R"({"messages":[{"role":"user","content":[{"text":"Say hello."}]}],"inferenceConfig":{"maxTokens":100}})";
inline std::string converse(std::string_view model = sonnet, std::string_view key = "alice-key") {
  return post("/model/" + std::string(model) + "/converse", say_hello, key);
}
inline std::string converse_stream(std::string_view key = "alice-key") {
  return post("/model/" + std::string(sonnet) + "/converse-stream", say_hello, key);
}
inline std::string chat(bool stream) {
  return post("/v1/chat/completions", R"({"model":")" + std::string(sonnet) +
                                          R"(","messages":[{"role":"user","content":"Say hello."}],)" +
                                          R"("max_tokens":100,"stream":)" + (stream ? "true" : "false") + "}");
}

/// Secrets are inline in a `dev` configuration.
class NoSecrets final : public config::Secrets {
 public:
  std::optional<base::Secret> environment(const std::string&) const override { return std::nullopt; }
  base::Result<base::Secret> file(const std::string&) const override {
    return base::fail(base::Code::disk, "there are no files");
  }
  base::Result<base::Secret> command(const std::vector<std::string>&) const override {
    return base::fail(base::Code::disk, "there are no programs");
  }
};

/// Three Regions of the US and one of the EU; alice may all, nora only models of Amazon, otto 3 requests and 1,000
/// tokens a minute. `more` is YAML that comes before.
inline config::Config test_configuration(std::string_view more = "") {
  const auto hash = [](std::string_view key) { return base::to_hex(base::sha256(key)); };
  const std::string yaml = std::string(more) + R"(
dev: true
data_dir: data
source_region: us-east-1
account: {name: main, account_id: "111122223333", access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: inline}
regions:
  us-east-1: {endpoint: "http://127.77.0.1:9001"}
  us-east-2: {endpoint: "http://127.77.0.2:9001"}
  us-west-2: {endpoint: "http://127.77.0.3:9001"}
tenants:
  - {name: open, account_id: "222233334444", keys: [{name: alice, api_key_sha256: )" +
                           hash("alice-key") + R"(}]}
  - {name: narrow, account_id: "222233335555", profiles: ["us.amazon.*"], keys: [{name: nora, api_key_sha256: )" +
                           hash("nora-key") + R"(}]}
  - name: metered
    account_id: "222233336666"
    quota: {requests_per_minute: 3, tokens_per_minute: 1000}
    keys: [{name: otto, api_key_sha256: )" +
                           hash("otto-key") + "}]\n";
  config::Loaded loaded = config::load(yaml, "test.yaml", NoSecrets{});
  for (const config::Mistake& mistake : loaded.mistakes) ADD_FAILURE() << mistake.text();
  if (!loaded.config) std::abort();
  return std::move(*loaded.config);
}

/// What one Journey works with: a clock, a disk in memory, one reactor, Regions that follow a script.
template <class Clock>
class Ground {
 public:
  explicit Ground(std::string_view more_configuration)
      : snapshot(std::make_shared<const Snapshot>(test_configuration(more_configuration), allowances)),
        regions(snapshot->catalog, clock),
        retry_budget(snapshot->config.retry.budget_percent),
        recorder(Recorder::open({.directory = "data/trail"}, disk, {&reactor}).value()),
        journey(
            {.reactor = reactor,
             .fleet = fleet,
             .retry_budget = retry_budget,
             .signing_keys = signing_keys,
             .transport = regions,
             .recorder = *recorder,
             .counters = counters,
             .seed = 7,
             .change_profiles = [this](domain::ProfileOrder order,
                                       ProfileDone done) { change_profiles(std::move(order), std::move(done)); }},
            snapshot) {}
  // The writer wakes the reactor: it goes first.
  ~Ground() { recorder.reset(); }
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  Clock clock;
  GatedDisk disk;
  quota::Allowances allowances;
  std::shared_ptr<const Snapshot> snapshot;
  ScriptedRegions regions;
  route::Fleet fleet;
  route::RetryBudget retry_budget;
  identity::SigningKeys signing_keys;
  observe::Counters counters;
  ProfileDoor change_profiles = [](const domain::ProfileOrder&, ProfileDone done) {
    done(base::fail(base::Code::internal, "this test changes no profiles"));
  };
  // Calls that a test leaves in flight end with the reactor, and let go of what stands above.
  world::Reactor reactor{0, clock};
  world::asio::executor_work_guard<world::Executor> work{reactor.io.get_executor()};
  std::unique_ptr<Recorder> recorder;
  Journey journey;
};

class Conversation : public Ground<SleepersClock> {
 public:
  explicit Conversation(std::string_view more_configuration = "") : Ground(more_configuration) {}

  Conversation& region(std::string_view name, std::vector<Act> acts) {
    regions.script(name, std::move(acts));
    return *this;
  }
  Conversation& every_region(const Act& act) {
    for (const char* name : {"us-east-1", "us-east-2", "us-west-2"}) region(name, {act});
    return *this;
  }

  /// Sends a request and waits for the end of its answer and its record.
  Answer ask(std::string_view text, std::optional<base::Error> refused = {}) {
    Answer answer;
    ask(text, answer, std::move(refused));
    return answer;
  }
  void ask(std::string_view text, Answer& answer, std::optional<base::Error> refused = {}) {
    begin(text, answer, std::move(refused));
    while (!done_ && reactor.io.run_one_for(std::chrono::seconds{20}) > 0) {
    }
    ASSERT_TRUE(done_) << "the call hangs";
    check_what_always_holds(answer);
  }

  /// Sends a request; the caller of begin() turns the reactor.
  void begin(std::string_view text, Answer& answer, std::optional<base::Error> refused = {}) {
    text_ = text;
    text_.reserve(text_.size() + wire::body_padding);
    head_ = {};
    std::size_t searched = 0;
    const auto parsed = wire::read_request_head(text_, 32 * 1024, searched, head_);
    ASSERT_TRUE(parsed && *parsed) << text_;
    request_ = Request{.method = head_.method,
                       .target = head_.target,
                       .headers = &head_.headers,
                       .body = std::string_view{text_}.substr(head_.head_bytes),
                       .host = head_.headers.value("host"),
                       .peer_address = "192.0.2.7",
                       .http_version = "1.1",
                       .tls_version = {},
                       .tls_cipher = {},
                       .refused = std::move(refused)};
    done_ = false;
    reactor.io.restart();
    world::asio::co_spawn(reactor.io, journey.serve(request_, answer), [this](std::exception_ptr thrown) {
      EXPECT_EQ(thrown, nullptr);
      done_ = true;
    });
  }
  bool done() const { return done_; }
  world::asio::io_context& io() { return reactor.io; }

  std::vector<Json> records() {
    std::vector<Json> found;
    const auto scanned = trail::scan(disk, "data/trail", [&found](std::string_view json) {
      found.push_back(Json::parse(json));
      return true;
    });
    EXPECT_TRUE(scanned) << scanned.error().message;
    return found;
  }
  /// Of the last call.
  Json record() {
    const std::vector<Json> all = records();
    return all.empty() ? Json{} : all.back();
  }
  /// "us-east-1 upstream_refused, us-east-2 served"
  std::string attempts() {
    std::string text;
    const Json last = record();
    for (const Json& attempt : last.at("portolan").at("attempts")) {
      if (!text.empty()) text += ", ";
      text += attempt.at("region").get<std::string>() + " " +
              (attempt.at("served") ? "served" : attempt.at("error").get<std::string>());
    }
    return text;
  }
  std::string stage() { return record().at("portolan").at("stage"); }
  const quota::Allowance& allowance(std::size_t tenant) const { return snapshot->quotas.of_tenant(tenant); }

 private:
  void check_what_always_holds(const Answer& answer) {
    EXPECT_EQ(regions.open_flows(), 0);
    EXPECT_EQ(counters.calls_in_flight.load(), 0);
    for (const domain::RegionIndex region : snapshot->reachable) EXPECT_EQ(fleet.health(region).in_flight, 0u);
    EXPECT_TRUE(answer.whole);
    if (recorder->trail().broken()) return;
    const std::vector<Json> all = records();
    ASSERT_EQ(all.size(), records_before_ + 1) << "every conversation leaves exactly one record";
    records_before_ = all.size();
    EXPECT_EQ(all.back().at("requestID"), answer.field("x-portolan-call-id"));
    EXPECT_EQ(all.back().at("portolan").at("status"), answer.status);
    EXPECT_FALSE(all.back().dump().contains("Say hello")) << "a prompt in the trail";
    const bool served = all.back().at("portolan").at("outcome") == "served";
    EXPECT_EQ(served, !all.back().contains("errorCode"));
  }

  std::string text_;
  wire::RequestHead head_;
  Request request_;
  bool done_ = false;
  std::size_t records_before_ = 0;
};

}  // namespace portolan::gateway::testing
