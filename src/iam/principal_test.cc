// SPDX-License-Identifier: Apache-2.0
#include "iam/principal.h"

#include <gtest/gtest.h>
#include <string>

namespace portolan::iam {
namespace {

using Type = PrincipalPattern::Type;

Naming naming_of(Type type, std::string_view pattern, std::string_view caller, const Context& context = {}) {
  return naming({{type, std::string(pattern)}}, Caller::parse(caller), context);
}

TEST(Caller, IsTakenApart) {
  struct Row {
    std::string_view text;
    Caller::Kind kind;
    std::string_view account;
    std::string_view role;
  };
  const Row rows[] = {
      {"arn:aws:iam::111122223333:user/a/b", Caller::Kind::user, "111122223333", ""},
      {"arn:aws:iam::111122223333:root", Caller::Kind::root, "111122223333", ""},
      {"arn:aws:iam::111122223333:role/team/app", Caller::Kind::role, "111122223333", "app"},
      {"arn:aws-us-gov:sts::111122223333:assumed-role/app/s/1", Caller::Kind::session, "111122223333", "app"},
      {"arn:aws:sts::111122223333:federated-user/f", Caller::Kind::federated_user, "111122223333", ""},
      {"arn:aws:iam::1:user/a", Caller::Kind::user, "", ""},
      {"arn:aws:s3:::b", Caller::Kind::other, "", ""},
      {"lambda.amazonaws.com", Caller::Kind::service, "", ""},
      {"", Caller::Kind::anonymous, "", ""},
      {"*", Caller::Kind::anonymous, "", ""},
      {"someone", Caller::Kind::other, "", ""},
  };
  for (const Row& row : rows) {
    const Caller caller = Caller::parse(row.text);
    EXPECT_EQ(caller.kind, row.kind) << row.text;
    EXPECT_EQ(caller.account, row.account) << row.text;
    EXPECT_EQ(caller.role, row.role) << row.text;
  }
}

TEST(Naming, TellsHowCloselyAPrincipalNamesTheCaller) {
  struct Row {
    Type type;
    std::string_view pattern;
    std::string_view caller;
    Naming expected;
  };
  constexpr std::string_view user = "arn:aws:iam::111122223333:user/a";
  constexpr std::string_view session = "arn:aws:sts::111122223333:assumed-role/app/s";
  const Row rows[] = {
      {Type::any, "*", user, Naming::identity},
      {Type::aws, "*", "", Naming::identity},
      {Type::aws, user, user, Naming::identity},
      {Type::aws, "arn:aws:iam::111122223333:user/A", user, Naming::none},
      {Type::aws, "111122223333", user, Naming::account},
      {Type::aws, "arn:aws:iam::111122223333:root", user, Naming::account},
      {Type::aws, "arn:aws:iam::444455556666:root", user, Naming::none},
      {Type::aws, "arn:aws-cn:iam::111122223333:root", user, Naming::none},
      {Type::aws, "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root", Naming::identity},
      {Type::aws, session, session, Naming::identity},
      {Type::aws, "arn:aws:iam::111122223333:role/app", session, Naming::role},
      {Type::aws, "arn:aws:iam::111122223333:role/team/app", session, Naming::role},
      {Type::aws, "arn:aws:iam::111122223333:role/App", session, Naming::none},
      {Type::aws, "arn:aws:iam::444455556666:role/app", session, Naming::none},
      {Type::aws, "arn:aws:iam::111122223333:role/app", "arn:aws:iam::111122223333:role/app", Naming::role},
      {Type::aws, session, "arn:aws:iam::111122223333:role/app", Naming::none},
      {Type::service, "lambda.amazonaws.com", "lambda.amazonaws.com", Naming::identity},
      {Type::service, "lambda.amazonaws.com", user, Naming::none},
      {Type::aws, "lambda.amazonaws.com", "s3.amazonaws.com", Naming::none},
      {Type::canonical_user, user, user, Naming::none},
      {Type::federated, "accounts.google.com", session, Naming::none},
  };
  for (const Row& row : rows)
    EXPECT_EQ(naming_of(row.type, row.pattern, row.caller), row.expected) << row.pattern << " for " << row.caller;
  Context google;
  google.set("aws:FederatedProvider", "accounts.google.com");
  EXPECT_EQ(naming_of(Type::federated, "accounts.google.com", session, google), Naming::role);
}

TEST(Excepted, NeedsTheWholeChainFromTheAccountDown) {
  const auto pattern = [](std::string_view text) { return PrincipalPattern{Type::aws, std::string(text)}; };
  const auto account = pattern("arn:aws:iam::444455556666:root");
  const auto user = pattern("arn:aws:iam::444455556666:user/Bob");
  const auto role = pattern("arn:aws:iam::444455556666:role/r");
  const auto session = pattern("arn:aws:sts::444455556666:assumed-role/r/s");
  const Caller bob = Caller::parse("arn:aws:iam::444455556666:user/Bob");
  const Caller caller = Caller::parse("arn:aws:sts::444455556666:assumed-role/r/s");
  EXPECT_TRUE(excepted({user, account}, bob));
  EXPECT_TRUE(excepted({user, pattern("444455556666")}, bob));
  EXPECT_FALSE(excepted({user}, bob));
  EXPECT_FALSE(excepted({account}, bob));
  EXPECT_TRUE(excepted({session, role, account}, caller));
  EXPECT_FALSE(excepted({session, account}, caller));
  EXPECT_FALSE(excepted({role, account}, caller));
  EXPECT_TRUE(excepted({{Type::any, "*"}}, caller));
  EXPECT_TRUE(excepted({account}, Caller::parse("arn:aws:iam::444455556666:root")));
  EXPECT_TRUE(excepted({{Type::service, "s3.amazonaws.com"}}, Caller::parse("s3.amazonaws.com")));
}

}  // namespace
}  // namespace portolan::iam
