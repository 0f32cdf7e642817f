// SPDX-License-Identifier: Apache-2.0
// For tests: Regions that follow a script instead of sockets.
//
// An Act is what a Region does with one attempt; the last one of a script is repeated. Every view that a Flow hands
// out is overwritten as soon as transport.h allows it, so that whoever keeps one too long is found out.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/catalog.h"
#include "upstream/transport.h"
#include "wire/event_stream.h"

namespace portolan::gateway::testing {

struct Act {
  enum class End : std::uint8_t { whole, cut, silent };
  using Fields = std::vector<std::pair<std::string, std::string>>;

  std::optional<base::Code> fails;  // no reply at all
  base::Duration after{};           // before the head
  base::Duration connects_after{};
  int status = 200;
  Fields fields;
  std::vector<std::string> pieces;
  base::Duration between{};  // before each piece
  End end = End::whole;
  std::function<void()> meanwhile{};  // what happens during the first wait
};

inline Act refuses() {
  return {.fails = base::Code::upstream_refused};
}
inline Act never_connects() {
  return {.fails = base::Code::upstream_connect_timeout};
}
inline Act is_silent() {
  return {.fails = base::Code::upstream_silent};
}
inline Act replies(int status, const std::string& body, Act::Fields fields = {}) {
  Act act{.status = status, .fields = std::move(fields)};
  if (!body.empty()) act.pieces.push_back(body);
  return act;
}
inline Act throttles(int retry_after_s) {
  return replies(429, R"({"message":"Too many tokens, please wait before trying again."})",
                 {{"x-amzn-errortype", "ThrottlingException"}, {"retry-after", std::to_string(retry_after_s)}});
}
inline Act streams(std::vector<std::string> pieces) {
  return {.fields = {{"content-type", "application/vnd.amazon.eventstream"}}, .pieces = std::move(pieces)};
}
/// The connection breaks where the reply should go on.
inline Act cut(Act act) {
  act.end = Act::End::cut;
  return act;
}
/// Nothing more comes.
inline Act then_silent(Act act) {
  act.end = Act::End::silent;
  return act;
}
/// The same bytes, `size` at a time.
inline Act in_pieces_of(std::size_t size, Act act) {
  std::string bytes;
  for (const std::string& piece : act.pieces) bytes += piece;
  act.pieces.clear();
  for (std::size_t at = 0; at < bytes.size(); at += size) act.pieces.push_back(bytes.substr(at, size));
  return act;
}
inline Act slowly(base::Duration between, Act act) {
  act.between = between;
  return act;
}

inline std::string converse_reply(std::string_view text, unsigned input_tokens = 11, unsigned output_tokens = 3) {
  return R"({"output":{"message":{"role":"assistant","content":[{"text":")" + std::string(text) +
         R"("}]}},"stopReason":"end_turn","usage":{"inputTokens":)" + std::to_string(input_tokens) +
         R"(,"outputTokens":)" + std::to_string(output_tokens) + R"(},"metrics":{"latencyMs":5}})";
}
inline std::string frame(std::string_view type, std::string_view payload) {
  std::string bytes;
  wire::append_event_frame(bytes, type, payload);
  return bytes;
}
inline std::string exception_frame(std::string_view type, std::string_view message) {
  std::string bytes;
  wire::append_exception_frame(bytes, type, R"({"message":")" + std::string(message) + R"("})");
  return bytes;
}
inline std::string message_start() {
  return frame("messageStart", R"({"role":"assistant"})");
}
inline std::string text_delta(std::string_view text) {
  return frame("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":")" + std::string(text) + "\"}}");
}
inline std::string message_stop() {
  return frame("messageStop", R"({"stopReason":"end_turn"})");
}
inline std::string metadata(unsigned input_tokens = 11, unsigned output_tokens = 3) {
  return frame("metadata", R"({"usage":{"inputTokens":)" + std::to_string(input_tokens) + R"(,"outputTokens":)" +
                               std::to_string(output_tokens) + R"(},"metrics":{"latencyMs":5}})");
}
/// What a Region streams when all goes well.
inline std::vector<std::string> a_whole_stream() {
  return {message_start(), text_delta("Hel"), text_delta("lo"), message_stop(), metadata()};
}

class ScriptedRegions final : public upstream::Transport {
 public:
  struct Seen {
    std::string region;
    std::string head;
    std::string body;
    bool reused_after = false;  // the exchange was finished so that its connection may be used again
  };

  ScriptedRegions(const domain::Catalog& catalog, const world::Clock& clock) : catalog_(catalog), clock_(clock) {}

  void script(std::string_view region, std::vector<Act> acts) {
    scripts_[catalog_.find_region(region)] = {acts.begin(), acts.end()};
  }
  const std::deque<Seen>& seen() const { return seen_; }
  const std::vector<std::string>& warmed() const { return warmed_; }
  int open_flows() const { return open_flows_; }

  upstream::FlowPointer open(domain::RegionIndex region) override {
    std::deque<Act>& acts = scripts_[region];
    if (acts.empty()) {
      ADD_FAILURE() << catalog_.region(region).name << " was called, which no script foresees";
      acts.push_back(refuses());
    }
    const Act act = acts.front();
    if (acts.size() > 1) acts.pop_front();
    ++open_flows_;
    return upstream::FlowPointer{new Exchange(*this, region, act)};
  }
  void warm(domain::RegionIndex region) override { warmed_.push_back(catalog_.region(region).name); }

 private:
  class Exchange final : public upstream::Flow {
   public:
    Exchange(ScriptedRegions& regions, domain::RegionIndex region, Act act)
        : regions_(regions), region_(region), act_(std::move(act)) {}

    world::Task<base::Result<const wire::ResponseHead*>> start(upstream::Outgoing outgoing, base::Duration connect,
                                                               base::Instant by) override {
      const bool connects =
          act_.fails != base::Code::upstream_refused && act_.fails != base::Code::upstream_connect_timeout;
      if (act_.fails == base::Code::upstream_connect_timeout) co_await wait(connect);
      if (act_.connects_after > base::Duration{}) co_await wait(act_.connects_after);
      if (abandoned_) co_return left();
      if (connects) {
        if (outgoing.clearance != nullptr) CO_TRY_VOID(outgoing.clearance->ask());
        sent_ = true;
        seen_ = &regions_.seen_.emplace_back(Seen{.region = regions_.catalog_.region(region_).name,
                                                  .head = std::string(outgoing.head),
                                                  .body = std::string(outgoing.body)});
      }
      if (act_.fails == base::Code::upstream_silent || regions_.clock_.now() + act_.after > by) {
        co_await wait(by - regions_.clock_.now());
        if (abandoned_) co_return left();
        co_return base::fail(base::Code::upstream_silent, "nothing came within the time allowed");
      }
      if (act_.fails) co_return base::fail(*act_.fails, "as the script says");
      if (act_.after > base::Duration{}) co_await wait(act_.after);
      if (abandoned_) co_return left();
      head_.status = act_.status;
      for (const auto& [name, value] : act_.fields) head_.headers.add(name, value);
      co_return &head_;
    }

    world::Task<base::Result<std::string_view>> next(base::Instant by) override {
      for (auto& [name, value] : act_.fields) value.assign(value.size(), '#');
      current_.assign(current_.size(), '#');
      const bool more = piece_ < act_.pieces.size();
      if (abandoned_) co_return left();
      if (act_.between > base::Duration{} && more) {
        const bool too_long = act_.between > by - regions_.clock_.now();
        co_await wait(std::min(act_.between, by - regions_.clock_.now()));
        if (abandoned_) co_return left();
        if (too_long) co_return base::fail(base::Code::upstream_silent, "nothing came in time");
      }
      if (more) {
        // A buffer of its own: reading past a piece is then an error that a sanitizer sees.
        current_ = std::string(act_.pieces[piece_++]);
        co_return std::string_view{current_};
      }
      if (act_.end == Act::End::cut) co_return base::fail(base::Code::upstream_cut, "the connection was closed");
      if (act_.end == Act::End::silent) {
        co_await wait(by - regions_.clock_.now());
        if (abandoned_) co_return left();
        co_return base::fail(base::Code::upstream_silent, "nothing came within the time allowed");
      }
      ended_ = true;
      co_return std::string_view{};
    }

    bool sent() const override { return sent_; }
    void abandon() override {
      abandoned_ = true;
      if (timer_) timer_->cancel();
    }
    void release(bool reusable) override {
      EXPECT_TRUE(!reusable || ended_) << "given back for reuse before its end was read";
      if (seen_ != nullptr) seen_->reused_after = reusable;
      --regions_.open_flows_;
      delete this;
    }

   private:
    using Timer =
        world::asio::basic_waitable_timer<std::chrono::steady_clock,
                                          world::asio::wait_traits<std::chrono::steady_clock>, world::Executor>;
    world::Task<void> wait(base::Duration span) {
      const world::Executor executor = co_await world::asio::this_coro::executor;
      if (abandoned_) co_return;
      if (act_.meanwhile) world::asio::post(executor, std::exchange(act_.meanwhile, nullptr));
      timer_.emplace(executor);
      timer_->expires_after(regions_.clock_.to_real(span));
      world::ErrorCode error;
      co_await timer_->async_wait(world::into(error));
      timer_.reset();
    }
    static std::unexpected<base::Error> left() { return base::fail(base::Code::caller_gone, "abandoned"); }

    ScriptedRegions& regions_;
    domain::RegionIndex region_;
    Act act_;
    Seen* seen_ = nullptr;
    wire::ResponseHead head_;
    std::string current_;
    std::size_t piece_ = 0;
    bool sent_ = false;
    bool ended_ = false;
    bool abandoned_ = false;
    std::optional<Timer> timer_;
  };

  const domain::Catalog& catalog_;
  const world::Clock& clock_;
  std::map<domain::RegionIndex, std::deque<Act>> scripts_;
  std::deque<Seen> seen_;
  std::vector<std::string> warmed_;
  int open_flows_ = 0;
};

}  // namespace portolan::gateway::testing
