// SPDX-License-Identifier: Apache-2.0
#include "wire/profile_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::wire {
namespace {

using base::Code;
using domain::Operation;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view arn =
    "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abcdefghijkl";

std::string create_body(std::string_view name, std::string_view more = "") {
  return R"({"inferenceProfileName":")" + std::string{name} +
         R"(","modelSource":{"copyFrom":"arn:aws:bedrock:us-east-1::foundation-model/m"})" + std::string{more} +
         "}";
}
base::Result<ProfileRequest> create(std::string_view name, std::string_view more = "") {
  return read_profile_request(Operation::create_inference_profile, create_body(name, more));
}
base::Result<ProfileRequest> tag(std::string_view members) {
  return read_profile_request(Operation::tag_resource,
                              R"({"resourceARN":")" + std::string{arn} + R"(",)" + std::string{members} + "}");
}
std::string refusal(const base::Result<ProfileRequest>& read) {
  if (read) return "it was taken";
  EXPECT_EQ(read.error().code, Code::invalid_field);
  return read.error().message;
}

TEST(ProfileRequest, ReadsACreationWithAllItsMembers) {
  const auto read =
      create("Search team-1", R"(,"description":"cost: 1.5 of search","clientRequestToken":"a--1",)"
                              R"("tags":[{"key":"Team","value":"x y"},{"key":"A","value":""}],"unheardOf":[1])");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name, "Search team-1");
  EXPECT_EQ(read->description, "cost: 1.5 of search");
  EXPECT_EQ(read->client_token, "a--1");
  EXPECT_EQ(read->copy_from, "arn:aws:bedrock:us-east-1::foundation-model/m");
  EXPECT_EQ(read->tags, (domain::Tags{{"A", ""}, {"Team", "x y"}})) << "sorted by key";
}

TEST(ProfileRequest, TakesNullForAMemberThatIsNotThere) {
  const auto read = create("x", R"(,"description":null,"clientRequestToken":null,"tags":null)");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(read->description, IsEmpty());
  EXPECT_THAT(read->tags, IsEmpty());
}

TEST(ProfileRequest, HoldsNamesAgainstThePatternOfTheApi) {
  for (const std::string& good :
       {std::string{"a"}, std::string{"a-b_c d"}, std::string{"a-"}, std::string(64, 'x')})
    EXPECT_TRUE(create(good)) << good;
  for (const std::string& bad : {std::string{"-a"}, std::string{"a--b"}, std::string{"a b  c"}, std::string{"a.b"},
                                 std::string{"ä"}, std::string{" "}})
    EXPECT_THAT(refusal(create(bad)),
                HasSubstr("'inferenceProfileName' failed to satisfy constraint: Member must satisfy regular"))
        << bad;
  EXPECT_THAT(refusal(create("")), HasSubstr("length greater than or equal to 1"));
  EXPECT_THAT(refusal(create(std::string(65, 'x'))), HasSubstr("length less than or equal to 64"));
}

TEST(ProfileRequest, HoldsTheOtherTextsAgainstTheirs) {
  EXPECT_THAT(refusal(create("x", R"(,"description":"")")), HasSubstr("'description'"));
  EXPECT_THAT(refusal(create("x", R"(,"description":"a/b")")), HasSubstr("'description'"));
  EXPECT_THAT(refusal(create("x", R"(,"clientRequestToken":"-a")")), HasSubstr("'clientRequestToken'"));
  EXPECT_THAT(refusal(create("x", R"(,"clientRequestToken":"a-")")), HasSubstr("'clientRequestToken'"));
  EXPECT_THAT(refusal(create("x", R"(,"clientRequestToken":7)")), HasSubstr("must be a string"));
}

TEST(ProfileRequest, NamesTheMemberThatIsMissing) {
  const auto read = [](std::string_view body) {
    return refusal(read_profile_request(Operation::create_inference_profile, body));
  };
  EXPECT_THAT(read(R"({})"), HasSubstr("'inferenceProfileName' failed to satisfy constraint: Member must not be"));
  EXPECT_THAT(read(R"({"inferenceProfileName":"x"})"), HasSubstr("'modelSource'"));
  EXPECT_THAT(read(R"({"inferenceProfileName":"x","modelSource":[]})"), HasSubstr("'modelSource'"));
  EXPECT_THAT(read(R"({"inferenceProfileName":"x","modelSource":{}})"), HasSubstr("'modelSource.copyFrom'"));
  EXPECT_THAT(refusal(tag(R"("tagKeys":["a"])")), HasSubstr("'tags'"));
  EXPECT_THAT(refusal(read_profile_request(Operation::untag_resource, R"({"resourceARN":"arn:aws:bedrock:x:y"})")),
              HasSubstr("'resourceARN' failed to satisfy constraint: Member must have length greater"));
}

TEST(ProfileRequest, HoldsTagsAgainstTheirLimits) {
  EXPECT_TRUE(tag(R"("tags":[{"key":"Cost/Center=+@-_.: x","value":"7"}])"));
  EXPECT_TRUE(tag(R"("tags":[])"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":"","value":""}])")), HasSubstr("'tags.1.member.key'"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":"a","value":"b"},{"key":"c"}])")), HasSubstr("'tags.2.member.value'"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":"a!","value":"b"}])")), HasSubstr("regular expression"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":"aws:x","value":"b"}])")), HasSubstr("reserved"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":"a","value":"1"},{"key":"b","value":"1"},{"key":"a","value":"2"}])")),
              HasSubstr("a is not"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":"Blocked","value":"yes"},{"key":"blocked","value":"no"}])")),
              HasSubstr("Two keys differ only in their case"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":")" + std::string(129, 'k') + R"(","value":""}])")), HasSubstr("128"));
  EXPECT_THAT(refusal(tag(R"("tags":[{"key":"k","value":")" + std::string(257, 'v') + R"("}])")), HasSubstr("256"));
  std::string many;
  for (int i = 0; i < 201; ++i)
    many += (i > 0 ? "," : "") + (R"({"key":"k)" + std::to_string(i) + R"(","value":""})");
  EXPECT_THAT(refusal(tag(R"("tags":[)" + many + "]")), HasSubstr("less than or equal to 200"));
}

TEST(ProfileRequest, ReadsKeysToTakeAwayAndTheResource) {
  const auto read = read_profile_request(Operation::untag_resource,
                                         R"({"tagKeys":["b","a"],"resourceARN":")" + std::string{arn} + R"("})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->resource_arn, arn);
  EXPECT_THAT(read->tag_keys, ElementsAre("b", "a"));
  EXPECT_TRUE(
      read_profile_request(Operation::list_tags_for_resource, R"({"resourceARN":")" + std::string{arn} + "\"}"));
}

TEST(ProfileRequest, RefusesWhatIsNoJsonObjectOrTooLong) {
  for (const std::string_view body : {"", "[]", "7", "{", R"({"a":})", R"("text")"}) {
    const auto read = read_profile_request(Operation::tag_resource, body);
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(read.error().code, Code::malformed_request) << body;
  }
  const auto read = read_profile_request(Operation::tag_resource, std::string(profile_body_bytes_max + 1, ' '));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::body_too_large);
}

}  // namespace
}  // namespace portolan::wire
