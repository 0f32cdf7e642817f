// SPDX-License-Identifier: Apache-2.0
#include "trail/act_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace portolan::trail {
namespace {

using nlohmann::json;

domain::Act a_freeze() {
  using namespace std::chrono_literals;
  return {.event_name = "FreezeInference",
          .at = base::WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h + 5ms},
          .by = "olga",
          .why = "incident 7",
          .source_address = "192.0.2.9",
          .asked = {{"scope", "profile"}, {"inferenceProfileIdentifier", "us.x"}},
          .became = {}};
}

TEST(ActRecord, SaysWhoDidWhatWhenAndWhyAndIsNoCall) {
  const json record = json::parse(act_record(a_freeze(), "e-1", "us-east-1"));
  EXPECT_EQ(record["eventType"], "AwsServiceEvent");
  EXPECT_EQ(record["eventName"], "FreezeInference");
  EXPECT_EQ(record["eventTime"], "2026-11-22T12:00:00Z");
  EXPECT_EQ(record["userIdentity"]["userName"], "olga");
  EXPECT_EQ(record["sourceIPAddress"], "192.0.2.9");
  EXPECT_EQ(record["awsRegion"], "us-east-1");
  EXPECT_EQ(record["eventID"], "e-1");
  EXPECT_EQ(record["requestParameters"],
            (json{{"scope", "profile"}, {"inferenceProfileIdentifier", "us.x"}, {"reason", "incident 7"}}));
  EXPECT_TRUE(record["responseElements"].is_null());
  EXPECT_EQ(record["readOnly"], false);
}

TEST(ActRecord, SaysWhatCameOfIt) {
  domain::Act act = a_freeze();
  act.became = {{"version", "3"}};
  EXPECT_EQ(json::parse(act_record(act, "e-1", "us-east-1"))["responseElements"], (json{{"version", "3"}}));
}

TEST(ActRecord, IsOneLineOfJsonWhateverWasTyped) {
  domain::Act act = a_freeze();
  act.why = std::string(5000, 'x') + "\n";
  act.by = "a\"b\xff\n";
  const std::string line = act_record(act, "e-1", "us-east-1");
  EXPECT_EQ(line.find('\n'), line.npos);
  const json record = json::parse(line);
  EXPECT_EQ(record["requestParameters"]["reason"].get<std::string>().size(), 1024u);
  EXPECT_EQ(record["userIdentity"]["userName"], "a\"b\xef\xbf\xbd\n");
}

}  // namespace
}  // namespace portolan::trail
