// SPDX-License-Identifier: Apache-2.0
#include "trail/lookup.h"

#include <atomic>
#include <deque>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <thread>

#include "sim/crash_disk.h"
#include "trail/record.h"
#include "trail/segment.h"
#include "trail/segment_files.h"
#include "trail/segment_index.h"
#include "trail/trail.h"

namespace portolan::trail {
namespace {

constexpr char directory[] = "data/trail";

base::WallTime at(std::string_view text) {
  base::WallTime time;
  EXPECT_TRUE(base::parse_time(text, time)) << text;
  return time;
}

const domain::Principal alice{.arn = "arn:aws:iam::111122223333:user/alice",
                              .user_name = "alice",
                              .account_id = "111122223333",
                              .tenant = "research",
                              .access_key_id = "AKIDALICE",
                              .key_id = "research/alice"};
const domain::Principal bob{.arn = "arn:aws:iam::444455556666:user/bob",
                            .user_name = "bob",
                            .account_id = "444455556666",
                            .tenant = "shop",
                            .key_id = "shop/bob"};

CallFacts call(std::string_view id, const domain::Principal* principal, std::string_view began) {
  CallFacts facts;
  facts.call_id = id;
  facts.event_id = id;
  facts.began = at(began);
  facts.operation = domain::Operation::converse;
  facts.principal = principal;
  facts.source_region = "eu-central-1";
  facts.inference_region = "eu-west-3";
  facts.requested_model = "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.model";
  facts.profile_id = "eu.model";
  return facts;
}

class Lookup : public testing::Test {
 protected:
  void write(const std::vector<CallFacts>& calls, std::uint64_t segment_bytes = 64 << 20) {
    std::deque<Entry> entries;
    auto trail = Trail::open({.directory = directory, .segment_bytes = segment_bytes, .writer_thread = false},
                             disk_, [](auto) {});
    ASSERT_TRUE(trail);
    for (const CallFacts& facts : calls) {
      write_record(facts, entries.emplace_back().json);
      ASSERT_TRUE((*trail)->append(&entries.back()));
      (*trail)->flush();
    }
  }

  /// Served, denied, failed, unidentified: one each.
  void write_four() {
    static const base::Error denied = base::error(base::Code::access_denied, "not yours");
    static const base::Error throttled = base::error(base::Code::upstream_throttled, "too many");
    static const base::Error unknown = base::error(base::Code::unknown_access_key, "who?");
    CallFacts second = call("call-2", &bob, "2026-11-21T10:00:01Z");
    second.error = &denied;
    second.stage = domain::Stage::permit;
    second.inference_region = {};
    CallFacts third = call("call-3", &alice, "2026-11-21T10:00:02.900Z");
    third.error = &throttled;
    third.stage = domain::Stage::attempt;
    third.inference_region = {};
    third.operation = domain::Operation::converse_stream;
    third.source_region = "us-east-1";
    third.profile_id = "us.model";
    third.requested_model = "us.model";
    CallFacts fourth = call("call-4", nullptr, "2026-11-21T10:00:03Z");
    fourth.error = &unknown;
    fourth.stage = domain::Stage::identify;
    fourth.presented_key_id = "AKIDSTRANGER";
    fourth.inference_region = {};
    write({call("call-1", &alice, "2026-11-21T10:00:00Z"), second, third, fourth});
  }

  /// The ids of what is found, joined.
  std::string found(const Filter& filter) {
    const auto lines = lookup(disk_, directory, filter);
    EXPECT_TRUE(lines) << lines.error().message;
    std::string ids;
    if (!lines) return ids;
    for (const std::string& line : *lines)
      ids += (ids.empty() ? "" : " ") + nlohmann::json::parse(line)["requestID"].get<std::string>();
    return ids;
  }

  sim::CrashDisk disk_{1};
};

TEST_F(Lookup, FindsNewestFirstUpToTheLimit) {
  write_four();
  EXPECT_EQ(found({}), "call-4 call-3 call-2 call-1");
  EXPECT_EQ(found({.limit = 2}), "call-4 call-3");
  EXPECT_EQ(found({.limit = 0}), "call-4 call-3 call-2 call-1");
}

TEST_F(Lookup, FiltersByWhoWhatWhereAndHowItEnded) {
  write_four();
  EXPECT_EQ(found({.principal = "arn:aws:iam::111122223333:user/alice"}), "call-3 call-1");
  EXPECT_EQ(found({.principal = "alice"}), "call-3 call-1");
  EXPECT_EQ(found({.principal = "AKIDALICE"}), "call-3 call-1");
  EXPECT_EQ(found({.principal = "shop/bob"}), "call-2");
  EXPECT_EQ(found({.principal = "AKIDSTRANGER"}), "call-4");
  EXPECT_EQ(found({.principal = "Alice"}), "");
  EXPECT_EQ(found({.tenant = "shop"}), "call-2");
  EXPECT_EQ(found({.profile = "us.model"}), "call-3");
  EXPECT_EQ(found({.profile = "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.model"}),
            "call-4 call-2 call-1");
  EXPECT_EQ(found({.source_region = "us-east-1"}), "call-3");
  EXPECT_EQ(found({.inference_region = "eu-west-3"}), "call-1");
  EXPECT_EQ(found({.inference_region = "eu-central-1"}), "") << "the source Region is another question";
  EXPECT_EQ(found({.outcome = "served"}), "call-1");
  EXPECT_EQ(found({.outcome = "denied"}), "call-4 call-2");
  EXPECT_EQ(found({.outcome = "failed"}), "call-3");
  EXPECT_EQ(found({.outcome = "AccessDenied"}), "call-2");
  EXPECT_EQ(found({.outcome = "ThrottlingException"}), "call-3");
  EXPECT_EQ(found({.call_id = "call-2"}), "call-2");
  EXPECT_EQ(found({.event_name = "ConverseStream"}), "call-3");
  EXPECT_EQ(found({.principal = "alice", .outcome = "served"}), "call-1");
  EXPECT_EQ(found({.principal = "alice", .tenant = "shop"}), "");
}

TEST_F(Lookup, RefusesAnOutcomeThatNoRecordCanHave) {
  write_four();
  const auto refused = lookup(disk_, directory, {.outcome = "AccesDenied"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::usage);
  EXPECT_TRUE(refused.error().message.ends_with("; did you mean AccessDenied?")) << refused.error().message;
  const auto far = lookup(disk_, directory, {.outcome = "nonsense"});
  ASSERT_FALSE(far);
  EXPECT_TRUE(far.error().message.ends_with("is expected")) << far.error().message;
}

TEST_F(Lookup, FiltersByTimeFromInclusiveUntilExclusive) {
  write_four();
  EXPECT_EQ(found({.from = at("2026-11-21T10:00:02Z")}), "call-4 call-3");
  EXPECT_EQ(found({.from = at("2026-11-21T10:00:02.950Z")}), "call-4 call-3") << "eventTime has whole seconds";
  EXPECT_EQ(found({.until = at("2026-11-21T10:00:02Z")}), "call-2 call-1");
  EXPECT_EQ(found({.from = at("2026-11-21T10:00:01Z"), .until = at("2026-11-21T10:00:02Z")}), "call-2");
  EXPECT_EQ(found({.from = at("2026-11-21T10:00:01Z"), .until = at("2026-11-21T10:00:03Z"), .tenant = "research"}),
            "call-3");
}

TEST_F(Lookup, FindsTextThatHadToBeEscaped) {
  CallFacts facts = call("call-1", nullptr, "2026-11-21T10:00:00Z");
  facts.requested_model = "a\"b\\c\n\xc3\xbc";
  write({facts});
  EXPECT_EQ(found({.profile = "a\"b\\c\n\xc3\xbc"}), "call-1");
}

TEST_F(Lookup, IsNotFooledByTheSameTextInAnotherField) {
  CallFacts facts = call("call-1", &bob, "2026-11-21T10:00:00Z");
  facts.user_agent = "alice";
  write({facts});
  EXPECT_EQ(found({.principal = "alice"}), "");
  EXPECT_EQ(found({.tenant = "bob"}), "");
}

TEST_F(Lookup, ReadsAcrossSegmentsAndBlocks) {
  std::vector<CallFacts> calls;
  std::deque<std::string> ids;
  std::string expected;
  for (int n = 0; n < 3000; ++n) {
    calls.push_back(call(ids.emplace_back(std::to_string(n)), &alice, "2026-11-21T10:00:00Z"));
    expected = std::to_string(n) + (expected.empty() ? "" : " ") + expected;
  }
  write(calls, 2 << 20);
  EXPECT_GE(disk_.list(directory)->size(), 2u);
  EXPECT_EQ(found({.limit = 0}), expected);
  EXPECT_EQ(found({.call_id = "0"}), "0");
}

TEST_F(Lookup, StopsQuietlyBeforeARecordInTheMaking) {
  write_four();
  const std::string path = std::string(directory) + "/" + segment_name(1);
  const std::string whole = *disk_.content(path);
  for (const std::size_t cut : {1u, 100u, 500u}) {
    disk_.put(path, whole.substr(0, whole.size() - cut));
    EXPECT_EQ(found({}), "call-3 call-2 call-1") << cut;
  }
  disk_.put(path, whole.substr(0, header_bytes - 1));
  EXPECT_EQ(found({}), "");
}

TEST_F(Lookup, NamesFileAndOffsetOfDamage) {
  write_four();
  const std::string path = std::string(directory) + "/" + segment_name(1);
  std::string bytes = *disk_.content(path);
  bytes[header_bytes + frame_head_bytes + 5] ^= 1;
  disk_.put(path, bytes);
  const auto result = lookup(disk_, directory, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::corrupt);
  EXPECT_NE(result.error().message.find(path + ": damaged at offset 20"), std::string::npos)
      << result.error().message;
}

TEST_F(Lookup, PassesOverClosedSegmentsOfAnotherTime) {
  // One record each in segments 1 to 4, an hour apart, the second with a time that is earlier than the first's.
  write({call("call-1", &alice, "2026-11-21T10:00:00Z"), call("call-2", &alice, "2026-11-21T09:00:00Z"),
         call("call-3", &bob, "2026-11-21T12:00:00Z"), call("call-4", &bob, "2026-11-21T13:00:00Z")},
        100);
  const auto damage = [&](std::uint32_t number) {
    const std::string path = std::string(directory) + "/" + segment_name(number);
    std::string bytes = *disk_.content(path);
    bytes[header_bytes + frame_head_bytes + 5] ^= 1;
    disk_.put(path, bytes);
  };
  const Filter early{.until = at("2026-11-21T11:00:00Z")};
  const Filter late{.from = at("2026-11-21T11:00:00Z")};
  EXPECT_EQ(found(early), "call-2 call-1");
  EXPECT_EQ(found(late), "call-4 call-3");
  EXPECT_EQ(found({.from = at("2026-11-21T09:00:00.700Z"), .until = at("2026-11-21T09:00:01Z")}), "call-2");
  EXPECT_EQ(found({.until = at("2026-11-21T09:00:00Z")}), "");
  // Whether a segment was read shows in whether its damage is noticed. An index that does not fit is not believed.
  disk_.put(std::string(directory) + "/" + index_name(1),
            *disk_.content(std::string(directory) + "/" + index_name(2)));
  EXPECT_EQ(found(early), "call-2 call-1");
  damage(3);
  EXPECT_EQ(lookup(disk_, directory, late).error().code, base::Code::corrupt);
  EXPECT_EQ(lookup(disk_, directory, early).error().code, base::Code::corrupt)
      << "its last frame is not what the index says";
}

TEST_F(Lookup, ReadsNothingOfASegmentThatItPassesOver) {
  std::vector<CallFacts> calls(4, call("early", &alice, "2026-11-21T10:00:00Z"));
  calls.push_back(call("late", &bob, "2026-11-21T12:00:00Z"));
  write(calls, 1500);
  ASSERT_TRUE(disk_.content(std::string(directory) + "/" + index_name(1)));
  ASSERT_TRUE(disk_.content(std::string(directory) + "/" + segment_name(2)));
  const std::string path = std::string(directory) + "/" + segment_name(1);
  std::string bytes = *disk_.content(path);
  bytes[header_bytes + frame_head_bytes + 5] ^= 1;
  disk_.put(path, bytes);
  EXPECT_EQ(found({.from = at("2026-11-21T11:00:00Z")}), "late");
  EXPECT_FALSE(lookup(disk_, directory, {}));
}

TEST_F(Lookup, StopsQuietlyAtSpaceThatAWriterReserved) {
  write_four();
  const std::string path = std::string(directory) + "/" + segment_name(1);
  const std::string whole = *disk_.content(path);
  disk_.put(path, whole + std::string(3 << 20, '\0'));
  EXPECT_EQ(found({}), "call-4 call-3 call-2 call-1");
  disk_.put(path, std::string(3 << 20, '\0'));
  EXPECT_EQ(found({}), "") << "a segment that is being born";
  disk_.put(path, whole.substr(0, 7) + std::string(3 << 20, '\0'));
  EXPECT_EQ(found({}), "");
}

/// A file whose later content is there only when it is read again, as in a segment that is being written.
class GrowingFile final : public world::File {
 public:
  GrowingFile(std::string first, std::string then) : first_(std::move(first)), then_(std::move(then)) {}
  base::Result<void> append(std::string_view) override { return base::fail(base::Code::disk, "not here"); }
  base::Result<void> sync() override { return {}; }
  base::Result<std::string> read(std::uint64_t offset, std::size_t size) override {
    return (reads_++ == 0 ? first_ : then_).substr(offset, size);
  }
  base::Result<std::uint64_t> size() override { return then_.size(); }
  base::Result<void> truncate(std::uint64_t) override { return {}; }

 private:
  std::string first_;
  std::string then_;
  int reads_ = 0;
};

TEST(ForEachFrame, TakesGroupsThatCameIntoReservedSpaceMeanwhileForNoDamage) {
  std::string one;
  append_header(one, 1);
  append_frame(one, "one", header_bytes);
  std::string three = one;
  append_frame(three, "two", static_cast<std::uint32_t>(three.size()));
  // Its frame is beyond what the first reading holds.
  append_frame(three, std::string(record_bytes_max, 'x'), static_cast<std::uint32_t>(three.size()));
  append_frame(three, std::string(record_bytes_max, 'y'), static_cast<std::uint32_t>(three.size()));
  append_frame(three, "five", static_cast<std::uint32_t>(three.size()));
  one.resize(three.size() + 5000, '\0');
  three.resize(one.size(), '\0');
  Segment segment{.path = "d/trail-00000001.seg", .number = 1, .size = one.size(), .open = true};
  segment.file = std::make_unique<GrowingFile>(one, three);
  std::vector<std::size_t> sizes;
  const auto whole = for_each_frame(segment, [&](const Frame& frame) {
    sizes.push_back(frame.record.size());
    return true;
  });
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, record_bytes_max, record_bytes_max, 4}));
}

TEST_F(Lookup, RefusesARecordThatIsNotJson) {
  std::string bytes;
  append_header(bytes, 1);
  append_frame(bytes, "tenant \"shop\"", header_bytes);
  disk_.put(std::string(directory) + "/" + segment_name(1), bytes);
  EXPECT_EQ(lookup(disk_, directory, {.tenant = "shop"}).error().code, base::Code::corrupt);
}

TEST_F(Lookup, SaysWhenThereIsNoTrail) {
  const auto result = lookup(disk_, directory, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::Code::disk);
}

TEST_F(Lookup, ScansOldestFirstUntilToldToStop) {
  write_four();
  std::vector<std::string> ids;
  ASSERT_TRUE(scan(disk_, directory, [&](std::string_view line) {
    ids.push_back(nlohmann::json::parse(line)["requestID"]);
    return ids.size() < 3;
  }));
  EXPECT_EQ(ids, (std::vector<std::string>{"call-1", "call-2", "call-3"}));
}

TEST_F(Lookup, SeesOnlyWholeRecordsWhileATrailWrites) {
  auto trail = Trail::open({.directory = directory, .segment_bytes = 50'000}, disk_, [](auto) {});
  ASSERT_TRUE(trail);
  std::atomic<bool> done{false};
  std::deque<Entry> entries;
  std::thread writer([&] {
    for (int n = 0; n < 3000; ++n) {
      write_record(call(std::to_string(n), &alice, "2026-11-21T10:00:00Z"), entries.emplace_back().json);
      ASSERT_TRUE((*trail)->append(&entries.back()));
      if (n % 16 == 0) (*trail)->flush();
    }
    (*trail)->flush();
    done = true;
  });
  std::size_t seen = 0;
  while (!done) {
    const auto lines = lookup(disk_, directory, {.limit = 0});
    ASSERT_TRUE(lines) << lines.error().message;
    ASSERT_GE(lines->size(), seen);
    seen = lines->size();
    for (std::size_t i = 0; i < seen; ++i) {
      ASSERT_NE((*lines)[i].find("\"requestID\":\"" + std::to_string(seen - 1 - i) + "\""), std::string::npos);
    }
  }
  writer.join();
  EXPECT_EQ(lookup(disk_, directory, {.limit = 0})->size(), 3000u);
}

}  // namespace
}  // namespace portolan::trail
