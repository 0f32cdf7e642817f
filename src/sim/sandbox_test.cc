// SPDX-License-Identifier: Apache-2.0
#include "sim/sandbox.h"

#include <array>
#include <cstdio>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/resource.h>
#include <thread>

#include "sim/region_model.h"
#include "sim/sandbox_test_caller.h"

namespace portolan::sim {
namespace {

using nlohmann::json;
using testing::events_of;
using ::testing::HasSubstr;
using testing::Received;
using ::testing::StartsWith;
using testing::TestConnection;
using testing::TestCredentials;
using namespace std::chrono_literals;

constexpr std::string_view model_id = "anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::uint64_t seed = 7;

class SandboxTest : public ::testing::Test {
 protected:
  // Fifty times as fast as the world, unless a test measures time.
  void start(SandboxOptions options = {}, double time_scale = 50) {
    clock_ = std::make_unique<world::RealClock>(time_scale);
    options.catalog = domain::Catalog::builtin();
    options.from = options.catalog->find_region("us-east-1");
    options.clock = clock_.get();
    options.seed = seed;
    options.access_key_id = TestCredentials{}.access_key_id;
    options.secret_access_key = TestCredentials{}.secret;
    auto started = Sandbox::start(std::move(options));
    ASSERT_TRUE(started.has_value()) << started.error().message;
    sandbox_ = *std::move(started);
  }

  static TestCredentials credentials(std::string_view region) { return {.region = std::string(region)}; }

  const SandboxEndpoint& endpoint(std::string_view region) const {
    return sandbox_->endpoints().at(domain::Catalog::builtin()->find_region(region));
  }
  std::unique_ptr<TestConnection> connect(std::string_view region) const {
    return std::make_unique<TestConnection>(endpoint(region).address, endpoint(region).port);
  }

  static std::string path(std::string_view verb, std::string_view model = model_id) {
    std::string encoded;
    base::percent_encode(model, encoded);
    return "/model/" + encoded + "/" + std::string(verb);
  }
  static std::string converse_body(std::string_view prompt, int max_tokens = 4096) {
    return json{{"messages", {{{"role", "user"}, {"content", {{{"text", prompt}}}}}}},
                {"inferenceConfig", {{"maxTokens", max_tokens}}}}
        .dump();
  }
  static std::string anthropic_body(std::string_view prompt, int max_tokens = 4096) {
    return json{{"anthropic_version", "bedrock-2023-05-31"},
                {"max_tokens", max_tokens},
                {"messages", {{{"role", "user"}, {"content", prompt}}}}}
        .dump();
  }

  Received call(std::string_view region, std::string_view verb, const std::string& body,
                std::chrono::milliseconds limit = 10s) const {
    const auto connection = connect(region);
    connection->post(credentials(region), path(verb), body);
    return connection->receive(limit);
  }
  Received converse(std::string_view region, std::string_view prompt = "hello #tokens=5") const {
    return call(region, "converse", converse_body(prompt));
  }

  json counts(std::string_view region) const { return json::parse(sandbox_->counts_json())["regions"][region]; }
  Fault fault(std::string_view kind, std::vector<std::string> arguments = {}, double share = 1,
              base::Duration duration = {}) const {
    return parse_fault(kind, arguments, share, duration).value();
  }
  void put(std::string_view region, const Fault& fault) const {
    const auto put = sandbox_->fault(region, fault);
    ASSERT_TRUE(put.has_value()) << put.error().message;
  }

  static std::string words(std::string_view prompt, std::uint32_t tokens) {
    return answer_text(answer_key(prompt, model_id, seed), tokens);
  }
  static std::string text_of(const std::string& stream) {
    std::string text;
    for (const auto& event : events_of(stream))
      if (event.headers.at(":event-type") == "contentBlockDelta")
        text += json::parse(event.payload)["delta"]["text"].get<std::string>();
    return text;
  }

  std::unique_ptr<world::RealClock> clock_;
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_F(SandboxTest, EveryRegionListensOnAnAddressOfItsOwn) {
  start();
  std::set<std::string> addresses;
  for (const SandboxEndpoint& endpoint : sandbox_->endpoints()) {
    EXPECT_THAT(endpoint.address, StartsWith("127.77."));
    addresses.insert(endpoint.address);
    EXPECT_TRUE(TestConnection(endpoint.address, endpoint.port).connected()) << endpoint.address;
  }
  EXPECT_EQ(addresses.size(), domain::Catalog::builtin()->regions().size());
}

TEST_F(SandboxTest, ConverseAnswersTheWordsThatTheModelSays) {
  start();
  const std::string prompt = "Describe the harbour. #tokens=31";
  const Received reply = converse("eu-west-1", prompt);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("content-type"), "application/json");
  EXPECT_EQ(reply.headers.at("x-amzn-requestid").size(), 36u);
  const json body = json::parse(reply.body);
  EXPECT_EQ(body["output"]["message"]["role"], "assistant");
  EXPECT_EQ(body["output"]["message"]["content"][0]["text"], words(prompt, 31));
  EXPECT_EQ(body["stopReason"], "end_turn");
  EXPECT_EQ(body["usage"]["inputTokens"], (prompt.size() + 3) / 4);
  EXPECT_EQ(body["usage"]["outputTokens"], 31);
  EXPECT_EQ(body["usage"]["totalTokens"], 31 + (prompt.size() + 3) / 4);
  EXPECT_GT(body["metrics"]["latencyMs"], 300);  // 180 ms and 30 gaps of 15 ms, of world time
}

TEST_F(SandboxTest, ConverseStreamSendsOneDeltaForEachToken) {
  start();
  const std::string prompt = "stream it #tokens=20";
  const Received reply = call("us-west-2", "converse-stream", converse_body(prompt));
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("content-type"), "application/vnd.amazon.eventstream");
  ASSERT_TRUE(reply.complete);
  const auto events = events_of(reply.body);
  ASSERT_EQ(events.size(), 1u + 20 + 3);
  for (const auto& event : events) {
    EXPECT_TRUE(event.crc_right);
    EXPECT_EQ(event.headers.at(":message-type"), "event");
    EXPECT_EQ(event.headers.at(":content-type"), "application/json");
  }
  EXPECT_EQ(events[0].headers.at(":event-type"), "messageStart");
  EXPECT_EQ(events[21].headers.at(":event-type"), "contentBlockStop");
  EXPECT_EQ(json::parse(events[22].payload)["stopReason"], "end_turn");
  EXPECT_EQ(json::parse(events[23].payload)["usage"]["outputTokens"], 20);
  EXPECT_EQ(text_of(reply.body), words(prompt, 20));
}

TEST_F(SandboxTest, InvokeModelAnswersAnAnthropicMessage) {
  start();
  const std::string prompt = "#tokens=9 native";
  const Received reply = call("us-east-1", "invoke", anthropic_body(prompt));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json body = json::parse(reply.body);
  EXPECT_EQ(body["type"], "message");
  EXPECT_EQ(body["model"], "claude-sonnet-4-5-20250929");
  EXPECT_EQ(body["content"][0]["text"], words(prompt, 9));
  EXPECT_EQ(body["stop_reason"], "end_turn");
  EXPECT_EQ(body["usage"]["output_tokens"], 9);
  EXPECT_EQ(reply.headers.at("x-amzn-bedrock-output-token-count"), "9");
  EXPECT_EQ(reply.headers.at("x-amzn-bedrock-input-token-count"), "4");
  EXPECT_TRUE(reply.headers.contains("x-amzn-bedrock-invocation-latency"));
}

TEST_F(SandboxTest, InvokeStreamSendsTheNativeEventsInOrder) {
  start();
  const std::string prompt = "#tokens=3";
  const Received reply = call("us-east-1", "invoke-with-response-stream", anthropic_body(prompt));
  ASSERT_TRUE(reply.complete);
  std::vector<std::string> types;
  std::string text;
  json last;
  for (const auto& event : events_of(reply.body)) {
    EXPECT_EQ(event.headers.at(":event-type"), "chunk");
    std::string native;
    ASSERT_TRUE(base::from_base64(json::parse(event.payload)["bytes"].get<std::string>(), native));
    last = json::parse(native);
    types.push_back(last["type"]);
    if (types.back() == "content_block_delta") text += last["delta"]["text"].get<std::string>();
  }
  EXPECT_THAT(types, ::testing::ElementsAre("message_start", "content_block_start", "content_block_delta",
                                            "content_block_delta", "content_block_delta", "content_block_stop",
                                            "message_delta", "message_stop"));
  EXPECT_EQ(text, words(prompt, 3));
  EXPECT_EQ(last["amazon-bedrock-invocationMetrics"]["outputTokenCount"], 3);
}

TEST_F(SandboxTest, MaxTokensEndsTheAnswerEarly) {
  start();
  const std::string prompt = "long #tokens=50";
  const json body = json::parse(call("us-east-1", "converse", converse_body(prompt, 8)).body);
  EXPECT_EQ(body["stopReason"], "max_tokens");
  EXPECT_EQ(body["usage"]["outputTokens"], 8);
  EXPECT_EQ(body["output"]["message"]["content"][0]["text"], words(prompt, 8));
  EXPECT_EQ(call("us-east-1", "converse", converse_body(prompt, 100'000'000)).status, 400);
}

TEST_F(SandboxTest, AcceptsProfilesAndArnsInEveryPathEncoding) {
  start();
  const std::string model{model_id};
  for (const std::string& id : {
           "us." + model,                                                             // raw
           std::string("global.anthropic.claude-sonnet-4-5-20250929-v1%3A0"),         // encoded
           "arn:aws:bedrock:us-east-1:999900001111:inference-profile/us." + model,    // an ARN, raw
           "arn:aws:bedrock:us-east-1:999900001111:inference-profile%2Fus." + model,  // only the slash
           std::string("arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-sonnet-4-5-"
                       "20250929-v1%3A0"),
       }) {
    const auto connection = connect("us-east-1");
    connection->post(credentials("us-east-1"), "/model/" + id + "/converse", converse_body("#tokens=2"));
    EXPECT_EQ(connection->receive().status, 200) << id;
  }
}

TEST_F(SandboxTest, RefusesModelsItDoesNotKnowOrOffer) {
  start();
  const auto ask = [&](std::string_view region, const std::string& target, const std::string& body) {
    const auto connection = connect(region);
    connection->post(credentials(region), target, body);
    return connection->receive();
  };
  const Received unknown = ask("us-east-1", "/model/no.such-model/converse", converse_body("x"));
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.headers.at("x-amzn-errortype"), StartsWith("ValidationException:"));
  EXPECT_EQ(json::parse(unknown.body)["message"], "The provided model identifier is invalid.");
  EXPECT_EQ(ask("us-east-1", "/model/x/fly", "{}").status, 404);
  EXPECT_EQ(ask("us-east-1", "/healthz", "{}").status, 404);
  EXPECT_EQ(ask("us-east-1", path("converse"), "not json").status, 400);
  EXPECT_EQ(ask("us-east-1", path("converse"), "{}").status, 400);
  EXPECT_EQ(ask("us-east-1", path("invoke"), converse_body("x")).status, 400);
}

TEST_F(SandboxTest, RefusesWhatIsNotSignedForThisRegion) {
  start();
  const auto connection = connect("us-east-1");
  connection->post(credentials("us-west-2"), path("converse"), converse_body("x"));
  const Received reply = connection->receive();
  EXPECT_EQ(reply.status, 403);
  EXPECT_THAT(reply.headers.at("x-amzn-errortype"), StartsWith("InvalidSignatureException:"));
  connection->send("POST " + path("converse") + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(connection->receive().headers.at("x-amzn-errortype"), StartsWith("MissingAuthenticationToken"));
  EXPECT_EQ(counts("us-east-1")["bad_signatures"], 2);
  EXPECT_EQ(counts("us-east-1")["requests"]["Converse"]["bad_signature"], 2);
  EXPECT_TRUE(counts("us-east-1")["models"].empty());
}

TEST_F(SandboxTest, CountsConnectionsAndBytesAsTheSocketsSawThem) {
  start();
  {
    const auto connection = connect("eu-central-1");
    std::size_t received = 0;
    for (int i = 0; i < 3; ++i) {
      connection->post(credentials("eu-central-1"), path("converse"), converse_body("#tokens=4"));
      received = connection->receive().bytes;
    }
    const json seen = counts("eu-central-1");
    EXPECT_EQ(seen["connections_accepted"], 1);
    EXPECT_EQ(seen["connections_open"], 1);
    EXPECT_EQ(seen["bytes_in"], connection->bytes_sent());
    EXPECT_EQ(seen["bytes_out"], received);
    EXPECT_EQ(seen["requests"]["Converse"]["served"], 3);
    EXPECT_EQ(seen["models"][model_id]["requests"], 3);
    EXPECT_EQ(seen["models"][model_id]["output_tokens"], 12);
  }
  EXPECT_EQ(counts("eu-west-1")["connections_accepted"], 0);
  EXPECT_EQ(counts("eu-west-1")["bytes_in"], 0);
  EXPECT_EQ(sandbox_->handle("POST", "/api/sandbox/counts/reset", "").status, 200);
  EXPECT_EQ(counts("eu-central-1")["connections_accepted"], 0);
  EXPECT_TRUE(counts("eu-central-1")["requests"].empty());
}

TEST_F(SandboxTest, AnswersPipelinedRequestsInOrder) {
  start();
  const auto connection = connect("us-east-1");
  connection->post(credentials("us-east-1"), path("converse"), converse_body("first #tokens=3"));
  connection->post(credentials("us-east-1"), path("converse"), converse_body("second #tokens=4"));
  EXPECT_EQ(json::parse(connection->receive().body)["usage"]["outputTokens"], 3);
  EXPECT_EQ(json::parse(connection->receive().body)["usage"]["outputTokens"], 4);
}

TEST_F(SandboxTest, BoundsHeadsAndBodies) {
  start();
  const auto big_head = connect("us-east-1");
  big_head->send("POST / HTTP/1.1\r\nx-long: " + std::string(70'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(big_head->receive().status, 431);
  const auto big_body = connect("us-east-1");
  big_body->send("POST / HTTP/1.1\r\nContent-Length: 25000001\r\n\r\n");
  EXPECT_EQ(big_body->receive().status, 413);
  const auto nonsense = connect("us-east-1");
  nonsense->send("what is this\r\n\r\n");
  const Received reply = nonsense->receive();
  EXPECT_EQ(reply.status, 400);
  EXPECT_TRUE(nonsense->receive().closed);
}

TEST_F(SandboxTest, ThrottlesBeyondTheQuotaOfOneRegion) {
  start({.quota = {.requests_per_minute = 2}}, 1);
  EXPECT_EQ(converse("us-east-1", "#tokens=1").status, 200);
  EXPECT_EQ(converse("us-east-1", "#tokens=1").status, 200);
  const Received reply = converse("us-east-1", "#tokens=1");
  EXPECT_EQ(reply.status, 429);
  EXPECT_THAT(reply.headers.at("x-amzn-errortype"), StartsWith("ThrottlingException:"));
  EXPECT_EQ(json::parse(reply.body)["message"], "Too many requests, please wait before trying again.");
  EXPECT_EQ(converse("us-east-2", "#tokens=1").status, 200);
  EXPECT_EQ(counts("us-east-1")["requests"]["Converse"]["throttled"], 1);
}

TEST_F(SandboxTest, HasNoPlaceBeyondItsCapacityAndFreesItWhenTheCallerLeaves) {
  start({.capacity = 1}, 1);
  auto holder = connect("us-east-1");
  holder->post(credentials("us-east-1"), path("converse-stream"), converse_body("#tokens=4000"));
  EXPECT_TRUE(holder->receive(500ms).timed_out);
  EXPECT_EQ(converse("us-east-1").status, 503);
  holder.reset();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(converse("us-east-1", "#tokens=1").status, 200);
  EXPECT_EQ(counts("us-east-1")["requests"]["ConverseStream"]["abandoned"], 1);
}

TEST_F(SandboxTest, ANewConnectionCostsOneMoreRoundTrip) {
  start({}, 1);
  const double p50_ms = domain::Catalog::builtin()
                            ->round_trip(domain::Catalog::builtin()->find_region("us-east-1"),
                                         domain::Catalog::builtin()->find_region("ap-southeast-2"))
                            .p50_ms;
  ASSERT_GT(p50_ms, 100);
  const auto connection = connect("ap-southeast-2");
  connection->post(credentials("ap-southeast-2"), path("converse"), converse_body("#tokens=1"));
  const double first_ms = connection->receive().elapsed_ms;
  connection->post(credentials("ap-southeast-2"), path("converse"), converse_body("#tokens=1"));
  const double second_ms = connection->receive().elapsed_ms;
  EXPECT_GT(first_ms, 1.6 * p50_ms + 120);
  EXPECT_GT(second_ms, 0.8 * p50_ms + 120);
  EXPECT_GT(first_ms, second_ms + 0.5 * p50_ms);
}

TEST_F(SandboxTest, WithoutLatencyEverythingComesAtOnce) {
  start({.latency = false}, 1);
  const Received reply = call("ap-southeast-2", "converse-stream", converse_body("#tokens=2000"));
  EXPECT_EQ(text_of(reply.body), words("#tokens=2000", 2000));
  EXPECT_LT(reply.elapsed_ms, 1000);  // 180 ms + 30 s with latency
}

TEST_F(SandboxTest, CarriesAThousandOpenStreams) {
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  start({}, 1);
  std::vector<std::unique_ptr<TestConnection>> connections;
  const std::array<std::string_view, 4> regions = {"us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"};
  for (std::size_t i = 0; i < 1000; ++i) {
    connections.push_back(connect(regions[i % regions.size()]));
    ASSERT_TRUE(connections.back()->connected());
    connections.back()->post(credentials(regions[i % regions.size()]), path("converse-stream"),
                             converse_body("#tokens=60"));
  }
  const std::string expected = words("#tokens=60", 60);
  for (const auto& connection : connections) {
    const Received reply = connection->receive(30s);
    ASSERT_TRUE(reply.complete);
    ASSERT_EQ(text_of(reply.body), expected);
  }
}

// Faults, one by one.

TEST_F(SandboxTest, RefuseResetsWhatIsOpenAndRefusesWhatComes) {
  start({}, 1);
  const auto open = connect("us-east-1");
  open->post(credentials("us-east-1"), path("converse-stream"), converse_body("#tokens=4000"));
  ASSERT_TRUE(open->receive(600ms).timed_out);
  put("us-east-1", fault("refuse"));
  const Received cut = open->receive();
  EXPECT_TRUE(cut.was_reset);
  EXPECT_FALSE(cut.complete);
  const auto refused = connect("us-east-1");
  EXPECT_FALSE(refused->connected());
  EXPECT_EQ(refused->connect_error(), ECONNREFUSED);
  EXPECT_TRUE(connect("us-east-2")->connected());
  ASSERT_TRUE(sandbox_->clear("us-east-1").has_value());
  EXPECT_EQ(converse("us-east-1", "#tokens=1").status, 200);
}

TEST_F(SandboxTest, RefuseForAShareResetsThatShareOfRequests) {
  start({.latency = false});
  put("us-east-1", fault("refuse", {}, 0.5));
  int reset = 0;
  for (int i = 0; i < 100; ++i) reset += converse("us-east-1").was_reset ? 1 : 0;
  EXPECT_GT(reset, 25);
  EXPECT_LT(reset, 75);
  EXPECT_EQ(counts("us-east-1")["requests"]["Converse"]["reset"], reset);
  EXPECT_EQ(counts("us-east-1")["requests"]["Converse"]["served"], 100 - reset);
}

TEST_F(SandboxTest, DropAcceptsAndNeverAnswersAndSilencesOpenStreams) {
  start({}, 1);
  const auto open = connect("us-east-1");
  open->post(credentials("us-east-1"), path("converse-stream"), converse_body("#tokens=60"));
  const std::size_t before = open->receive(500ms).bytes;
  EXPECT_GT(before, 0u);
  put("us-east-1", fault("drop"));
  const Received at_drop = open->receive(300ms);
  const Received later = open->receive(300ms);
  EXPECT_TRUE(later.timed_out);
  EXPECT_EQ(later.bytes, at_drop.bytes);
  const auto late = connect("us-east-1");
  EXPECT_TRUE(late->connected());
  late->post(credentials("us-east-1"), path("converse"), converse_body("#tokens=1"));
  const Received none = late->receive(500ms);
  EXPECT_TRUE(none.timed_out);
  EXPECT_EQ(none.bytes, 0u);
  EXPECT_EQ(counts("us-east-1")["requests"]["Converse"]["dropped"], 1);
  ASSERT_TRUE(sandbox_->clear().has_value());
  EXPECT_EQ(text_of(open->receive().body), words("#tokens=60", 60));  // the network healed
  EXPECT_EQ(converse("us-east-1", "#tokens=1").status, 200);
}

TEST_F(SandboxTest, SlowMultipliesEveryTime) {
  start({}, 1);
  put("us-east-1", fault("slow", {"4"}));
  EXPECT_GT(converse("us-east-1", "#tokens=1").elapsed_ms, 4 * 130);
}

TEST_F(SandboxTest, FirstTokenTakesAsLongAsSaid) {
  start({}, 1);
  put("us-east-1", fault("first-token", {"700ms"}));
  const double elapsed_ms = converse("us-east-1", "#tokens=1").elapsed_ms;
  EXPECT_GT(elapsed_ms, 700);
  EXPECT_LT(elapsed_ms, 1500);
}

TEST_F(SandboxTest, ErrorFaultsAnswerTheirStatusAndType) {
  start();
  struct Case {
    Fault fault;
    int status;
    std::string_view type;
    std::string_view outcome;
  };
  for (const Case& c :
       {Case{fault("throttle"), 429, "ThrottlingException:", "throttled"},
        Case{fault("unavailable"), 503, "ServiceUnavailableException:", "unavailable"},
        Case{fault("error"), 500, "InternalServerException:", "error"},
        Case{fault("error", {"424"}), 424, "ModelErrorException:", "error"},
        Case{fault("version-absent", {std::string(model_id)}), 404, "ResourceNotFoundException:", "absent"}}) {
    ASSERT_TRUE(sandbox_->clear().has_value());
    sandbox_->reset_counts();
    put("us-east-1", c.fault);
    const Received reply = call("us-east-1", "converse-stream", converse_body("x"));
    EXPECT_EQ(reply.status, c.status);
    EXPECT_THAT(reply.headers.at("x-amzn-errortype"), StartsWith(std::string(c.type)));
    EXPECT_FALSE(json::parse(reply.body)["message"].get<std::string>().empty());
    EXPECT_EQ(counts("us-east-1")["requests"]["ConverseStream"][c.outcome], 1);
  }
}

TEST_F(SandboxTest, VersionAbsentLeavesOtherModelsAlone) {
  start();
  put("us-east-1", fault("version-absent", {"anthropic.claude-haiku-4-5-20251001-v1:0"}));
  EXPECT_EQ(converse("us-east-1").status, 200);
}

TEST_F(SandboxTest, CutClosesMidStreamWithoutAnEnd) {
  start();
  put("us-east-1", fault("cut", {"5"}));
  const Received stream = call("us-east-1", "converse-stream", converse_body("#tokens=40"));
  EXPECT_EQ(stream.status, 200);
  EXPECT_TRUE(stream.closed);
  EXPECT_FALSE(stream.complete);
  EXPECT_EQ(text_of(stream.body), words("#tokens=40", 5));
  const Received whole = call("us-east-1", "converse", converse_body("#tokens=40"));
  EXPECT_TRUE(whole.closed);
  EXPECT_FALSE(whole.complete);
  EXPECT_EQ(counts("us-east-1")["models"][model_id]["requests"], 2);
  EXPECT_EQ(counts("us-east-1")["requests"]["ConverseStream"]["cut"], 1);
  EXPECT_TRUE(call("us-east-1", "converse-stream", converse_body("#tokens=5")).complete);
}

TEST_F(SandboxTest, StallStopsSendingAndStaysOpen) {
  start();
  put("us-east-1", fault("stall", {"3"}));
  const Received stream = call("us-east-1", "converse-stream", converse_body("#tokens=40"), 700ms);
  EXPECT_TRUE(stream.timed_out);
  EXPECT_FALSE(stream.closed);
  EXPECT_EQ(text_of(stream.body), words("#tokens=40", 3));
  EXPECT_EQ(counts("us-east-1")["requests"]["ConverseStream"]["stalled"], 1);
}

TEST_F(SandboxTest, MalformedBreaksChecksumsAndJson) {
  start();
  put("us-east-1", fault("malformed"));
  const Received stream = call("us-east-1", "converse-stream", converse_body("#tokens=4"));
  const auto events = events_of(stream.body);
  ASSERT_EQ(events.size(), 8u);
  EXPECT_TRUE(events[0].crc_right);
  EXPECT_FALSE(events[1].crc_right);
  const Received whole = converse("us-east-1");
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.complete);
  EXPECT_TRUE(json::parse(whole.body, nullptr, false).is_discarded());
}

TEST_F(SandboxTest, AFaultEndsByItselfAfterItsTime) {
  start();
  put("us-east-1", fault("throttle", {}, 1, 300ms));
  put("us-east-2", fault("refuse", {}, 1, 300ms));
  EXPECT_EQ(converse("us-east-1").status, 429);
  EXPECT_FALSE(connect("us-east-2")->connected());
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(converse("us-east-1").status, 200);
  EXPECT_EQ(converse("us-east-2").status, 200);
}

TEST_F(SandboxTest, AFaultMayHitAShareOfRequests) {
  start({.latency = false});
  put("us-east-1", fault("throttle", {}, 0.3));
  int throttled = 0;
  for (int i = 0; i < 200; ++i) throttled += converse("us-east-1").status == 429 ? 1 : 0;
  EXPECT_GT(throttled, 30);
  EXPECT_LT(throttled, 95);
}

// Administration.

TEST_F(SandboxTest, AdminRoutesSetShowAndClearFaults) {
  start();
  const auto set = sandbox_->handle("POST", "/api/sandbox/fault",
                                    R"({"region":"us-east-1","kind":"slow","args":["3"],"share":0.5,"for":"10s"})");
  EXPECT_EQ(set.status, 200) << set.body;
  json regions = json::parse(sandbox_->handle("GET", "/api/sandbox/regions", "").body);
  EXPECT_EQ(regions["from"], "us-east-1");
  const auto east =
      std::ranges::find_if(regions["regions"], [](const json& r) { return r["region"] == "us-east-1"; });
  EXPECT_EQ((*east)["faults"], json::array({"slow 3 --share 0.5 --for 10s"}));
  EXPECT_EQ((*east)["address"], endpoint("us-east-1").address);
  EXPECT_EQ(sandbox_->handle("POST", "/api/sandbox/clear", R"({"region":"us-east-1"})").status, 200);
  EXPECT_THAT(sandbox_->regions_json(), ::testing::Not(HasSubstr("slow 3")));
  EXPECT_EQ(sandbox_->handle("POST", "/api/sandbox/clear", "").status, 200);
  EXPECT_TRUE(
      json::parse(sandbox_->handle("GET", "/api/sandbox/counts", "").body)["regions"].contains("eu-west-3"));
}

TEST_F(SandboxTest, AdminRoutesSayWhatIsWrong) {
  start();
  const auto error = [&](std::string_view path, std::string_view body) {
    const auto reply = sandbox_->handle("POST", path, body);
    EXPECT_EQ(reply.status, 400) << reply.body;
    return json::parse(reply.body)["error"].get<std::string>();
  };
  EXPECT_THAT(error("/api/sandbox/fault", R"({"region":"us-east-11","kind":"drop"})"),
              HasSubstr("did you mean us-east-1"));
  EXPECT_THAT(error("/api/sandbox/fault", R"({"region":"us-east-1","kind":"explode"})"),
              HasSubstr("version-absent MODEL"));
  EXPECT_THAT(error("/api/sandbox/fault", R"({"region":"us-east-1"})"), HasSubstr("'kind'"));
  EXPECT_THAT(error("/api/sandbox/fault", R"({"region":"us-east-1","kind":"drop","share":2})"),
              HasSubstr("share 2"));
  EXPECT_THAT(error("/api/sandbox/fault", R"({"region":"us-east-1","kind":"drop","for":"soon"})"),
              HasSubstr("soon"));
  EXPECT_THAT(error("/api/sandbox/fault", R"({"region":"us-east-1","kind":"version-absent","args":["gpt"]})"),
              HasSubstr("gpt"));
  EXPECT_THAT(error("/api/sandbox/clear", "[]"), HasSubstr("JSON object"));
  EXPECT_EQ(sandbox_->handle("GET", "/api/sandbox/fault", "").status, 405);
  EXPECT_EQ(sandbox_->handle("GET", "/api/elsewhere", "").status, 404);
}

TEST_F(SandboxTest, StartNamesTheAddressThatIsTaken) {
  start();
  SandboxOptions options{.catalog = domain::Catalog::builtin(),
                         .clock = clock_.get(),
                         .port = endpoint("us-east-1").port,
                         .access_key_id = "a",
                         .secret_access_key = "b"};
  options.from = 0;
  const auto second = Sandbox::start(std::move(options));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, base::Code::network);
  EXPECT_THAT(second.error().message, HasSubstr(endpoint("us-east-1").address));
}

TEST_F(SandboxTest, StopClosesEverythingAndMayBeCalledTwice) {
  start({}, 1);
  const auto open = connect("us-east-1");
  open->post(credentials("us-east-1"), path("converse-stream"), converse_body("#tokens=4000"));
  ASSERT_TRUE(open->receive(400ms).timed_out);
  sandbox_->stop();
  EXPECT_TRUE(open->receive().closed);
  EXPECT_FALSE(connect("us-east-1")->connected());
  sandbox_->stop();
}

// HTTP/2, with curl as an independent client.

class SandboxHttp2Test : public SandboxTest {
 protected:
  void SetUp() override {
    if (std::system("curl --version 2>/dev/null | grep -q HTTP2") != 0)  // NOLINT(concurrency-mt-unsafe)
      GTEST_SKIP() << "curl with HTTP/2 is not installed; the project's setup installs it";
  }

  struct Output {
    int code;
    std::string text;
  };
  // Runs curl over prior-knowledge h2c, the reply body on its output.
  Output curl(std::string_view region, std::string_view verb, const std::string& body,
              const std::string& more = "") const {
    const SandboxEndpoint& at = endpoint(region);
    const std::string host = at.address + ":" + std::to_string(at.port);
    std::string command =
        "curl -sS -m 20 --http2-prior-knowledge --path-as-is -X POST --data-binary '" + body + "' " + more;
    for (const auto& [name, value] :
         testing::sign(credentials(region), "POST", path(verb), host, body, clock_->wall(), ":authority"))
      command += " -H '" + name + ": " + value + "'";
    command += " 'http://" + host + path(verb) + "' 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    Output output{-1, {}};
    std::array<char, 4096> buffer{};
    while (const std::size_t size = fread(buffer.data(), 1, buffer.size(), pipe))
      output.text.append(buffer.data(), size);
    output.code = WEXITSTATUS(pclose(pipe));
    return output;
  }
};

TEST_F(SandboxHttp2Test, ConverseAnswersOverHttp2WithASignedAuthority) {
  start();
  const Output output =
      curl("us-east-1", "converse", converse_body("#tokens=6"), "-w '\\n%{http_version} %{http_code}'");
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(output.text, ::testing::EndsWith("\n2 200"));
  EXPECT_EQ(json::parse(output.text.substr(0, output.text.find('\n')))["output"]["message"]["content"][0]["text"],
            words("#tokens=6", 6));
}

TEST_F(SandboxHttp2Test, StreamsArriveWholeAndBodiesBeyondOneWindowAreRead) {
  start();
  const std::string prompt = "#tokens=300 " + std::string(90'000, 'x');
  const Output output = curl("us-east-1", "converse-stream", converse_body(prompt));
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(text_of(output.text), words(prompt, 300));
  EXPECT_EQ(counts("us-east-1")["requests"]["ConverseStream"]["served"], 1);
}

TEST_F(SandboxHttp2Test, AStreamCutMidwayFailsTheCaller) {
  start();
  put("us-east-1", fault("cut", {"5"}));
  EXPECT_NE(curl("us-east-1", "converse-stream", converse_body("#tokens=40")).code, 0);
  EXPECT_EQ(counts("us-east-1")["requests"]["ConverseStream"]["cut"], 1);
}

TEST_F(SandboxHttp2Test, ErrorsCarryTheirTypeOverHttp2) {
  start();
  put("us-east-1", fault("throttle"));
  const Output output = curl("us-east-1", "converse", converse_body("x"), "-D -");
  EXPECT_THAT(output.text, HasSubstr("HTTP/2 429"));
  EXPECT_THAT(output.text, HasSubstr("x-amzn-errortype: ThrottlingException"));
}

}  // namespace
}  // namespace portolan::sim
