// SPDX-License-Identifier: Apache-2.0
#include "wire/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <utility>
#include <vector>

namespace portolan::wire {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using Events = std::vector<std::pair<std::string, std::string>>;

/// Type and data of every event, fed in pieces of `piece_bytes`.
Events read(std::string_view bytes, std::size_t piece_bytes = std::string_view::npos) {
  Events events;
  SseReader reader;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    while (reader.next(piece).value()) events.emplace_back(reader.event(), reader.data());
    EXPECT_TRUE(piece.empty());
  }
  return events;
}

TEST(Sse, ReadsWhatItWrites) {
  std::string out;
  append_sse(out, R"({"a":1})");
  append_sse(out, "");
  append_sse(out, "[DONE]");
  EXPECT_EQ(out, "data: {\"a\":1}\n\ndata: \n\ndata: [DONE]\n\n");
  EXPECT_THAT(read(out),
              ElementsAre(Pair("message", R"({"a":1})"), Pair("message", ""), Pair("message", "[DONE]")));
}

TEST(Sse, WritesALineForEachLineOfData) {
  std::string out;
  append_sse(out, "a\nb\r\nc\rd\n");
  EXPECT_EQ(out, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
  EXPECT_THAT(read(out), ElementsAre(Pair("message", "a\nb\nc\nd\n")));
}

TEST(Sse, TakesEveryLineEndHoweverItIsCut) {
  for (const std::string_view bytes :
       {"data: a\n\ndata: b\n\n", "data: a\r\rdata: b\r\r", "data: a\r\n\r\ndata: b\r\n\r\n",
        "data: a\n\r\ndata: b\r\n\r", "data: a\r\n\rdata: b\n\n"}) {
    for (const std::size_t piece_bytes : {1, 2, 3, 100}) {
      EXPECT_THAT(read(bytes, piece_bytes), ElementsAre(Pair("message", "a"), Pair("message", "b")))
          << bytes << piece_bytes;
    }
  }
}

TEST(Sse, FollowsTheExamplesOfTheStandard) {
  // WHATWG HTML 9.2.6.
  EXPECT_THAT(read("data: YHOO\ndata: +2\ndata: 10\n\n"), ElementsAre(Pair("message", "YHOO\n+2\n10")));
  EXPECT_THAT(read(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
              ElementsAre(Pair("message", "first event"), Pair("message", "second event"),
                          Pair("message", " third event")));
  EXPECT_THAT(read("data\n\ndata\ndata\n\ndata:"), ElementsAre(Pair("message", ""), Pair("message", "\n")));
  EXPECT_THAT(read("data:test\n\ndata: test\n\n"), ElementsAre(Pair("message", "test"), Pair("message", "test")));
}

TEST(Sse, NamesTheTypeOfOneEventOnly) {
  EXPECT_THAT(read("event: delta\ndata: a\n\ndata: b\n\n"), ElementsAre(Pair("delta", "a"), Pair("message", "b")));
  EXPECT_THAT(read("event: a\nevent: b\ndata: x\n\n"), ElementsAre(Pair("b", "x")));
  EXPECT_THAT(read("event: lost\n\ndata: b\n\n"), ElementsAre(Pair("message", "b")));
}

TEST(Sse, IgnoresCommentsAndFieldsItDoesNotKnow) {
  EXPECT_THAT(read(":\n:data: no\nretry: 5\nDATA: no\n data: no\nother: x\nno colon\ndata: yes\n\n"),
              ElementsAre(Pair("message", "yes")));
}

TEST(Sse, SkipsOneByteOrderMarkAtTheStartOnly) {
  for (const std::size_t piece_bytes : {1, 2, 100}) {
    EXPECT_THAT(read("\xef\xbb\xbf"
                     "data: a\n\n\xef\xbb\xbf"
                     "data: b\n\ndata: c\n\n",
                     piece_bytes),
                ElementsAre(Pair("message", "a"), Pair("message", "c")));
  }
}

TEST(Sse, DropsAnEventThatTheStreamEndsWithin) {
  EXPECT_THAT(read("data: a\n"), IsEmpty());
  EXPECT_THAT(read("data: a"), IsEmpty());
  EXPECT_THAT(read("\n\n\n"), IsEmpty());
}

TEST(Sse, LeavesTheNextEventInTheInput) {
  SseReader reader;
  std::string_view input = "data: a\n\ndata: b\n\n";
  ASSERT_TRUE(reader.next(input).value());
  EXPECT_EQ(reader.data(), "a");
  EXPECT_EQ(input, "data: b\n\n");
}

TEST(Sse, RefusesALineBeyondItsBound) {
  SseReader reader(16);
  std::string_view input = "data: 0123456789";  // 16 bytes and no end
  EXPECT_FALSE(reader.next(input).value());
  input = "x";
  const auto result = reader.next(input);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Code::upstream_malformed);
}

TEST(Sse, RefusesAnEventBeyondItsBound) {
  SseReader reader(16);
  std::string_view input = "data: 01234567\ndata: 01234567\n\n";
  const auto result = reader.next(input);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Code::upstream_malformed);

  SseReader lenient(17);
  input = "data: 01234567\ndata: 01234567\n\n";
  EXPECT_TRUE(lenient.next(input).value());
}

}  // namespace
}  // namespace portolan::wire
