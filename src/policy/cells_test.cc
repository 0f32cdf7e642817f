// SPDX-License-Identifier: Apache-2.0
#include "policy/cells.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string all_of_bedrock = document_of({R"("Effect":"Allow","Action":"bedrock:*","Resource":"*")"});

std::string deny_region(const std::string& region) {
  return document_of({R"("Sid":"NotThere","Effect":"Deny","Action":"*","Resource":"*",)"
                      R"("Condition":{"StringEquals":{"aws:RequestedRegion":")" +
                      region + "\"}}"});
}

const domain::Catalog& shipped_catalog() {
  static const std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  return *catalog;
}

TEST(ChangedCells, AreNoneBetweenEqualSets) {
  const Organization set = organization_of({.identity = all_of_bedrock});
  EXPECT_THAT(changed_cells(set, set, shipped_catalog(), {}), IsEmpty());
}

TEST(ChangedCells, AreToldInBothDirectionsWithWhatDenies) {
  const Organization open = organization_of({.identity = all_of_bedrock});
  const Organization closed = organization_of({.root_scp = deny_region("us-west-1"), .identity = all_of_bedrock});
  CellQuestion question;
  question.mode = Mode::subset;
  const std::vector<CellChange> withdrawn = changed_cells(open, closed, shipped_catalog(), question);
  const std::vector<CellChange> granted = changed_cells(closed, open, shipped_catalog(), question);
  ASSERT_FALSE(withdrawn.empty());
  ASSERT_EQ(withdrawn.size(), granted.size());
  const domain::RegionIndex us_west_1 = shipped_catalog().find_region("us-west-1");
  for (std::size_t i = 0; i < withdrawn.size(); ++i) {
    const CellChange& change = withdrawn[i];
    EXPECT_FALSE(change.is_granted);
    EXPECT_TRUE(granted[i].is_granted);
    EXPECT_TRUE(change.destination == us_west_1 || change.source == us_west_1);
    EXPECT_EQ(change.outcome, iam::Outcome::explicit_deny);
    EXPECT_EQ(change.level, "root");
    EXPECT_EQ(change.document, "root_scp.json");
    EXPECT_EQ(change.sid, "NotThere");
    EXPECT_EQ(change.line, 2u);
    EXPECT_EQ(granted[i].document, change.document) << "what denied before";
  }
}

TEST(ChangedCells, NameTheDenyThatTakesEveryDestinationOfAStrictCall) {
  const Organization open = organization_of({.identity = all_of_bedrock});
  const Organization closed = organization_of({.root_scp = deny_region("us-west-2"), .identity = all_of_bedrock});
  std::set<std::string> destinations;
  for (const CellChange& change : changed_cells(open, closed, shipped_catalog(), {})) {
    if (change.called.id() != "us.anthropic.claude-sonnet-4-5-20250929-v1:0" || change.principal != alice) continue;
    if (shipped_catalog().region(change.source).name != "us-east-1") continue;
    destinations.insert(shipped_catalog().region(change.destination).name);
    EXPECT_EQ(change.sid, "NotThere") << "also at destinations that by themselves are allowed";
  }
  EXPECT_THAT(destinations, UnorderedElementsAre("us-east-1", "us-east-2", "us-west-2"));
}

TEST(ChangedCells, SeeAPrincipalThatOnlyOneSetHas) {
  const Organization with = organization_of({.identity = all_of_bedrock});
  Organization without = with;
  without.principals.erase(std::string{alice});
  std::set<std::string> principals;
  for (const CellChange& change : changed_cells(with, without, shipped_catalog(), {})) {
    principals.insert(change.principal);
    EXPECT_EQ(change.kind, iam::PolicyKind::identity);
    EXPECT_EQ(change.outcome, iam::Outcome::implicit_deny);
    EXPECT_EQ(change.document, "");
    EXPECT_EQ(change.line, 0u);
  }
  EXPECT_THAT(principals, ElementsAre(alice));
}

TEST(ChangedCells, TellStreamsApart) {
  const Organization all = organization_of({.identity = all_of_bedrock});
  const Organization whole = organization_of(
      {.identity = document_of({R"("Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"*")"})});
  std::set<std::string> actions;
  for (const CellChange& change : changed_cells(all, whole, shipped_catalog(), {})) actions.insert(change.action);
  EXPECT_THAT(actions, ElementsAre("bedrock:InvokeModelWithResponseStream"));
}

TEST(ChangedCells, SeeAGrantOfAModelByItsBareId) {
  const Organization none = organization_of({});
  const Organization granted = organization_of(
      {.identity = document_of(
           {R"("Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"arn:aws:bedrock:*::foundation-model/*")"})});
  const std::vector<CellChange> changes = changed_cells(none, granted, shipped_catalog(), {});
  ASSERT_FALSE(changes.empty());
  for (const CellChange& change : changes) {
    EXPECT_TRUE(change.is_granted);
    EXPECT_EQ(change.called.profile, nullptr) << "no profile is granted";
    EXPECT_EQ(change.source, change.destination);
    EXPECT_TRUE(change.called.model->in_region.contains(change.source));
  }
}

TEST(ChangedDoors, AreListenersAndSessionPoliciesThatAreNewGoneOrEdited) {
  const std::string allow = document_of({R"("Effect":"Allow","Action":"*","Resource":"*","Principal":"*")"});
  const std::string deny = document_of({R"("Effect":"Deny","Action":"*","Resource":"*","Principal":"*")"});
  const Organization open = organization_of({.listener = allow});
  const Organization closed = organization_of({.listener = deny});
  const Organization none = organization_of({});
  const DoorChange office{.kind = iam::PolicyKind::listener, .name = "office"};
  EXPECT_THAT(changed_cells(open, closed, shipped_catalog(), {}), IsEmpty()) << "no cell passes a listener";
  EXPECT_THAT(changed_doors(open, closed), ElementsAre(office));
  EXPECT_THAT(changed_doors(none, closed), ElementsAre(office));
  EXPECT_THAT(changed_doors(closed, none), ElementsAre(office));
  EXPECT_THAT(changed_doors(open, open), IsEmpty());
  EXPECT_THAT(changed_doors(none, organization_of({.session = all_of_bedrock})),
              ElementsAre(DoorChange{.kind = iam::PolicyKind::session, .name = "narrow"}));
}

TEST(StatementWords, AreTheSidOrTheNumber) {
  const Organization set =
      organization_of({.identity = document_of({R"("Sid":"First","Effect":"Allow","Action":"*","Resource":"*")",
                                                R"("Effect":"Allow","Action":"*","Resource":"*")"})});
  const Policy* policy = set.find_principal(alice)->identity.front().get();
  EXPECT_EQ(statement_words(policy, policy->document.statements.data()), "First");
  EXPECT_EQ(statement_words(policy, policy->document.statements.data() + 1), "statement 2");
  EXPECT_EQ(statement_words(nullptr, nullptr), "");
}

}  // namespace
}  // namespace portolan::policy
