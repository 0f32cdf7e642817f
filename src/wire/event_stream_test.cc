// SPDX-License-Identifier: Apache-2.0
#include "wire/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"

namespace portolan::wire {
namespace {

using base::Code;
using testing::HasSubstr;

std::string be16(std::uint16_t value) {
  std::uint8_t bytes[2];
  base::put_be16(bytes, value);
  return std::string(base::as_text(bytes));
}

std::string be32(std::uint32_t value) {
  std::uint8_t bytes[4];
  base::put_be32(bytes, value);
  return std::string(base::as_text(bytes));
}

std::string header(std::string_view name, char type, std::string_view value) {
  return static_cast<char>(name.size()) + std::string(name) + type + std::string(value);
}

std::string string_header(std::string_view name, std::string_view value) {
  return header(name, 7, be16(static_cast<std::uint16_t>(value.size())) + std::string(value));
}

/// A frame made independently of the writer, with right checksums over whatever lengths it is given.
std::string frame_of(std::string_view headers, std::string_view payload,
                     std::optional<std::uint32_t> headers_bytes = {}) {
  std::string bytes = be32(static_cast<std::uint32_t>(16 + headers.size() + payload.size())) +
                      be32(headers_bytes.value_or(static_cast<std::uint32_t>(headers.size())));
  bytes += be32(base::crc32(base::as_bytes(bytes)));
  bytes += headers;
  bytes += payload;
  return bytes + be32(base::crc32(base::as_bytes(bytes)));
}

void expect_malformed(std::string_view bytes, std::string_view problem) {
  const auto frame = read_frame(bytes);
  ASSERT_FALSE(frame.has_value()) << problem;
  EXPECT_EQ(frame.error().code, Code::upstream_malformed);
  EXPECT_THAT(frame.error().message, HasSubstr(problem));
}

TEST(EventStream, ReadsTheFrameThatAwsDocuments) {
  // awslabs/aws-c-event-stream, tests/message_deserializer_test.c: payload {'foo':'bar'}, one header.
  const std::string header_bytes = string_header("content-type", "application/json");
  const std::string bytes = frame_of(header_bytes, "{'foo':'bar'}");
  EXPECT_EQ(base::to_hex(base::as_bytes(bytes.substr(0, 12))), "0000003d0000002007fd8396");
  EXPECT_EQ(base::to_hex(base::as_bytes(bytes.substr(bytes.size() - 4))), "8d9c08b1");
  const auto frame = read_frame(bytes);
  ASSERT_TRUE(frame.has_value() && frame->has_value());
  EXPECT_EQ((*frame)->payload, "{'foo':'bar'}");
  EXPECT_EQ((*frame)->message_type, "");
  EXPECT_EQ((*frame)->type, "");
}

TEST(EventStream, ReadsTheEmptyFrame) {
  // The same suite: no headers, no payload.
  std::string bytes;
  ASSERT_TRUE(base::from_hex("000000100000000005c248eb7d98c8ff", bytes));
  const auto frame = read_frame(bytes);
  ASSERT_TRUE(frame.has_value() && frame->has_value());
  EXPECT_EQ((*frame)->payload, "");
  EXPECT_EQ((*frame)->bytes, bytes);
}

TEST(EventStream, WritesWhatItReads) {
  std::string out = "before";
  append_event_frame(out, "contentBlockDelta", R"({"delta":{"text":"hi"}})");
  append_exception_frame(out, "modelStreamErrorException", R"({"message":"cut"})");
  std::string_view rest = std::string_view(out).substr(6);

  const auto event = read_frame(rest).value();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->message_type, "event");
  EXPECT_EQ(event->type, "contentBlockDelta");
  EXPECT_EQ(event->payload, R"({"delta":{"text":"hi"}})");
  EXPECT_EQ(event->bytes.data(), rest.data());
  EXPECT_EQ(event->bytes,
            frame_of(string_header(":message-type", "event") + string_header(":event-type", "contentBlockDelta") +
                         string_header(":content-type", "application/json"),
                     event->payload));
  rest.remove_prefix(event->bytes.size());

  const auto exception = read_frame(rest).value();
  ASSERT_TRUE(exception.has_value());
  EXPECT_EQ(exception->message_type, "exception");
  EXPECT_EQ(exception->type, "modelStreamErrorException");
  EXPECT_EQ(exception->payload, R"({"message":"cut"})");
  rest.remove_prefix(exception->bytes.size());
  EXPECT_TRUE(rest.empty());
}

TEST(EventStream, WaitsForEveryByteButTheLast) {
  std::string bytes;
  append_event_frame(bytes, "messageStop", "{}");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto frame = read_frame(std::string_view(bytes).substr(0, size));
    ASSERT_TRUE(frame.has_value()) << size;
    EXPECT_FALSE(frame->has_value()) << size;
  }
}

TEST(EventStream, DetectsEverySingleBrokenByte) {
  std::string bytes;
  append_event_frame(bytes, "messageStop", R"({"stopReason":"end_turn"})");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string broken = bytes;
    broken[i] = static_cast<char>(broken[i] ^ 0x20);
    EXPECT_FALSE(read_frame(broken).has_value()) << i;
  }
}

TEST(EventStream, RefusesJsonThatIsNotFramed) {
  expect_malformed(R"({"message":"The security token is invalid"})", "checksum of the prelude");
}

TEST(EventStream, SkipsAllTenHeaderTypes) {
  const std::string headers = header("t", 0, "") + header("f", 1, "") + header("b", 2, "1") + header("s", 3, "22") +
                              header("i", 4, "4444") + header("l", 5, "88888888") +
                              header("a", 6, be16(3) + "abc") + string_header("x", "") +
                              header("time", 8, "88888888") + header("u", 9, std::string(16, 'u')) +
                              string_header(":event-type", "metadata") + string_header(":message-type", "event");
  const std::string bytes = frame_of(headers, "{}");
  const auto frame = read_frame(bytes).value();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->message_type, "event");
  EXPECT_EQ(frame->type, "metadata");
  EXPECT_EQ(frame->payload, "{}");
}

TEST(EventStream, NamesTheTypeThatBelongsToTheMessageType) {
  const auto type = [](std::string_view message_type) {
    const std::string bytes = frame_of(
        string_header(":error-code", "InternalError") + string_header(":event-type", "chunk") +
            string_header(":exception-type", "throttlingException") + string_header(":message-type", message_type),
        "");
    return std::string(read_frame(bytes).value()->type);
  };
  EXPECT_EQ(type("event"), "chunk");
  EXPECT_EQ(type("exception"), "throttlingException");
  EXPECT_EQ(type("error"), "InternalError");
  EXPECT_EQ(type("greeting"), "");
}

TEST(EventStream, RefusesHeadersThatDoNotFit) {
  expect_malformed(frame_of(header("n", 10, ""), ""), "type that does not exist");
  expect_malformed(frame_of(header("n", static_cast<char>(0xff), ""), ""), "type that does not exist");
  expect_malformed(frame_of(header("", 0, ""), ""), "no name");
  expect_malformed(frame_of("\x05"
                            "ab",
                            ""),
                   "beyond the headers");
  expect_malformed(frame_of("\x01"
                            "a",
                            ""),
                   "beyond the headers");
  expect_malformed(frame_of(header("n", 4, "123"), "payload must not be read as the header's rest"),
                   "beyond the headers");
  expect_malformed(frame_of(header("n", 7, "\x01"), ""), "beyond the headers");
  expect_malformed(frame_of(header("n", 7, be16(4) + "abc"), "d"), "beyond the headers");
}

TEST(EventStream, RefusesAFrameThatIsTwoThingsAtOnce) {
  expect_malformed(
      frame_of(string_header(":message-type", "event") + string_header(":message-type", "exception"), ""), "twice");
  expect_malformed(frame_of(string_header(":event-type", "") + string_header(":event-type", "a"), ""), "twice");
  expect_malformed(frame_of(header(":message-type", 6, be16(5) + "event"), ""), "must be a string");
}

TEST(EventStream, RefusesImpossibleLengthsBeforeTheBytesCome) {
  const auto prelude = [](std::uint32_t total_bytes, std::uint32_t headers_bytes) {
    std::string bytes = be32(total_bytes) + be32(headers_bytes);
    return bytes + be32(base::crc32(base::as_bytes(bytes)));
  };
  expect_malformed(prelude(frame_bytes_max + 1, 0), "larger than");
  expect_malformed(prelude(0xffffffff, 0xffffffff), "larger than");
  expect_malformed(prelude(15, 0), "contradict");
  expect_malformed(prelude(0, 0), "contradict");
  expect_malformed(prelude(100, 85), "contradict");
  EXPECT_FALSE(read_frame(prelude(100, 84)).value().has_value());
  EXPECT_FALSE(read_frame(prelude(frame_bytes_max, 0)).value().has_value());
}

}  // namespace
}  // namespace portolan::wire
