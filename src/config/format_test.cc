// SPDX-License-Identifier: Apache-2.0
#include "config/format.h"

#include <gtest/gtest.h>

namespace portolan::config {
namespace {

TEST(Sizes, AreBytesOrANumberWithAUnit) {
  EXPECT_EQ(parse_size("512"), 512);
  EXPECT_EQ(parse_size("512B"), 512);
  EXPECT_EQ(parse_size("32KiB"), 32'768);
  EXPECT_EQ(parse_size("25MB"), 25'000'000);
  EXPECT_EQ(parse_size("1GiB"), 1'073'741'824);
  EXPECT_EQ(parse_size("0"), 0);
}

TEST(Sizes, OtherTextIsNone) {
  for (const std::string_view text :
       {"", "KiB", "-1", "1.5MB", "1 MB", "1mb", "1TB", " 1", "99999999999999999999", "9999999999999GiB"})
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

TEST(Sizes, AreWrittenAsTheyAreRead) {
  for (const std::int64_t bytes : {1, 512, 32'768, 25'000'000, 1'073'741'824, 1'000, 1'001})
    EXPECT_EQ(parse_size(format_size(bytes)), bytes);
  EXPECT_EQ(format_size(32'768), "32KiB");
  EXPECT_EQ(format_size(25'000'000), "25MB");
  EXPECT_EQ(format_size(0), "0");
}

TEST(WholeNumbers, HaveOnlyDigits) {
  EXPECT_EQ(parse_whole("0"), 0);
  EXPECT_EQ(parse_whole("12"), 12);
  for (const std::string_view text : {"", "-0", "-1", "+1", "1e3", "0x10", "1_000", "99999999999999999999"})
    EXPECT_EQ(parse_whole(text), std::nullopt) << text;
}

TEST(Endpoints, HaveASchemeAHostAndAPort) {
  const Url url = parse_endpoint("http://127.77.0.1:9001").value();
  EXPECT_FALSE(url.tls);
  EXPECT_EQ(url.host, "127.77.0.1");
  EXPECT_EQ(url.port, 9001);
  EXPECT_EQ(url.authority, "127.77.0.1:9001");
}

TEST(Endpoints, LeaveTheSchemesOwnPortOutOfWhatIsSigned) {
  const Url https = parse_endpoint("https://bedrock-runtime.us-east-1.amazonaws.com/").value();
  EXPECT_TRUE(https.tls);
  EXPECT_EQ(https.port, 443);
  EXPECT_EQ(https.authority, "bedrock-runtime.us-east-1.amazonaws.com");
  EXPECT_EQ(parse_endpoint("https://h:443")->authority, "h");
  EXPECT_EQ(parse_endpoint("http://h")->port, 80);
  EXPECT_EQ(parse_endpoint("http://h:443")->authority, "h:443");
}

TEST(Endpoints, KeepTheBracketsOfIpv6OnlyWhereItIsSigned) {
  const Url url = parse_endpoint("https://[::1]:9443").value();
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.authority, "[::1]:9443");
}

TEST(Endpoints, OtherTextIsNone) {
  for (const std::string_view text : {"",
                                      "http://",
                                      "https:///",
                                      "ftp://h",
                                      "h:80",
                                      "http://h:0",
                                      "http://h:65536",
                                      "http://h:",
                                      "http://h:8x",
                                      "http://h/path",
                                      "http://h?q",
                                      "http://h#f",
                                      "http://user@h",
                                      "http://user:pw@h:1",
                                      "http://[::1",
                                      "http://[]",
                                      "http://[h]:1",
                                      "http://::1",
                                      "http://h h",
                                      "http://-h",
                                      "HTTP://h",
                                      "http://h//"})
    EXPECT_EQ(parse_endpoint(text).has_value(), false) << text;
}

TEST(Loopback, IsKnownInBothFamilies) {
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_TRUE(is_loopback("127.77.0.1"));
  EXPECT_TRUE(is_loopback("::1"));
  for (const std::string_view text : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "localhost", ""})
    EXPECT_FALSE(is_loopback(text)) << text;
}

TEST(Printable, IsSafeForATerminalAndShort) {
  EXPECT_EQ(printable("a\x1b[31m\n"), "\"a?[31m?\"");
  EXPECT_EQ(printable("\xc3\xa9"), "\"??\"");
  EXPECT_EQ(printable(std::string(100, 'x')), "\"" + std::string(80, 'x') + "…\"");
}

TEST(Formats, AcceptWhatTheySay) {
  EXPECT_TRUE(account_number.accepts("111122223333"));
  EXPECT_FALSE(account_number.accepts("11112222333"));
  EXPECT_FALSE(account_number.accepts("11112222333x"));
  EXPECT_TRUE(name_text.accepts("alice@example.com"));
  EXPECT_FALSE(name_text.accepts("alice/bob"));
  EXPECT_TRUE(sha256_hex.accepts(std::string(64, 'F')));
  EXPECT_FALSE(sha256_hex.accepts(std::string(63, 'f')));
  EXPECT_FALSE(sha256_hex.accepts(std::string(64, 'g')));
  EXPECT_TRUE(access_key.accepts("AKIAIOSFODNN7EXAMPLE"));
  EXPECT_FALSE(access_key.accepts("AKIA"));
  EXPECT_TRUE(ip_address.accepts("::"));
  EXPECT_FALSE(ip_address.accepts("256.0.0.1"));
  EXPECT_FALSE(ip_address.accepts("localhost"));
  EXPECT_TRUE(profile_glob.accepts("us.*"));
  EXPECT_FALSE(profile_glob.accepts("us./x"));
}

}  // namespace
}  // namespace portolan::config
