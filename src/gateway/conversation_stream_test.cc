// SPDX-License-Identifier: Apache-2.0
// Conversations whose answer is a stream: what is passed on, what a cut leaves, when the end may leave.
#include "gateway/test_conversation.h"

namespace portolan::gateway::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string joined(const std::vector<std::string>& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  return all;
}

struct SentFrame {
  std::string message_type;
  std::string type;
  std::string payload;
};

/// Takes an answered event stream apart; what is no whole frame at its end fails the test.
std::vector<SentFrame> frames_of(std::string_view bytes) {
  std::vector<SentFrame> frames;
  while (!bytes.empty()) {
    const auto frame = wire::read_frame(bytes);
    if (!frame || !frame->has_value()) {
      ADD_FAILURE() << "the answer ends within a frame";
      break;
    }
    const wire::Frame& read = **frame;
    frames.push_back({std::string(read.message_type), std::string(read.type), std::string(read.payload)});
    bytes.remove_prefix(read.bytes.size());
  }
  return frames;
}

TEST(StreamedConversation, AStreamIsPassedOnFrameByFrameUnchanged) {
  Conversation talk;
  talk.region("us-east-1", {streams(a_whole_stream())});
  const Answer answer = talk.ask(converse_stream());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("content-type"), "application/vnd.amazon.eventstream");
  EXPECT_EQ(answer.field("x-portolan-inference-region"), "us-east-1");
  EXPECT_EQ(answer.pieces, a_whole_stream());
  EXPECT_EQ(talk.record()["additionalEventData"]["outputTokens"], 3);
  EXPECT_EQ(talk.record()["portolan"]["stream"], true);
  EXPECT_TRUE(talk.regions.seen()[0].reused_after);
}

TEST(StreamedConversation, FramesComeOutWholeWhereverTheyWereSplit) {
  const std::size_t length = joined(a_whole_stream()).size();
  for (std::size_t size = 1; size <= length; ++size) {
    Conversation talk;
    talk.region("us-east-1", {in_pieces_of(size, streams(a_whole_stream()))});
    const Answer answer = talk.ask(converse_stream());
    EXPECT_EQ(answer.body, joined(a_whole_stream())) << size;
    for (const std::string& piece : answer.pieces) EXPECT_THAT(frames_of(piece), Not(IsEmpty())) << size;
  }
}

TEST(StreamedConversation, AStreamThatComesInOnePieceStillWaitsWithItsEndForTheRecord) {
  Conversation talk;
  talk.region("us-east-1", {streams({joined(a_whole_stream())})});
  const Answer answer = talk.ask(converse_stream());
  ASSERT_EQ(answer.pieces.size(), 2u);
  EXPECT_EQ(answer.pieces[1], metadata());
}

TEST(StreamedConversation, AStreamOfNothingButItsEndIsServed) {
  Conversation talk;
  talk.region("us-east-1", {streams({metadata()})});
  const Answer answer = talk.ask(converse_stream());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, metadata());
}

TEST(StreamedConversation, AFirstFrameThatIsAnExceptionMovesOn) {
  Conversation talk;
  talk.region("us-east-1", {streams({exception_frame("throttlingException", "Too many tokens.")})})
      .region("us-east-2", {streams(a_whole_stream())});
  const Answer answer = talk.ask(converse_stream());
  EXPECT_EQ(answer.body, joined(a_whole_stream()));
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_throttled, us-east-2 served");
}

TEST(StreamedConversation, AStreamCutBeforeAnyWholeFrameMovesOn) {
  Conversation talk;
  talk.region("us-east-1", {cut(streams({message_start().substr(0, 20)}))})
      .region("us-east-2", {streams(a_whole_stream())});
  const Answer answer = talk.ask(converse_stream());
  EXPECT_EQ(answer.body, joined(a_whole_stream()));
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_cut, us-east-2 served");
}

TEST(StreamedConversation, AStreamThatEndsEmptyMovesOn) {
  Conversation talk;
  talk.region("us-east-1", {streams({})}).region("us-east-2", {streams(a_whole_stream())});
  EXPECT_EQ(talk.ask(converse_stream()).body, joined(a_whole_stream()));
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_cut, us-east-2 served");
}

TEST(StreamedConversation, NothingOfAFailedAttemptIsLeftInTheNextOne) {
  // All in one read: a whole answer with its end, then bytes that are no frame. Nothing was sent yet, so it moves
  // on; the first Region's end must not come out behind the second's answer.
  Conversation talk;
  talk.region("us-east-1", {streams({message_start() + metadata(900, 900) + std::string(16, 'x')})})
      .region("us-east-2", {streams(a_whole_stream())});
  const Answer answer = talk.ask(converse_stream());
  EXPECT_EQ(answer.body, joined(a_whole_stream()));
  EXPECT_EQ(talk.record()["additionalEventData"]["inputTokens"], 11);
}

TEST(StreamedConversation, AStreamCutAfterItsFirstFrameEndsWithTheTypedException) {
  for (const bool clean : {true, false}) {
    Conversation talk;
    Act act = streams({message_start(), text_delta("Hel")});
    if (!clean) act = cut(act);
    talk.region("us-east-1", {act});
    const Answer answer = talk.ask(converse_stream());
    EXPECT_EQ(answer.status, 200);
    const std::vector<SentFrame> frames = frames_of(answer.body);
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames[2].message_type, "exception");
    EXPECT_EQ(frames[2].type, "modelStreamErrorException");
    EXPECT_EQ(talk.attempts(), "us-east-1 stream_cut");
    const Json record = talk.record();
    EXPECT_EQ(record["errorCode"], "ModelStreamErrorException");
    EXPECT_EQ(record["portolan"]["stage"], "attempt");
    EXPECT_EQ(record["additionalEventData"]["inferenceRegion"], "us-east-1");
    EXPECT_FALSE(record["additionalEventData"].contains("outputTokens")) << "it never told";
  }
}

TEST(StreamedConversation, AStreamCutWithinAFrameSendsNothingOfThatFrame) {
  Conversation talk;
  talk.region("us-east-1", {cut(streams({message_start(), text_delta("Hel").substr(0, 30)}))});
  const std::vector<SentFrame> frames = frames_of(talk.ask(converse_stream()).body);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].type, "messageStart");
  EXPECT_EQ(frames[1].type, "modelStreamErrorException");
}

TEST(StreamedConversation, AStreamThatFallsSilentIsCutAfterTheTimeForAPiece) {
  Conversation talk("deadlines: {chunk: 4s}");
  talk.region("us-east-1", {then_silent(streams({message_start()}))});
  const base::Instant before = talk.clock.now();
  const std::vector<SentFrame> frames = frames_of(talk.ask(converse_stream()).body);
  EXPECT_EQ(frames.at(1).type, "modelStreamErrorException");
  EXPECT_GE(talk.clock.now() - before, base::seconds{4});
  EXPECT_LE(talk.clock.now() - before, base::seconds{5});
}

TEST(StreamedConversation, AStreamMayTakeLongAsLongAsItGoesOn) {
  Conversation talk("deadlines: {first_byte: 5s, chunk: 4s}");
  talk.region("us-east-1", {slowly(base::seconds{3}, streams(a_whole_stream()))});
  EXPECT_EQ(talk.ask(converse_stream()).body, joined(a_whole_stream()));
}

TEST(StreamedConversation, AnExceptionInTheMiddleOfAStreamEndsIt) {
  Conversation talk;
  talk.region("us-east-1",
              {streams({message_start(), exception_frame("throttlingException", "Too many. (Say hello)")})});
  const std::vector<SentFrame> frames = frames_of(talk.ask(converse_stream()).body);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[1].type, "modelStreamErrorException");
  EXPECT_THAT(frames[1].payload, HasSubstr("Too many. (Say hello)"))
      << "its own prompt may be quoted to the caller";
}

TEST(StreamedConversation, AFrameWithAWrongChecksumAfterTheFirstCutsTheStream) {
  std::string damaged = text_delta("Hel");
  damaged[damaged.size() - 10] ^= 1;
  Conversation talk;
  talk.region("us-east-1", {streams({message_start(), damaged, message_stop(), metadata()})});
  const Answer answer = talk.ask(converse_stream());
  const std::vector<SentFrame> frames = frames_of(answer.body);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[1].type, "modelStreamErrorException");
  EXPECT_FALSE(talk.regions.seen()[0].reused_after);
}

TEST(StreamedConversation, ACallerThatLeavesAStreamIsRecordedAndTheRegionIsNotBlamed) {
  Conversation talk;
  talk.region("us-east-1", {streams(a_whole_stream())});
  Answer answer;
  answer.leaves_after_pieces = 2;
  talk.ask(converse_stream(), answer);
  EXPECT_EQ(talk.attempts(), "us-east-1 caller_gone");
  EXPECT_EQ(talk.fleet.health(0).failures_in_a_row, 0u);
  EXPECT_EQ(talk.record()["additionalEventData"]["inferenceRegion"], "us-east-1");
}

TEST(StreamedConversation, TheEndOfAStreamLeavesOnlyWhenItsRecordIsDurable) {
  Conversation talk;
  talk.region("us-east-1", {streams(a_whole_stream())});
  talk.disk.close_gate();
  Answer answer;
  talk.begin(converse_stream(), answer);
  while (!talk.disk.somebody_waits()) talk.io().run_one_for(std::chrono::milliseconds{10});
  talk.io().poll();
  EXPECT_FALSE(answer.whole);
  EXPECT_EQ(frames_of(answer.body).back().type, "messageStop");
  talk.disk.open_gate();
  while (!talk.done()) talk.io().run_one_for(std::chrono::seconds{20});
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(frames_of(answer.body).back().type, "metadata");
  EXPECT_EQ(talk.records().size(), 1u);
}

TEST(StreamedConversation, WithABrokenTrailAStreamEndsWithTheTypedError) {
  Conversation talk;
  talk.region("us-east-1", {streams(a_whole_stream())});
  talk.disk.disk().set_faults({.sync_error_at = talk.disk.disk().operations() + 1});
  const std::vector<SentFrame> frames = frames_of(talk.ask(converse_stream()).body);
  ASSERT_EQ(frames.size(), 5u);
  EXPECT_EQ(frames[3].type, "messageStop");
  EXPECT_EQ(frames[4].message_type, "exception");
  EXPECT_EQ(frames[4].type, "serviceUnavailableException");
}

}  // namespace
}  // namespace portolan::gateway::testing
