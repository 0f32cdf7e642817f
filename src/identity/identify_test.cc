// SPDX-License-Identifier: Apache-2.0
#include "identity/identify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "identity/test_request.h"

namespace portolan::identity {
namespace {

using base::Code;
using testing::HasSubstr;

constexpr std::string_view date_text = "20261121T230507Z";
constexpr std::string_view api_key = "pk-local-0123456789";

config::Config two_tenants() {
  config::Config config;
  config.catalog = domain::Catalog::builtin();
  config.tenants.push_back(
      {.name = "research",
       .account_id = "111122223333",
       .keys = {
           {.name = "alice", .access_key_id = "AKIDALICE", .secret_access_key = base::Secret{"alice's secret"}},
           {.name = "alice", .api_key_sha256 = base::to_hex(base::sha256(api_key))},
           {.name = "mesh", .certificate_name = "uri:spiffe://acme/mesh"},
           {.name = "mesh", .certificate_name = "dns:mesh.example"}}});
  config.tenants.push_back(
      {.name = "support",
       .account_id = "444455556666",
       .keys = {{.name = "bob", .access_key_id = "AKIDBOB", .secret_access_key = base::Secret{"bob's secret"}},
                {.name = "alice", .access_key_id = "AKIDALICE2", .secret_access_key = base::Secret{"other"}},
                {.name = "desk", .certificate_name = "subject:CN=desk,O=Acme"}}});
  return config;
}

class Identify : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(base::parse_time(date_text, now_)); }

  base::Result<Identity> identify(const TestRequest& call) {
    return keyring_.identify(call.request(), keys_, now_);
  }

  /// A call signed by `access_key_id`, its Authorization among its headers.
  void sign(TestRequest& call, std::string_view access_key_id, std::string_view secret) {
    call.access_key_id = access_key_id;
    call.secret_access_key = secret;
    call.add("host", "gateway.example");
    call.add("x-amz-date", date_text);
    call.sign(date_text, "host;x-amz-date");
    call.add("authorization", call.authorization);
  }

  void expect_refused(const TestRequest& call, Code code, std::string_view message_part) {
    const auto identity = identify(call);
    ASSERT_FALSE(identity.has_value());
    EXPECT_EQ(identity.error().facts().name, base::facts(code).name) << identity.error().message;
    EXPECT_THAT(identity.error().message, HasSubstr(std::string{message_part}));
  }

  Keyring keyring_{two_tenants()};
  SigningKeys keys_;
  base::WallTime now_;
};

/// With keys that were issued beside those of the configuration.
class IssuedKeys : public Identify {
 protected:
  domain::IssuedKey access_key(const std::string& id) const {
    return {.id = id,
            .kind = domain::CredentialKind::sigv4,
            .tenant = "support",
            .user_name = "carol",
            .profiles = {"us.*"},
            .secret_access_key = base::Secret{"carol's secret"},
            .created = now_,
            .last_use = std::make_shared<domain::LastUse>()};
  }
  domain::IssuedKey bearer(std::string_view text) const {
    return {.id = "api:01234567",
            .kind = domain::CredentialKind::api_key,
            .tenant = "research",
            .user_name = "robot",
            .api_key_sha256 = base::sha256(text),
            .created = now_,
            .last_use = std::make_shared<domain::LastUse>()};
  }
  base::Result<Identity> signed_with(const Keyring& keyring, std::string_view id, base::WallTime at) {
    TestRequest call;
    sign(call, id, "carol's secret");
    return keyring.identify(call.request(), keys_, at);
  }
  base::Result<Identity> with_bearer(const Keyring& keyring, const std::string& text, base::WallTime at) {
    TestRequest call;
    call.add("authorization", "Bearer " + text);
    return keyring.identify(call.request(), keys_, at);
  }
};

TEST_F(IssuedKeys, AreAcceptedBesideThoseOfTheConfiguration) {
  const std::vector issued{access_key("PTLNCAROL"), bearer("ptk-robot")};
  const Keyring keyring(two_tenants(), issued);
  const auto carol = signed_with(keyring, "PTLNCAROL", now_);
  ASSERT_TRUE(carol) << carol.error().message;
  EXPECT_EQ(carol->principal->arn, "arn:aws:iam::444455556666:user/carol");
  EXPECT_EQ(carol->principal->access_key_id, "PTLNCAROL");
  EXPECT_EQ(carol->principal->tenant_index, 1);
  EXPECT_THAT(carol->principal->profile_globs, testing::ElementsAre("us.*"));
  EXPECT_EQ(carol->last_use, issued[0].last_use.get());
  const auto robot = with_bearer(keyring, "ptk-robot", now_);
  ASSERT_TRUE(robot) << robot.error().message;
  EXPECT_EQ(robot->principal->key_id, "api:01234567");
  EXPECT_EQ(robot->principal->access_key_id, "");
  EXPECT_EQ(robot->last_use, issued[1].last_use.get());
  const auto configured = with_bearer(keyring, std::string{api_key}, now_);
  ASSERT_TRUE(configured);
  EXPECT_EQ(configured->last_use, nullptr);
  EXPECT_EQ(keyring.find("PTLNCAROL"), carol->principal);
}

TEST_F(IssuedKeys, AreRefusedFromTheMomentThatTheyExpire) {
  std::vector issued{access_key("PTLNCAROL"), bearer("ptk-robot")};
  for (domain::IssuedKey& key : issued) key.expires = now_ + std::chrono::minutes{1};
  const Keyring keyring(two_tenants(), issued);
  const base::WallTime last = now_ + std::chrono::seconds{59};
  const base::WallTime over = now_ + std::chrono::seconds{60};
  EXPECT_TRUE(signed_with(keyring, "PTLNCAROL", last));
  EXPECT_TRUE(with_bearer(keyring, "ptk-robot", last));
  for (const auto& refused : {signed_with(keyring, "PTLNCAROL", over), with_bearer(keyring, "ptk-robot", over)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::expired_key);
    EXPECT_THAT(refused.error().message, HasSubstr("expired at 2026-11-21T23:06:07Z"));
  }
}

TEST_F(IssuedKeys, TellOnlyTheirOwnerThatTheyExpired) {
  std::vector issued{access_key("PTLNCAROL")};
  issued[0].expires = now_;
  const Keyring keyring(two_tenants(), issued);
  TestRequest call;
  sign(call, "PTLNCAROL", "not carol's secret");
  const auto refused = keyring.identify(call.request(), keys_, now_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::bad_signature);
}

TEST_F(IssuedKeys, AreUnknownOnceRevokedOrWithoutTheirTenant) {
  std::vector issued{access_key("PTLNCAROL"), access_key("PTLNSTRANGER"), bearer("ptk-robot")};
  issued[0].revoked = now_;
  issued[1].tenant = "a tenant of yesterday";
  issued[2].revoked = now_;
  const Keyring keyring(two_tenants(), issued);
  EXPECT_EQ(signed_with(keyring, "PTLNCAROL", now_).error().code, Code::unknown_access_key);
  EXPECT_EQ(signed_with(keyring, "PTLNSTRANGER", now_).error().code, Code::unknown_access_key);
  EXPECT_EQ(with_bearer(keyring, "ptk-robot", now_).error().code, Code::bad_api_key);
  EXPECT_EQ(keyring.find("PTLNCAROL"), nullptr);
}

TEST_F(IssuedKeys, NeverReplaceOneOfTheConfiguration) {
  const std::vector issued{access_key("AKIDBOB")};
  const Keyring keyring(two_tenants(), issued);
  EXPECT_FALSE(signed_with(keyring, "AKIDBOB", now_)) << "carol's secret must not sign for bob's key";
}

TEST(LastUse, IsNotedToTheMinute) {
  const base::WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + std::chrono::hours{12}};
  domain::LastUse use;
  EXPECT_FALSE(use.at());
  use.note(noon);
  EXPECT_EQ(use.at(), noon);
  use.note(noon + std::chrono::seconds{59});
  EXPECT_EQ(use.at(), noon);
  use.note(noon + std::chrono::seconds{60});
  EXPECT_EQ(use.at(), noon + std::chrono::seconds{60});
  EXPECT_EQ(domain::LastUse{noon}.at(), noon);
}

TEST_F(Identify, NamesThePrincipalAndSourceRegionOfASignature) {
  TestRequest call;
  call.region = "eu-central-1";
  sign(call, "AKIDALICE", "alice's secret");
  const auto identity = identify(call);
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->source, domain::Catalog::builtin()->find_region("eu-central-1"));
  EXPECT_EQ(identity->principal->arn, "arn:aws:iam::111122223333:user/alice");
  EXPECT_EQ(identity->principal->user_name, "alice");
  EXPECT_EQ(identity->principal->account_id, "111122223333");
  EXPECT_EQ(identity->principal->tenant, "research");
  EXPECT_EQ(identity->principal->tenant_index, 0);
  EXPECT_EQ(identity->principal->access_key_id, "AKIDALICE");
  EXPECT_EQ(identity->principal->key_id, "AKIDALICE");
  EXPECT_EQ(identity->principal->kind, domain::CredentialKind::sigv4);
}

TEST_F(Identify, KeepsTheSigningKeyForTheNextCall) {
  for (int i = 0; i < 2; ++i) {
    TestRequest call;
    sign(call, "AKIDBOB", "bob's secret");
    ASSERT_TRUE(identify(call).has_value());
    EXPECT_EQ(keys_.size(), 1U);
  }
}

TEST_F(Identify, RefusesAWrongSecret) {
  TestRequest call;
  sign(call, "AKIDALICE", "bob's secret");
  expect_refused(call, Code::bad_signature, "does not match the signature you provided");
}

TEST_F(Identify, RefusesAnUnknownAccessKeyWhateverElseIsWrong) {
  TestRequest call;
  sign(call, "AKIDNOBODY", "any");
  expect_refused(call, Code::unknown_access_key, "security token included in the request is invalid");
  now_ += std::chrono::hours{1};
  expect_refused(call, Code::unknown_access_key, "security token included in the request is invalid");
  EXPECT_EQ(keys_.size(), 0U);
}

TEST_F(Identify, RefusesTheKeyThatStandsForUnknownOnes) {
  // The stand-in is HMAC under an empty key, as anyone can read here; it must open nothing.
  for (const std::string_view id : {"AKIDNOBODY", "AKIDALICE"}) {
    for (const std::string_view day : {"20261121", "20261001"}) {
      TestRequest call;
      const std::string amz_date = std::string{day} + "T230507Z";
      call.add("host", "gateway.example");
      call.add("x-amz-date", amz_date);
      const std::string scope = std::string{day} + "/us-east-1/bedrock/aws4_request";
      const std::string text =
          string_to_sign(amz_date, scope, canonical_request(call.request(), "host;x-amz-date"));
      call.add("authorization",
               "AWS4-HMAC-SHA256 Credential=" + std::string{id} + "/" + scope +
                   ", SignedHeaders=host;x-amz-date, Signature=" + base::to_hex(base::HmacKey{""}.mac(text)));
      EXPECT_FALSE(identify(call).has_value());
    }
  }
}

TEST_F(Identify, DoesNotKeepKeysOfOtherDays) {
  TestRequest call;
  sign(call, "AKIDALICE", "alice's secret");
  now_ += std::chrono::days{2};
  expect_refused(call, Code::expired_signature, "Signature expired");
  EXPECT_EQ(keys_.size(), 0U);
}

TEST_F(Identify, RefusesAnotherServiceAndAnUnknownRegion) {
  TestRequest call;
  call.service = "bedrock-mantle";
  sign(call, "AKIDALICE", "alice's secret");
  expect_refused(call, Code::bad_signature, "'bedrock', not 'bedrock-mantle'");
  TestRequest elsewhere;
  elsewhere.region = "mars-north-1";
  sign(elsewhere, "AKIDALICE", "alice's secret");
  expect_refused(elsewhere, Code::bad_signature, "valid Region, not 'mars-north-1'");
}

TEST_F(Identify, RefusesABrokenAuthorization) {
  TestRequest call;
  call.add("authorization", "AWS4-HMAC-SHA256 Credential=AKIDALICE");
  expect_refused(call, Code::incomplete_signature, "'SignedHeaders'");
}

TEST_F(Identify, TakesAnApiKeyAsBearerOrInItsOwnHeader) {
  for (const auto& [name, value] :
       {std::pair{"Authorization", "Bearer "}, {"authorization", "bearer   "}, {"X-Api-Key", ""}}) {
    TestRequest call;
    call.add(name, std::string{value} + std::string{api_key});
    const auto identity = identify(call);
    ASSERT_TRUE(identity.has_value()) << identity.error().message;
    EXPECT_EQ(identity->source, domain::region_none);
    EXPECT_EQ(identity->principal->user_name, "alice");
    EXPECT_EQ(identity->principal->kind, domain::CredentialKind::api_key);
    EXPECT_EQ(identity->principal->access_key_id, "");
    EXPECT_EQ(identity->principal->key_id, "api:" + base::to_hex(base::sha256(api_key)).substr(0, 8));
  }
}

TEST_F(Identify, RefusesAWrongApiKeyWithoutRepeatingIt) {
  TestRequest call;
  call.add("authorization", "Bearer pk-guess");
  expect_refused(call, Code::bad_api_key, "API Key");
  EXPECT_THAT(identify(call).error().message, testing::Not(HasSubstr("pk-guess")));
}

TEST_F(Identify, RefusesTheHashOfAnApiKey) {
  TestRequest call;
  call.add("x-api-key", base::to_hex(base::sha256(api_key)));
  expect_refused(call, Code::bad_api_key, "API Key");
}

TEST_F(Identify, LooksAtAuthorizationBeforeApiKey) {
  TestRequest call;
  call.add("x-api-key", api_key);
  sign(call, "AKIDBOB", "bob's secret");
  const auto identity = identify(call);
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->principal->user_name, "bob");
}

TEST_F(Identify, SaysWhatIsAcceptedWhenNothingWasSent) {
  TestRequest call;
  expect_refused(call, Code::missing_credentials, "x-api-key");
  call.add("authorization", "Basic YTpi");
  expect_refused(call, Code::missing_credentials, "Bearer");
}

TEST_F(Identify, RefusesTwoAuthorizationHeaders) {
  TestRequest call;
  call.add("authorization", "Bearer " + std::string{api_key});
  call.add("Authorization", "Bearer other");
  expect_refused(call, Code::missing_credentials, "only once");
}

class IdentifyByCertificate : public Identify {
 protected:
  base::Result<Identity> identify(const TestRequest& call, std::vector<std::string> names) {
    return keyring_.identify(call.request(), keys_, now_, names);
  }
  void expect_unknown(std::vector<std::string> names, std::string_view message_part) {
    const auto identity = identify(TestRequest{}, std::move(names));
    ASSERT_FALSE(identity.has_value());
    EXPECT_EQ(identity.error().facts().name, "unknown_certificate") << identity.error().message;
    EXPECT_THAT(identity.error().message, HasSubstr(std::string{message_part}));
  }
};

TEST_F(IdentifyByCertificate, NamesThePrincipalOfAnyOfItsNames) {
  const auto identity = identify({}, {"dns:other.example", "uri:spiffe://acme/mesh", "subject:CN=whatever"});
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->principal->arn, "arn:aws:iam::111122223333:user/mesh");
  EXPECT_EQ(identity->principal->tenant, "research");
  EXPECT_EQ(identity->principal->kind, domain::CredentialKind::certificate);
  EXPECT_EQ(identity->principal->key_id, "uri:spiffe://acme/mesh");
  EXPECT_EQ(identity->principal->access_key_id, "");
  EXPECT_EQ(identity->source, domain::region_none);
  EXPECT_EQ(identify({}, {"subject:CN=desk,O=Acme"})->principal->user_name, "desk");
  EXPECT_EQ(identify({}, {"uri:spiffe://acme/mesh", "dns:mesh.example"})->principal->user_name, "mesh")
      << "two names of one user";
}

TEST_F(IdentifyByCertificate, RefusesNamesThatNobodyHas) {
  expect_unknown({"dns:mallory.example", "subject:CN=mesh"}, "(dns:mallory.example)");
  expect_unknown({"uri:dns:mesh.example"}, "No key");
  expect_unknown({"dns:MESH.example"}, "No key");
}

TEST_F(IdentifyByCertificate, RefusesTheNamesOfTwoUsers) {
  expect_unknown({"dns:mesh.example", "subject:CN=desk,O=Acme"}, "two users");
}

TEST_F(IdentifyByCertificate, LetsTheRequestsOwnCredentialWin) {
  TestRequest signed_by_bob;
  sign(signed_by_bob, "AKIDBOB", "bob's secret");
  EXPECT_EQ(identify(signed_by_bob, {"dns:mesh.example"})->principal->user_name, "bob");
  TestRequest with_key;
  with_key.add("x-api-key", api_key);
  EXPECT_EQ(identify(with_key, {"dns:mesh.example"})->principal->user_name, "alice");
}

TEST_F(IdentifyByCertificate, NeverStandsInForAWrongCredential) {
  const auto refused_as = [&](const TestRequest& call) {
    const auto identity = identify(call, {"dns:mesh.example"});
    return identity.has_value() ? "nothing" : std::string{identity.error().facts().name};
  };
  TestRequest badly_signed;
  sign(badly_signed, "AKIDALICE", "bob's secret");
  EXPECT_EQ(refused_as(badly_signed), "bad_signature");
  TestRequest wrong_key;
  wrong_key.add("authorization", "Bearer pk-guess");
  EXPECT_EQ(refused_as(wrong_key), "bad_api_key");
  TestRequest unknown_scheme;
  unknown_scheme.add("authorization", "Basic YTpi");
  EXPECT_EQ(refused_as(unknown_scheme), "missing_credentials");
}

TEST_F(Identify, LeavesOutAnApiKeyWhoseHashIsNotOne) {
  config::Config config = two_tenants();
  config.tenants[0].keys = {{.name = "carol", .api_key_sha256 = "abcd"},
                            {.name = "dave", .api_key_sha256 = "no hex"}};
  const Keyring keyring(config);
  EXPECT_EQ(keyring.find("carol"), nullptr);
  EXPECT_EQ(keyring.find("dave"), nullptr);
}

TEST_F(Identify, FindsAPrincipalByAnyOfItsNames) {
  const domain::Principal* bob = keyring_.find("bob");
  ASSERT_NE(bob, nullptr);
  EXPECT_EQ(keyring_.find("AKIDBOB"), bob);
  EXPECT_EQ(keyring_.find("arn:aws:iam::444455556666:user/bob"), bob);
  EXPECT_EQ(keyring_.find("alice"), nullptr) << "two accounts have an alice";
  const domain::Principal* by_key = keyring_.find("api:" + base::to_hex(base::sha256(api_key)).substr(0, 8));
  ASSERT_NE(by_key, nullptr);
  EXPECT_EQ(by_key->kind, domain::CredentialKind::api_key);
  EXPECT_EQ(keyring_.find(""), nullptr);
  EXPECT_EQ(keyring_.principals().size(), 7U);
}

TEST_F(Identify, FindsAUserWithTwoCredentialsByName) {
  config::Config config = two_tenants();
  config.tenants.pop_back();
  const Keyring keyring(config);
  const domain::Principal* alice = keyring.find("alice");
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->arn, "arn:aws:iam::111122223333:user/alice");
}

}  // namespace
}  // namespace portolan::identity
