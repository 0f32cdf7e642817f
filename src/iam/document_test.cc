// SPDX-License-Identifier: Apache-2.0
#include "iam/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "iam/context.h"

namespace portolan::iam {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view head = R"({"Version":"2012-10-17","Statement":[)";

/// The error for one statement, which begins at line 1, column 38; "" when it is read.
std::string fault_of(std::string_view statement, PolicyKind kind = PolicyKind::identity) {
  std::vector<Notice> notices;
  const auto document = parse_document(std::string(head) + std::string(statement) + "]}", kind, notices);
  return document ? std::string{} : document.error().message;
}

std::vector<Notice> notices_of(std::string_view statement, PolicyKind kind = PolicyKind::identity) {
  std::vector<Notice> notices;
  const auto document = parse_document(std::string(head) + std::string(statement) + "]}", kind, notices);
  EXPECT_TRUE(document.has_value()) << document.error().message;
  return notices;
}

std::string at_column(std::size_t column) {
  return "line 1, column " + std::to_string(column) + ": ";
}

TEST(PolicyDocument, ReadsEveryElement) {
  std::vector<Notice> notices;
  const auto document = parse_document(R"({
  "Version": "2012-10-17",
  "Id": "guard",
  "Statement": {
    "Sid": "One", "Effect": "Deny", "Principal": {"AWS": ["111122223333"], "Service": "lambda.amazonaws.com"},
    "NotAction": "bedrock:Get*", "NotResource": ["arn:aws:bedrock:*::foundation-model/${aws:username}"],
    "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a*", true, 7]}}
  }
})",
                                       PolicyKind::resource, notices);
  ASSERT_TRUE(document.has_value()) << document.error().message;
  EXPECT_TRUE(notices.empty());
  EXPECT_EQ(document->id, "guard");
  EXPECT_TRUE(document->has_variables);
  ASSERT_EQ(document->statements.size(), 1u);
  const Statement& statement = document->statements[0];
  EXPECT_EQ(statement.sid, "One");
  EXPECT_EQ(statement.place, (Place{4, 16}));
  EXPECT_TRUE(statement.not_action);
  EXPECT_TRUE(statement.not_resource);
  EXPECT_EQ(statement.principals.size(), 2u);
  EXPECT_EQ(statement.resources[0].text.variables(), std::vector<std::string>{"aws:username"});
  ASSERT_EQ(statement.conditions.size(), 1u);
  EXPECT_EQ(statement.conditions[0].quantifier, Quantifier::for_any_value);
  EXPECT_TRUE(statement.conditions[0].if_exists);
  EXPECT_EQ(statement.conditions[0].values[1].written(), "true");
  EXPECT_EQ(statement.conditions[0].values[2].written(), "7");
  EXPECT_EQ(statement.conditions[0].place, (Place{7, 54}));
}

TEST(PolicyDocument, ReadsVersionWhereverItStands) {
  std::vector<Notice> notices;
  const auto document = parse_document(
      R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}"},"Version":"2012-10-17"})",
      PolicyKind::identity, notices);
  ASSERT_TRUE(document.has_value());
  EXPECT_TRUE(document->statements[0].resources[0].text.has_variables());
}

TEST(PolicyDocument, TakesVariablesAsTextInTheOldVersionAndSaysSo) {
  for (const std::string_view version : {R"("Version":"2008-10-17",)", ""}) {
    std::vector<Notice> notices;
    const auto document = parse_document(
        "{" + std::string(version) +
            R"("Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}"}})",
        PolicyKind::identity, notices);
    ASSERT_TRUE(document.has_value());
    EXPECT_FALSE(document->has_variables);
    EXPECT_FALSE(document->statements[0].resources[0].text.has_variables());
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_THAT(notices[0].text, HasSubstr("policy variables are plain text"));
  }
}

struct BadDocument {
  std::string_view text;
  std::string_view message;
};

TEST(PolicyDocument, RefusesWhatIsNoPolicy) {
  const BadDocument rows[] = {
      {"[]", "line 1, column 1: a policy is an object; begin it with '{'"},
      {"{}", R"(line 1, column 1: no Statement; add "Statement": [...])"},
      {R"({"Statement":[]})", "line 1, column 14: Statement is empty; write at least one statement"},
      {R"({"Statement":"x"})", "line 1, column 14: Statement is a string; write an object or an array of objects"},
      {R"({"Statement":[1]})", "line 1, column 15: a statement is a number; write an object"},
      {R"({"statement":[]})",
       "line 1, column 2: 'statement' is no element of a policy; there are Version, Id and Statement"},
      {R"({"Version":"2012-10-18","Statement":[]})",
       R"(line 1, column 12: Version "2012-10-18" does not exist; write "2012-10-17")"},
      {R"({"Version":2012,"Statement":[]})", "line 1, column 12: Version is a number; put it in double quotes"},
      {R"({"Id":1,"Statement":[]})", "line 1, column 7: Id is a number; put it in double quotes"},
      {"{\n \"Version\":\"2012-10-17\",\n \"Version\":\"2012-10-17\"}",
       "line 3, column 2: 'Version' stands twice in the same object; keep one"},
      {"{\n  \"Statement\": [\n    {\"Effect\": \"allow\", \"Action\": \"*\", \"Resource\": \"*\"}]}",
       R"(line 3, column 16: Effect "allow" does not exist; write "Allow" or "Deny")"},
  };
  for (const BadDocument& row : rows) {
    std::vector<Notice> notices;
    const auto document = parse_document(row.text, PolicyKind::identity, notices);
    ASSERT_FALSE(document.has_value()) << row.text;
    EXPECT_EQ(document.error().message, row.message);
    EXPECT_EQ(document.error().code, base::Code::config_invalid);
  }
}

struct BadStatement {
  std::string_view statement;
  std::string_view token;  // the error stands where this begins
  std::string_view message;
};

void expect_refused(const BadStatement& row, PolicyKind kind) {
  const std::string fault = fault_of(row.statement, kind);
  const std::size_t column = head.size() + row.statement.find(row.token) + 1;
  EXPECT_THAT(fault, StartsWith(at_column(column) + std::string(row.message))) << row.statement;
  EXPECT_THAT(fault, HasSubstr(";")) << "without a repair: " << fault;
}

TEST(PolicyDocument, RefusesMalformedStatementsAtTheirPlace) {
  const BadStatement rows[] = {
      {R"({"Action":"*","Resource":"*"})", "{", "a statement without Effect"},
      {R"({"Effect":"Allow","Resource":"*"})", "{", "a statement without Action"},
      {R"({"Effect":"Allow","Action":"*"})", "{", "a statement without Resource"},
      {R"({"Effect":1,"Action":"*","Resource":"*"})", "1", "Effect is a number; put"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Why":"x"})", R"("Why")",
       "'Why' is no element of a statement"},
      {R"({"Effect":"Allow","Action":[],"Resource":"*"})", "[]", "Action is empty"},
      {R"({"Effect":"Allow","NotAction":[],"Resource":"*"})", "[]", "NotAction is empty"},
      {R"({"Effect":"Allow","Action":["*",1],"Resource":"*"})", "1]", "Action holds a number; put"},
      {R"({"Effect":"Allow","Action":{},"Resource":"*"})", "{}", "Action is an object; write a string or an array"},
      {R"({"Effect":"Allow","Action":"*","NotAction":"s3:*","Resource":"*"})", R"("NotAction")",
       "a statement has Action or NotAction, not both"},
      {R"({"Effect":"Allow","NotAction":"s3:*","Action":"*","Resource":"*"})", R"("Action")",
       "a statement has Action or NotAction, not both"},
      {R"({"Effect":"Allow","Action":"GetItem","Resource":"*"})", R"("GetItem")",
       R"("GetItem" is no action; write "service:Action")"},
      {R"({"Effect":"Allow","Action":"bedrock:","Resource":"*"})", R"("bedrock:")", R"("bedrock:" is no action)"},
      {R"({"Effect":"Allow","Action":":Get","Resource":"*"})", R"(":Get")", R"(":Get" is no action)"},
      {R"({"Effect":"Allow","Action":"s3: Get","Resource":"*"})", R"("s3: Get")", R"("s3: Get" is no action)"},
      {R"({"Effect":"Allow","Action":"","Resource":"*"})", R"("","Resource)", R"("" is no action)"},
      {R"({"Effect":"Allow","Action":"?","Resource":"*"})", R"("?")", R"("?" is no action)"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"})", R"("NotResource")",
       "a statement has Resource or NotResource, not both"},
      {R"({"Effect":"Allow","Action":"*","Resource":"bucket"})", R"("bucket")", R"("bucket" is no ARN)"},
      {R"({"Effect":"Allow","Action":"*","Resource":"ARN:aws:s3:::b"})", R"("ARN)",
       R"("ARN:aws:s3:::b" is no ARN)"},
      {R"({"Effect":"Allow","Action":"*","Resource":""})", R"(""})", R"("" is no ARN)"},
      {R"({"Effect":"Allow","Action":"*","Resource":[]})", "[]", "Resource is empty"},
      {R"({"Effect":"Allow","Action":"*","Resource":"arn:aws"})", R"("arn:aws")", R"("arn:aws" names no service)"},
      {R"({"Effect":"Allow","Action":"*","Resource":["arn:aws:s3:::b","arn:aws:*:::b"]})", R"("arn:aws:*)",
       R"("arn:aws:*:::b" has a wildcard for its service)"},
      {R"({"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::${aws:PrincipalAccount}:user/x"})", R"("arn)",
       R"("arn:aws:iam::${aws:PrincipalAccount}:user/x" has a policy variable before its fifth colon)"},
      {R"({"Sid":"not alphanumeric","Effect":"Allow","Action":"*","Resource":"*"})", R"("not)",
       R"(Sid "not alphanumeric" has other characters than A-Z)"},
      {R"({"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"*","Resource":"*"})",
       R"("A","Effect":"Deny")", R"(Sid "A" stands twice)"},
      {R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"})", R"("Principal")",
       "an identity-based policy has no Principal"},
      {R"({"Effect":"Deny","NotPrincipal":"*","Action":"*","Resource":"*"})", R"("NotPrincipal")",
       "an identity-based policy has no NotPrincipal"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":[]})", "[]",
       "Condition is an array; write an object"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"stringequals":{"a:b":"c"}}})",
       R"("stringequals")", "'stringequals' is no condition operator; write StringEquals"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"a:b":"true"}}})",
       R"("NullIfExists")", "Null takes no IfExists"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Matches":{"a:b":"true"}}})", R"("Matches")",
       "'Matches' is no condition operator; they are as"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":"true"}})", R"("true")",
       "Bool is a string; write an object of condition keys"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"x":"true"}}})", R"("x")",
       "'x' is no condition key; write service:key"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"s3:x":[]}}})", "[]",
       "'s3:x' has no values"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"s3:x":null}}})", "null",
       "a condition value is null; write"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"s3:x":["true",["a"]]}}})", R"(["a"])",
       "a condition value is an array; write"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"s3:x":["true","si"]}}})", R"("si")",
       R"("si" does not suit Bool; write true or false)"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"s3:x":"soon"}}})",
       R"("soon")", R"("soon" does not suit DateLessThan; write a date)"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"s3:x":"${s3:y}"}}})",
       R"("${)", "NumericEquals takes no policy variables"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"s3:x":"true","S3:X":"true"}}})",
       R"("S3:X")", "'S3:X' stands twice under the same operator"},
  };
  for (const BadStatement& row : rows) expect_refused(row, PolicyKind::identity);
}

TEST(PolicyDocument, RefusesPrincipalsThatNameNobody) {
  const BadStatement rows[] = {
      {R"({"Effect":"Allow","Action":"*","Resource":"*"})", "{", "a resource-based policy says of whom it speaks"},
      {R"({"Effect":"Allow","Principal":"111122223333","Action":"*"})", R"("1111)",
       R"("111122223333" needs its type)"},
      {R"({"Effect":"Allow","Principal":[],"Action":"*"})", "[]", R"(Principal names nobody)"},
      {R"({"Effect":"Allow","Principal":{},"Action":"*"})", "{}", R"(Principal names nobody)"},
      {R"({"Effect":"Allow","Principal":{"aws":"*"},"Action":"*"})", R"("aws")", "'aws' is no type of principal"},
      {R"({"Effect":"Allow","Principal":{"AWS":[]},"Action":"*"})", "[]", "AWS is empty"},
      {R"({"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/*"},"Action":"*"})", R"("arn)",
       R"("arn:aws:iam::111122223333:user/*": a principal is named in full)"},
      {R"({"Effect":"Allow","Principal":{"Service":"*"},"Action":"*"})", R"("*"},)",
       R"("*": a principal is named in full)"},
      {R"({"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:group/g"},"Action":"*"})", R"("arn)",
       R"("arn:aws:iam::111122223333:group/g" is no principal)"},
      {R"({"Effect":"Allow","Principal":{"AWS":"1111"},"Action":"*"})", R"("1111")", R"("1111" is no principal)"},
      {R"({"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"*"})", "{",
       "NotPrincipal goes with Deny only"},
      {R"({"Effect":"Deny","Principal":"*","NotPrincipal":"*","Action":"*"})", R"("NotPrincipal")",
       "a statement has Principal or NotPrincipal, not both"},
  };
  for (const BadStatement& row : rows) expect_refused(row, PolicyKind::resource);
}

TEST(PolicyDocument, TakesEveryFormOfPrincipal) {
  EXPECT_EQ(fault_of(R"({"Effect":"Allow","Principal":{"AWS":["*","111122223333","arn:aws:iam::111122223333:root",
    "arn:aws-us-gov:iam::111122223333:user/a/b","arn:aws:iam::111122223333:role/r","arn:aws:sts::111122223333:assumed-role/r/s",
    "arn:aws:sts::111122223333:federated-user/f"],"Service":["ecs.amazonaws.com"],"Federated":"accounts.google.com"},"Action":"*"})",
                     PolicyKind::resource),
            "");
  const auto notices = notices_of(
      R"({"Effect":"Allow","Principal":{"AWS":"AIDACKCEVSQ6C2EXAMPLE","CanonicalUser":"79a5"},"Action":"*"})",
      PolicyKind::resource);
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_THAT(notices[0].text, HasSubstr("deleted user or role"));
  EXPECT_THAT(notices[1].text, HasSubstr("CanonicalUser"));
}

TEST(PolicyDocument, KnowsTheDifferencesBetweenTheKinds) {
  constexpr std::string_view plain = R"({"Effect":"Allow","Action":"*","Resource":"*"})";
  constexpr std::string_view everyone = R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"})";
  for (const PolicyKind kind :
       {PolicyKind::identity, PolicyKind::permission_boundary, PolicyKind::session, PolicyKind::service_control}) {
    EXPECT_EQ(fault_of(plain, kind), "");
    EXPECT_THAT(fault_of(everyone, kind), HasSubstr("has no Principal")) << word(kind);
  }
  for (const PolicyKind kind : {PolicyKind::resource, PolicyKind::resource_control, PolicyKind::listener}) {
    EXPECT_THAT(fault_of(plain, kind), HasSubstr("of whom it speaks")) << word(kind);
    EXPECT_EQ(fault_of(everyone, kind), "");
  }
  EXPECT_THAT(fault_of(R"({"Effect":"Allow","Principal":"*","Action":"*"})", PolicyKind::listener),
              HasSubstr("without Resource"));
  EXPECT_EQ(fault_of(R"({"Effect":"Allow","Principal":"*","Action":"*"})", PolicyKind::resource), "");
  EXPECT_EQ(
      fault_of(
          R"({"Effect":"Allow","NotAction":"s3:*","NotResource":"arn:aws:s3:::b","Condition":{"Bool":{"aws:SecureTransport":"true"}}})",
          PolicyKind::service_control),
      "");
  EXPECT_EQ(
      fault_of(
          R"({"Sid":"with spaces","Effect":"Allow","Principal":"*","Action":"*"},{"Sid":"with spaces","Effect":"Allow","Principal":"*","Action":"*"})",
          PolicyKind::resource),
      "");
}

TEST(PolicyDocument, HoldsResourceControlPoliciesToTheirSyntax) {
  for (const std::string_view principal :
       {R"("Principal":{"AWS":"*"})", R"("Principal":{"AWS":"111122223333"})", R"("NotPrincipal":"*")"})
    EXPECT_THAT(fault_of(R"({"Effect":"Deny",)" + std::string(principal) + R"(,"Action":"s3:*","Resource":"*"})",
                         PolicyKind::resource_control),
                HasSubstr(R"(write "Principal": "*")"));
  EXPECT_THAT(fault_of(R"({"Effect":"Deny","Principal":"*","NotAction":"s3:*","Resource":"*"})",
                       PolicyKind::resource_control),
              HasSubstr("an RCP takes no NotAction"));
  EXPECT_THAT(
      notices_of(R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"})", PolicyKind::resource_control),
      IsEmpty());
  EXPECT_EQ(notices_of(R"({"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"})",
                       PolicyKind::resource_control)
                .size(),
            1u);
  EXPECT_EQ(
      notices_of(R"({"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"})", PolicyKind::resource_control)
          .size(),
      1u);
  std::vector<Notice> notices;
  EXPECT_TRUE(parse_document(R"({"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}})",
                             PolicyKind::resource_control, notices)
                  .has_value());
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_THAT(notices[0].text, HasSubstr(R"(an RCP needs "Version": "2012-10-17")"));
}

TEST(PolicyDocument, NotesWhatSurelyIsNotMeant) {
  struct Row {
    std::string_view statement;
    std::string_view token;
    std::string_view text;
  };
  const Row rows[] = {
      {R"({"Effect":"Allow","Action":"bedrock:InvokeModle","Resource":"*"})", R"("bedrock:)",
       "'bedrock:InvokeModle' is no action of Amazon Bedrock; did you mean InvokeModel?"},
      {R"({"Effect":"Allow","Action":"bedrock:Converse","Resource":"*"})", R"("bedrock:)",
       "Converse is authorised as bedrock:InvokeModel"},
      {R"({"Effect":"Allow","Action":"bedrock:ConverseStream","Resource":"*"})", R"("bedrock:)",
       "authorised as bedrock:InvokeModelWithResponseStream"},
      {R"({"Effect":"Allow","Action":"bedrock:Invok?Models*","Resource":"*"})", R"("bedrock:)",
       "matches no action of Amazon Bedrock"},
      {R"({"Effect":"Allow","Action":"bedrok:InvokeModel","Resource":"*"})", R"("bedrok:)",
       "'bedrok' is no AWS service that is known here; did you mean bedrock?"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:Region":"x"}}})",
       R"("aws:Region)", "'aws:Region' is no condition key"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"bedrock:InferenceProfileARNs":"arn:aws:a:b:c:d"}}})",
       R"("bedrock:Inf)", "did you mean bedrock:InferenceProfileArn?"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag":"x"}}})",
       R"("aws:ResourceTag)", "lacks the key of the tag"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"bedrok:x":"x"}}})",
       R"("bedrok:)", "begins with no service"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"*"}}})",
       R"("*"}}})", "fewer than the six parts"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{}})", "{}}", "Condition is empty"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{}}})", "{}}}", "Bool is empty"},
      {R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue:Null":{"aws:TagKeys":"true"}}})",
       R"("ForAny)", "a set operator adds nothing"},
      {R"({"Sid":"","Effect":"Allow","Action":"*","Resource":"*"})", R"("","Eff)", "Sid is empty"},
  };
  for (const Row& row : rows) {
    const auto notices = notices_of(row.statement);
    ASSERT_EQ(notices.size(), 1u) << row.statement;
    EXPECT_THAT(notices[0].text, HasSubstr(std::string(row.text)));
    EXPECT_EQ(notices[0].place,
              (Place{1, static_cast<std::uint32_t>(head.size() + row.statement.find(row.token) + 1)}))
        << row.statement;
  }
}

TEST(PolicyDocument, HasNoDoubtsAboutWhatIsKnown) {
  EXPECT_THAT(
      notices_of(
          R"({"Effect":"Allow","Action":["*","s3:Anything","BEDROCK:invokemodel","bedrock:*","bedrock:Invoke*","b*:x","execute-api:Invoke"],"Resource":"*",
    "Condition":{"StringEquals":{"AWS:requestedregion":"us-east-1","aws:PrincipalTag/a/b":"c","aws:RequestTag/x":"y","bedrock:ServiceTier":"flex","s3:prefix":"x",
    "saml:aud":"x","accounts.google.com:aud":"y","bedrock:bearerTokenType":"SHORT_TERM"}}})"),
      IsEmpty());
}

TEST(PolicyDocument, NotesAnIdWhereAwsHasNone) {
  std::vector<Notice> notices;
  EXPECT_TRUE(parse_document(
                  R"({"Version":"2012-10-17","Id":"x","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})",
                  PolicyKind::identity, notices)
                  .has_value());
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].place, (Place{1, 25}));
}

/// A policy of exactly `characters` and `in_resource`.
std::string policy_of(std::size_t characters, std::string_view in_resource = "") {
  const std::string begin =
      R"({"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::)";
  const std::string end = R"("}})";
  std::string out = begin + std::string(in_resource);
  out.append(characters - begin.size() - end.size(), 'a');
  return out + end;
}

TEST(PolicyDocument, KeepsToTheSizeOfItsKind) {
  const std::pair<PolicyKind, std::size_t> rows[] = {{PolicyKind::identity, 10'240},
                                                     {PolicyKind::permission_boundary, 6'144},
                                                     {PolicyKind::session, 6'144},
                                                     {PolicyKind::service_control, 10'240}};
  for (const auto& [kind, max] : rows) {
    EXPECT_EQ(characters_max(kind), max);
    std::vector<Notice> notices;
    EXPECT_TRUE(parse_document(" \n\t\r" + policy_of(max), kind, notices).has_value()) << word(kind);
    const auto document = parse_document("\n  " + policy_of(max + 1), kind, notices);
    ASSERT_FALSE(document.has_value()) << word(kind);
    EXPECT_THAT(document.error().message, StartsWith("line 2, column " + std::to_string(2 + max + 1) + ": "))
        << word(kind);
    EXPECT_THAT(document.error().message,
                HasSubstr(std::to_string(max) + " characters without white space, this one has " +
                          std::to_string(max + 1)));
  }
}

TEST(PolicyDocument, CompletesArnsThatLeavePartsOut) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"arn:aws:bedrock", "arn:aws:bedrock:*:*:*"},
      {"arn:aws:bedrock:us-east-1", "arn:aws:bedrock:us-east-1:*:*"},
      {"arn:aws:bedrock:us-east-1:", "arn:aws:bedrock:us-east-1::*"},
      {"arn:aws:bedrock:us-*", "arn:aws:bedrock:us-*"},
      {"arn:aws:bedrock:::x", "arn:aws:bedrock:::x"},
      {"*", "*"},
  };
  for (const auto& [written, whole] : rows) {
    const std::string text =
        R"({"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"bedrock:*","Resource":")" +
        std::string(written) + R"("}})";
    std::vector<Notice> notices;
    const auto document = parse_document(text, PolicyKind::identity, notices);
    ASSERT_TRUE(document.has_value()) << document.error().message;
    EXPECT_EQ(document->statements[0].resources[0].text.written(), whole);
    const bool is_refused = written.starts_with("arn:aws:bedrock") && whole != written;
    EXPECT_EQ(parse_document(text, PolicyKind::session, notices).has_value(), !is_refused) << written;
  }
}

TEST(PolicyDocument, TakesAStarForLackingPartsToo) {
  std::vector<Notice> notices;
  const auto document =
      parse_document(R"({"Statement":{"Effect":"Deny","Action":"*","Resource":"arn:aws:bedrock:*:guardrail/g"}})",
                     PolicyKind::session, notices);
  ASSERT_TRUE(document.has_value()) << document.error().message;
  const auto& resources = document->statements[0].resources;
  ASSERT_EQ(resources.size(), 2u);
  EXPECT_TRUE(resources[0].matches("arn:aws:bedrock:us-east-1:111122223333:guardrail/g", {}));
  EXPECT_TRUE(resources[1].matches("arn:aws:bedrock:us-east-1:guardrail/g:x", {}));
}

TEST(PolicyDocument, CountsWhiteSpaceInStringsForOrganizationsOnly) {
  std::vector<Notice> notices;
  const std::string roomy = policy_of(10'220, std::string(20, ' '));
  EXPECT_TRUE(parse_document(roomy, PolicyKind::service_control, notices).has_value());
  const std::string longer = policy_of(10'221, std::string(20, ' '));
  EXPECT_FALSE(parse_document(longer, PolicyKind::service_control, notices).has_value());
  EXPECT_TRUE(parse_document(longer, PolicyKind::identity, notices).has_value());
}

TEST(PolicyDocument, CountsBehindAnEscapedQuoteAsInsideTheString) {
  std::vector<Notice> notices;
  const std::string quoted = "\\\"" + std::string(20, ' ');
  EXPECT_TRUE(parse_document(policy_of(10'240 - 22, quoted), PolicyKind::service_control, notices).has_value());
  EXPECT_FALSE(parse_document(policy_of(10'240 - 21, quoted), PolicyKind::service_control, notices).has_value());
}

TEST(PolicyDocument, BoundsItsDepthAndItsBytes) {
  std::vector<Notice> notices;
  const auto deep = parse_document(std::string(17, '[') + std::string(17, ']'), PolicyKind::identity, notices);
  ASSERT_FALSE(deep.has_value());
  EXPECT_THAT(deep.error().message, StartsWith("line 1, column 17: more than 16 levels"));
  const auto blank = parse_document(std::string(256 * 1024 + 1, ' '), PolicyKind::identity, notices);
  ASSERT_FALSE(blank.has_value());
  EXPECT_THAT(blank.error().message, HasSubstr("at most 262144 are read"));
}

TEST(PolicyDocument, NamesKindsAsAwsAndAsTheCommandLineDo) {
  EXPECT_EQ(name(PolicyKind::service_control), "service control policy");
  EXPECT_EQ(name(PolicyKind::permission_boundary), "permissions boundary");
  EXPECT_EQ(word(PolicyKind::permission_boundary), "boundary");
  EXPECT_EQ(word(PolicyKind::resource_control), "rcp");
}

}  // namespace
}  // namespace portolan::iam
