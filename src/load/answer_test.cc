// SPDX-License-Identifier: Apache-2.0
#include "load/answer.h"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "wire/event_stream.h"

namespace portolan::load {
namespace {

using domain::Operation;

std::string chunk(std::string_view payload) {
  return fmt::format("{:x}\r\n{}\r\n", payload.size(), payload);
}
std::string chunked_head(std::string_view type) {
  return fmt::format(
      "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n"
      "x-portolan-inference-region: eu-west-3\r\n\r\n",
      type);
}
std::string event_stream(bool with_metadata) {
  std::string frames;
  wire::append_event_frame(frames, "messageStart", "{}");
  wire::append_event_frame(frames, "contentBlockDelta", R"({"delta":{"text":"hi"}})");
  if (with_metadata) wire::append_event_frame(frames, "metadata", "{}");
  return chunked_head("application/vnd.amazon.eventstream") + chunk(frames.substr(0, 50)) +
         chunk(frames.substr(50)) + "0\r\n\r\n";
}
std::string sse(std::string_view last) {
  return chunked_head("text/event-stream") + chunk("data: {\"a\":1}\n\n") +
         chunk(fmt::format("data: {}\n\n", last)) + "0\r\n\r\n";
}

/// Gives `bytes` in pieces of `piece` bytes.
base::Result<void> feed(Answer& answer, std::string_view bytes, std::size_t piece) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
    TRY_VOID(answer.take(bytes.substr(0, piece)));
  return {};
}

TEST(LoadAnswer, ReadsTheSameWhateverThePiecesItComesIn) {
  const std::string bytes = event_stream(true);
  for (const std::size_t piece : {1u, 2u, 7u, 64u, 10'000u}) {
    Answer answer{Operation::converse_stream, true};
    ASSERT_TRUE(feed(answer, bytes, piece)) << piece;
    EXPECT_TRUE(answer.complete());
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.region(), "eu-west-3");
    EXPECT_TRUE(answer.keep_alive());
  }
}

TEST(LoadAnswer, AWholeBodyEndsAtItsLength) {
  Answer answer{Operation::converse, false};
  ASSERT_TRUE(answer.take("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n123"));
  EXPECT_FALSE(answer.ended());
  ASSERT_TRUE(answer.take("45"));
  EXPECT_TRUE(answer.complete());
  EXPECT_EQ(answer.payload_bytes(), 5u);
  EXPECT_FALSE(answer.take("6")) << "nothing may follow";
}

TEST(LoadAnswer, AnEventStreamWithoutMetadataIsNotComplete) {
  Answer answer{Operation::converse_stream, true};
  ASSERT_TRUE(answer.take(event_stream(false)));
  EXPECT_TRUE(answer.ended());
  EXPECT_FALSE(answer.complete());
}

TEST(LoadAnswer, AModelsOwnStreamEndsWithItsMetrics) {
  const auto native = [](std::string_view json) {
    std::string frame;
    wire::append_event_frame(frame, "chunk",
                             fmt::format(R"({{"bytes":"{}"}})", base::to_base64(base::as_bytes(json))));
    return chunk(frame);
  };
  const std::string begun = chunked_head("x") + native(R"({"type":"message_start","message":{}})");
  Answer cut{Operation::invoke_model_stream, true};
  ASSERT_TRUE(cut.take(begun + "0\r\n\r\n"));
  EXPECT_TRUE(cut.ended());
  EXPECT_FALSE(cut.complete());
  Answer complete{Operation::invoke_model_stream, true};
  const auto taken = complete.take(
      begun +
      native(
          R"({"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":1,"outputTokenCount":2}})") +
      "0\r\n\r\n");
  ASSERT_TRUE(taken) << (taken ? "" : taken.error().message);
  EXPECT_TRUE(complete.complete());
}

TEST(LoadAnswer, AnExceptionInTheStreamIsNamed) {
  std::string frames;
  wire::append_event_frame(frames, "messageStart", "{}");
  wire::append_exception_frame(frames, "throttlingException", "{}");
  Answer answer{Operation::converse_stream, true};
  ASSERT_TRUE(answer.take(chunked_head("x") + chunk(frames) + "0\r\n\r\n"));
  EXPECT_EQ(answer.exception(), "throttlingException");
  EXPECT_FALSE(answer.complete());
}

TEST(LoadAnswer, ServerSentEventsAreCompleteWithDoneOnly) {
  Answer complete{Operation::chat_completions, true};
  ASSERT_TRUE(complete.take(sse("[DONE]")));
  EXPECT_TRUE(complete.complete());
  Answer cut{Operation::chat_completions, true};
  ASSERT_TRUE(cut.take(sse("{}")));
  EXPECT_TRUE(cut.ended());
  EXPECT_FALSE(cut.complete());
  Answer failed{Operation::chat_completions, true};
  ASSERT_TRUE(failed.take(sse(R"({"error":{"message":"cut"}})")));
  EXPECT_EQ(failed.exception(), "error");
}

TEST(LoadAnswer, AnErrorIsAWholeBodyAlsoWhereAStreamWasAsked) {
  Answer answer{Operation::converse_stream, true};
  ASSERT_TRUE(
      answer.take("HTTP/1.1 429 Too Many Requests\r\nx-amzn-errortype: ThrottlingException:http://x\r\n"
                  "content-length: 2\r\nconnection: close\r\n\r\n{}"));
  EXPECT_TRUE(answer.ended());
  EXPECT_EQ(answer.error_type(), "ThrottlingException");
  EXPECT_FALSE(answer.keep_alive());
}

TEST(LoadAnswer, ABodyWithoutALengthEndsWithTheConnection) {
  Answer answer{Operation::converse, false};
  ASSERT_TRUE(answer.take("HTTP/1.1 200 OK\r\n\r\nabc"));
  EXPECT_FALSE(answer.ended());
  answer.end_of_input();
  EXPECT_TRUE(answer.complete());
  EXPECT_FALSE(answer.keep_alive());
}

TEST(LoadAnswer, AnEarlyEndOfALengthIsNoEnd) {
  Answer answer{Operation::converse, false};
  ASSERT_TRUE(answer.take("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n123"));
  answer.end_of_input();
  EXPECT_FALSE(answer.ended());
}

TEST(LoadAnswer, SkipsWhatOnlyAnnouncesTheAnswer) {
  Answer answer{Operation::converse, false};
  const std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  ASSERT_TRUE(feed(answer, bytes, 3));
  EXPECT_EQ(answer.status(), 200);
  EXPECT_TRUE(answer.complete());
}

TEST(LoadAnswer, RefusesWhatIsNoAnswer) {
  EXPECT_FALSE(Answer(Operation::converse, false).take("SSH-2.0-OpenSSH\r\n\r\n"));
  EXPECT_FALSE(Answer(Operation::converse, false).take(chunked_head("x") + "zz\r\n"));
  EXPECT_FALSE(Answer(Operation::converse_stream, true).take(chunked_head("x") + chunk(std::string(64, 'x'))));
  EXPECT_FALSE(Answer(Operation::converse, false).take("HTTP/1.1 200 OK\r\nx: " + std::string(70'000, 'x')));
}

}  // namespace
}  // namespace portolan::load
