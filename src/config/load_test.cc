// SPDX-License-Identifier: Apache-2.0
// Configurations as an operator writes them, right and wrong, and the exact words that come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "base/sha256.h"
#include "config/config.h"

namespace portolan::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class KnownSecrets : public Secrets {
 public:
  std::optional<base::Secret> environment(const std::string& name) const override {
    if (name == "UPSTREAM") return base::Secret{"upstream-secret"};
    if (name == "EMPTY") return base::Secret{""};
    if (name == "MASTER") return base::Secret{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
    return std::nullopt;
  }
  base::Result<base::Secret> file(const std::string& path) const override {
    if (path == "/etc/alice") return base::Secret{"alice-secret\r\n"};
    if (path == "/etc/huge") return base::Secret{std::string(5000, 'x')};
    if (path == "/etc/lines") return base::Secret{"one\ntwo\n"};
    return base::fail(base::Code::disk, "no such file");
  }
  base::Result<base::Secret> command(const std::vector<std::string>& words) const override {
    if (words[0] == "/bin/vault") return base::Secret{words.back() + "\n"};
    return base::fail(base::Code::disk, "it ended with exit code 7");
  }
};

Loaded load_text(std::string_view text) {
  return load(text, "p.yaml", KnownSecrets{});
}

std::vector<std::string> mistakes(std::string_view text) {
  const Loaded loaded = load_text(text);
  EXPECT_EQ(loaded.config.has_value(), loaded.mistakes.empty());
  std::vector<std::string> lines;
  for (const Mistake& mistake : loaded.mistakes) lines.push_back(mistake.text());
  return lines;
}

constexpr std::string_view sound = R"(source_region: us-east-1
account: {name: main, account_id: "111122223333", access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: env:UPSTREAM}
regions:
  us-east-1: {endpoint: "http://127.77.0.1:9001"}
  us-west-2: {endpoint: "https://[::1]:9443"}
tenants:
  - name: research
    account_id: "222233334444"
    keys:
      - {name: alice, access_key_id: AKIAI44QH8DHBEXAMPLE, secret_access_key: "file:/etc/alice"}
)";

/// `sound` with one piece replaced.
std::string with(std::string_view piece, std::string_view replacement) {
  std::string text{sound};
  const std::size_t at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return text.replace(at, piece.size(), replacement);
}

/// `sound` with lines before it; those begin at line 1.
std::string after(std::string_view lines) {
  return std::string{lines} + std::string{sound};
}

TEST(Load, TakesTheDefaultsForWhatIsNotSaid) {
  const Loaded loaded = load_text(sound);
  ASSERT_THAT(mistakes(sound), IsEmpty());
  const Config& config = *loaded.config;
  EXPECT_EQ(config.source, "p.yaml");
  EXPECT_EQ(config.version_hash, base::to_hex(base::sha256(sound)).substr(0, 12));
  EXPECT_FALSE(config.dev);
  EXPECT_EQ(config.listen.port, 8080);
  EXPECT_FALSE(config.listen.tls);
  EXPECT_EQ(config.admin.port, 8081);
  EXPECT_EQ(config.data_dir, "portolan-data");
  EXPECT_EQ(config.limits.body_bytes_max, 25'000'000u);
  EXPECT_EQ(config.deadlines.idle, base::seconds{350});
  EXPECT_EQ(config.retry.attempts_max, 8u);
  EXPECT_EQ(config.catalog->region(config.source_region).name, "us-east-1");
  EXPECT_THAT(config.tenants[0].profiles, IsEmpty());
  EXPECT_TRUE(config.tenants[0].quota.unlimited());
}

TEST(Load, ResolvesSecretsAndTrimsTheEndOfAFile) {
  const Config config = *load_text(sound).config;
  EXPECT_EQ(config.account.secret_access_key.reveal(), "upstream-secret");
  EXPECT_EQ(config.tenants[0].keys[0].secret_access_key.reveal(), "alice-secret");
}

TEST(Load, SplitsEndpoints) {
  const Config config = *load_text(sound).config;
  ASSERT_EQ(config.endpoints.size(), 2u);
  EXPECT_EQ(config.catalog->region(config.endpoints[1].region).name, "us-west-2");
  EXPECT_EQ(config.endpoints[1].host, "::1");
  EXPECT_EQ(config.endpoints[1].port, 9443);
  EXPECT_TRUE(config.endpoints[1].tls);
  EXPECT_EQ(config.endpoints[1].host_header, "[::1]:9443");
}

TEST(Load, ReadsEverySetting) {
  const Loaded loaded = load_text(R"(version: 1
dev: true
data_dir: ./data
source_region: eu-west-1
listen: {address: 0.0.0.0, port: 0, allow_plaintext: true, tls: {address: "::1", port: 9443,
  certificates: [{certificate: c.pem, private_key: k.pem}, {certificate: d.pem, private_key: l.pem}],
  client_certificates: required, client_ca: ca.pem}}
admin: {address: "::", port: 0, allow_plaintext: true}
reactors: 2
limits: {head_bytes_max: 16KiB, body_bytes_max: 1000000, connections_max: 7}
deadlines: {connect: 250ms, first_byte: 1.5s, chunk: 2s, total: 1m, head: 3s, idle: 4s, drain: 0s}
retry: {attempts_max: 8, budget_percent: 0, backoff_base: 1ms, backoff_cap: 2ms}
account: {name: main, account_id: 111122223333, access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: inline}
regions: {eu-west-1: {endpoint: "https://a.example", ca: region.pem}}
profiles:
  - {id: team.eu, model: anthropic.claude-sonnet-4-5-20250929-v1:0, destinations: [eu-west-1]}
tenants:
  - name: research
    account_id: "222233334444"
    profiles: ["eu.*", team.eu]
    regions: [eu-west-1, eu-west-3]
    quota: {requests_per_minute: 600, tokens_per_minute: 2000000}
    keys:
      - {name: bot, api_key_sha256: E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855}
      - {name: mesh, certificate: "uri:spiffe://acme/mesh"}
)");
  ASSERT_TRUE(loaded.config) << loaded.mistakes[0].text();
  const Config& config = *loaded.config;
  EXPECT_TRUE(config.dev);
  EXPECT_EQ(config.data_dir, "./data");
  EXPECT_EQ(config.listen.address, "0.0.0.0");
  EXPECT_EQ(config.listen.port, 0);
  EXPECT_EQ(config.listen.tls->port, 9443);
  EXPECT_EQ(config.listen.tls->address, "::1");
  ASSERT_EQ(config.listen.tls->certificates.size(), 2u);
  EXPECT_EQ(config.listen.tls->certificates[1].certificate_file, "d.pem");
  EXPECT_EQ(config.listen.tls->certificates[1].private_key_file, "l.pem");
  EXPECT_EQ(config.listen.tls->client_certificates, ClientCertificates::required);
  EXPECT_EQ(config.listen.tls->client_ca_file, "ca.pem");
  EXPECT_EQ(config.admin.address, "::");
  EXPECT_EQ(config.reactors, 2u);
  EXPECT_EQ(config.limits.head_bytes_max, 16'384u);
  EXPECT_EQ(config.limits.body_bytes_max, 1'000'000u);
  EXPECT_EQ(config.limits.connections_max, 7u);
  EXPECT_EQ(config.deadlines.connect, base::milliseconds{250});
  EXPECT_EQ(config.deadlines.first_byte, base::milliseconds{1500});
  EXPECT_EQ(config.deadlines.chunk, base::seconds{2});
  EXPECT_EQ(config.deadlines.total, base::seconds{60});
  EXPECT_EQ(config.deadlines.head, base::seconds{3});
  EXPECT_EQ(config.deadlines.idle, base::seconds{4});
  EXPECT_EQ(config.deadlines.drain, base::seconds{0});
  EXPECT_EQ(config.retry.attempts_max, 8u);
  EXPECT_EQ(config.retry.budget_percent, 0u);
  EXPECT_EQ(config.retry.backoff_base, base::milliseconds{1});
  EXPECT_EQ(config.retry.backoff_cap, base::milliseconds{2});
  EXPECT_EQ(config.account.account_id, "111122223333");
  EXPECT_EQ(config.account.secret_access_key.reveal(), "inline");
  EXPECT_EQ(config.endpoints[0].host_header, "a.example");
  EXPECT_EQ(config.endpoints[0].ca_file, "region.pem");
  EXPECT_NE(config.catalog->find_profile("team.eu"), nullptr);
  const Tenant& tenant = config.tenants[0];
  EXPECT_THAT(tenant.profiles, ElementsAre("eu.*", "team.eu"));
  EXPECT_THAT(tenant.regions, ElementsAre("eu-west-1", "eu-west-3"));
  EXPECT_EQ(tenant.quota.requests_per_minute, 600u);
  EXPECT_EQ(tenant.quota.tokens_per_minute, 2'000'000u);
  EXPECT_EQ(tenant.keys[0].api_key_sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(tenant.keys[1].certificate_name, "uri:spiffe://acme/mesh");
}

TEST(Load, SaysWhatIsMissing) {
  EXPECT_THAT(mistakes(""),
              ElementsAre("p.yaml:1:1 account: is missing, and required: The provider account that calls "
                          "to the Regions are signed with.",
                          "p.yaml:1:1 regions: is missing, and required: How each destination Region is "
                          "reached.",
                          "p.yaml:1:1 source_region: is missing, and required: Source Region of calls "
                          "whose credential names none.",
                          "p.yaml:1:1 tenants: is missing, and required: Who may call, and what."));
  EXPECT_THAT(mistakes(with("name: main, ", "")),
              ElementsAre("p.yaml:2:10 account.name: is missing, and required: A name for records and metrics."));
}

TEST(Load, NeedsAtLeastOneRegionAndOneTenant) {
  EXPECT_THAT(mistakes("source_region: us-east-1\nregions: {}\ntenants: []\n" + std::string{sound.substr(25, 120)}),
              ElementsAre("p.yaml:2:10 regions: must have 1 to 64 entries, and has 0",
                          "p.yaml:3:10 tenants: must have 1 to 10000 entries, and has 0"));
}

TEST(Load, RefusesWhatIsNotAMapping) {
  EXPECT_THAT(mistakes("- a\n"), ElementsAre("p.yaml:1:1: must be a mapping (key: value), not a list"));
  EXPECT_THAT(mistakes("text"), ElementsAre("p.yaml:1:1: must be a mapping (key: value) (the value is not shown)"));
  EXPECT_THAT(mistakes("a: ["), ElementsAre(testing::StartsWith("p.yaml:1:1: is not YAML: ")));
}

TEST(Load, NamesTheKeyThatWasMeant) {
  EXPECT_THAT(mistakes(after("reactor: 2\n")),
              ElementsAre("p.yaml:1:1: unknown key \"reactor\"; did you mean reactors?"));
  EXPECT_THAT(mistakes(after("listen: {prot: 1}\n")),
              ElementsAre("p.yaml:1:10 listen: unknown key \"prot\"; did you mean port?"));
  EXPECT_THAT(
      mistakes(after("listen: {zzz: 1}\n")),
      ElementsAre("p.yaml:1:10 listen: unknown key \"zzz\"; allowed here: address, port, allow_plaintext, tls"));
}

TEST(Load, RefusesAKeyTwice) {
  EXPECT_THAT(mistakes(after("reactors: 1\nreactors: 2\n")),
              ElementsAre("p.yaml:2:1: key \"reactors\" stands here twice; keep one"));
  EXPECT_THAT(mistakes(with("  us-west-2:", "  us-east-1:")),
              ElementsAre("p.yaml:5:3 regions.us-east-1: this Region stands here twice; keep one"));
}

TEST(Load, SaysWhichTypeAndBoundsAreAllowed) {
  EXPECT_THAT(mistakes(after("dev: yes\n")), ElementsAre("p.yaml:1:6 dev: must be true or false, not \"yes\""));
  EXPECT_THAT(mistakes(after("version: 2\n")), ElementsAre("p.yaml:1:10 version: must be 1, not \"2\""));
  EXPECT_THAT(mistakes(after("reactors: many\n")),
              ElementsAre("p.yaml:1:11 reactors: must be a whole number, 0 to 256, not \"many\""));
  EXPECT_THAT(mistakes(after("reactors: 257\n")),
              ElementsAre("p.yaml:1:11 reactors: must be 0 to 256, not \"257\""));
  EXPECT_THAT(mistakes(after("reactors: [1]\n")),
              ElementsAre("p.yaml:1:11 reactors: must be a whole number, 0 to 256, not a list"));
  EXPECT_THAT(mistakes(after("data_dir:\n")),
              ElementsAre("p.yaml:1:1 data_dir: must be the path of a file, not empty"));
  EXPECT_THAT(
      mistakes(after("limits: {head_bytes_max: 32kb}\n")),
      ElementsAre("p.yaml:1:26 limits.head_bytes_max: must be a size such as 512, 32KiB or 25MB, 1KiB to 1MiB, "
                  "not \"32kb\""));
  EXPECT_THAT(mistakes(after("limits: {head_bytes_max: 2MiB}\n")),
              ElementsAre("p.yaml:1:26 limits.head_bytes_max: must be 1KiB to 1MiB, not \"2MiB\""));
  EXPECT_THAT(
      mistakes(after("deadlines: {connect: 5}\n")),
      ElementsAre("p.yaml:1:22 deadlines.connect: must be a duration such as 250ms, 10s or 2m, 1ms to 1m, not "
                  "\"5\""));
  EXPECT_THAT(mistakes(after("deadlines: {connect: 0s}\n")),
              ElementsAre("p.yaml:1:22 deadlines.connect: must be 1ms to 1m, not \"0s\""));
  EXPECT_THAT(
      mistakes(after("listen: {address: localhost}\n")),
      testing::Contains("p.yaml:1:19 listen.address: must be an IPv4 or IPv6 address such as 127.0.0.1, 0.0.0.0 "
                        "or ::1, not \"localhost\""));
  EXPECT_THAT(mistakes(with("\"222233334444\"", "2222")),
              ElementsAre("p.yaml:8:17 tenants[0].account_id: must be 12 digits, in quotes, not \"2222\""));
  EXPECT_THAT(
      mistakes(with("tenants:", "tenants: 5\nx:")),
      ElementsAre("p.yaml:6:10 tenants: must be a list (the value is not shown)",
                  "p.yaml:7:1: unknown key \"x\"; allowed here: version, dev, data_dir, source_region, listen, "
                  "admin, reactors, limits, deadlines, retry, account, regions, keys, policies, "
                  "application_profile_arn, profiles, tenants"));
}

TEST(Load, NamesTheRegionOrModelOrProfileThatWasMeant) {
  EXPECT_THAT(mistakes(with("source_region: us-east-1", "source_region: us-esat-1")),
              ElementsAre("p.yaml:1:16 source_region: unknown Region \"us-esat-1\"; did you mean us-east-1?"));
  EXPECT_THAT(mistakes(with("  us-west-2:", "  us-wset-2:")),
              ElementsAre("p.yaml:5:3 regions: unknown Region \"us-wset-2\"; did you mean us-west-2?"));
  EXPECT_THAT(mistakes(with("    keys:", "    regions: [us-east-1, mars]\n    keys:")),
              ElementsAre("p.yaml:9:26 tenants[0].regions[1]: unknown Region \"mars\""));
  EXPECT_THAT(mistakes(after("profiles: [{id: x, model: nova-lite, destinations: [us-east-1]}]\n")),
              ElementsAre("p.yaml:1:27 profiles[0].model: unknown model \"nova-lite\"; did you mean "
                          "amazon.nova-lite-v1:0?"));
  EXPECT_THAT(
      mistakes(with("    keys:", "    profiles: [us.amazon.nova-lite]\n    keys:")),
      ElementsAre("p.yaml:9:16 tenants[0].profiles[0]: unknown profile \"us.amazon.nova-lite\"; did you mean "
                  "us.amazon.nova-lite-v1:0?"));
}

TEST(Load, RefusesAGlobThatMatchesNothing) {
  EXPECT_THAT(
      mistakes(with("    keys:", "    profiles: [\"us.*\", \"xx.*\"]\n    keys:")),
      ElementsAre("p.yaml:9:24 tenants[0].profiles[1]: \"xx.*\" matches no profile; the shipped ones begin with "
                  "us., eu., global. and so on"));
}

TEST(Load, RefusesProfilesThatCannotBe) {
  EXPECT_THAT(mistakes(after("profiles:\n  - {id: mix, model: amazon.nova-lite-v1:0, destinations: [us-east-1, "
                             "us-gov-west-1]}\n")),
              ElementsAre("p.yaml:2:5 profiles[0]: profile mix: mixes Regions of different partitions (us-east-1, "
                          "us-gov-west-1); define one profile for each"));
  EXPECT_THAT(
      mistakes(after("profiles:\n  - {id: us.amazon.nova-lite-v1:0, model: amazon.nova-lite-v1:0, "
                     "destinations: [us-east-1]}\n")),
      ElementsAre("p.yaml:2:5 profiles[0]: profile us.amazon.nova-lite-v1:0: this id exists already; choose "
                  "another"));
  const std::string one = "  - {id: same, model: amazon.nova-lite-v1:0, destinations: [us-east-1]}\n";
  EXPECT_THAT(
      mistakes(after("profiles:\n" + one + one)),
      ElementsAre("p.yaml:3:10 profiles[1].id: this id is also that of profiles[0].id; each must have its own"));
}

TEST(Load, SaysNothingTwiceOfAProfileThatATenantNames) {
  std::string text = with("    keys:", "    profiles: [mine]\n    keys:");
  text += "profiles:\n  - {id: mine, model: amazon.nova-lite-v1:0, destinations: [us-east-11]}\n";
  EXPECT_THAT(mistakes(text),
              ElementsAre("p.yaml:13:61 profiles[0].destinations[0]: unknown Region \"us-east-11\"; did "
                          "you mean us-east-1?"));
}

TEST(Load, RefusesATenantThatNothingCanServe) {
  EXPECT_THAT(
      mistakes(with("    keys:", "    profiles: [\"eu.amazon.*\"]\n    keys:")),
      ElementsAre("p.yaml:7:5 tenants[0]: no profile of tenant \"research\" has a destination among the Regions "
                  "left to it (us-east-1, us-west-2); widen its regions or profiles, or add an endpoint under "
                  "regions. Left empty: eu.amazon.nova-2-lite-v1:0, eu.amazon.nova-lite-v1:0, "
                  "eu.amazon.nova-micro-v1:0 and 1 more"));
  EXPECT_THAT(
      mistakes(with("    keys:", "    profiles: [us.amazon.nova-lite-v1:0]\n    regions: [eu-west-1]\n    keys:")),
      ElementsAre("p.yaml:7:5 tenants[0]: no profile of tenant \"research\" has a destination among the Regions "
                  "left to it (none); widen its regions or profiles, or add an endpoint under regions. Left "
                  "empty: us.amazon.nova-lite-v1:0"));
}

TEST(Load, AcceptsATenantOfWhichOneProfileCanBeServed) {
  EXPECT_THAT(mistakes(with("    keys:", "    profiles: [\"eu.*\", \"us.amazon.*\"]\n    keys:")), IsEmpty());
}

TEST(Load, RefusesASecretInTheFileUnlessDev) {
  const std::string text = with("env:UPSTREAM", "wJalrXUtnFEMI");
  EXPECT_THAT(mistakes(text),
              ElementsAre("p.yaml:2:107 account.secret_access_key: a secret must not stand in this file; "
                          "keep it elsewhere and write env:NAME, file:PATH or cmd:PROGRAM (dev: true allows "
                          "it here, for trials)"));
  EXPECT_THAT(mistakes("dev: true\n" + text), IsEmpty());
  EXPECT_THAT(mistakes(text + "dev: true\n"), IsEmpty());
}

TEST(Load, SaysWhyAReferenceCannotBeResolved) {
  const auto refused = [](std::string_view reference) {
    return load_text(with("env:UPSTREAM", reference)).mistakes.at(0).what;
  };
  EXPECT_EQ(refused("env:NOPE"), "environment variable NOPE is not set; set it for the gateway's process");
  EXPECT_EQ(refused("'env:A B'"),
            "env: must be followed by the name of an environment variable: letters, digits or "
            "underscores");
  EXPECT_EQ(refused("env:EMPTY"), "the secret must have 1 to 4096 bytes, and has 0");
  EXPECT_EQ(refused("file:/nope"), "cannot read \"/nope\": no such file");
  EXPECT_EQ(refused("'file:'"), "file: must be followed by a path");
  EXPECT_EQ(refused("file:/etc/huge"), "the secret must have 1 to 4096 bytes, and has 5000");
  EXPECT_EQ(refused("file:/etc/lines"), "the secret must be one line");
  EXPECT_EQ(refused("cmd:/bin/broken --field secret"), "cannot run \"/bin/broken\": it ended with exit code 7");
  for (const std::string_view reference : {"'cmd:'", "'cmd:  '", "cmd:vault read", "cmd:$HOME/vault"})
    EXPECT_EQ(refused(reference),
              "cmd: must be followed by the whole path of a program, then its arguments; no shell reads them, so "
              "quotes, $ and | mean nothing (put those into a script)");
}

TEST(Load, HandsACommandItsWordsAsTheyStand) {
  const auto secret = [](std::string_view reference) {
    const Loaded loaded = load_text(with("env:UPSTREAM", reference));
    return loaded.config ? std::string{loaded.config->account.secret_access_key.reveal()} : "";
  };
  EXPECT_EQ(secret("cmd:/bin/vault read   kv/portolan"), "kv/portolan");
  EXPECT_EQ(secret("\"cmd:/bin/vault read '$(reboot)'\""), "'$(reboot)'");
}

TEST(Load, TakesMasterKeysAndRefusesWhatIsNone) {
  const Loaded loaded = load_text(after("keys: {master_key: env:MASTER}\n"));
  ASSERT_TRUE(loaded.config && loaded.config->keys);
  EXPECT_EQ(loaded.config->keys->master_key.size(), 44u);
  EXPECT_TRUE(loaded.config->keys->previous_master_key.empty());
  EXPECT_FALSE(load_text(sound).config->keys);
  EXPECT_THAT(mistakes(after("keys: {master_key: env:UPSTREAM, previous_master_key: env:MASTER}\n")),
              ElementsAre("p.yaml:1:20 keys.master_key: must lead to 32 random bytes in base64 (44 characters); "
                          "`portolan key init` makes them"));
  EXPECT_THAT(
      mistakes(after("keys: {previous_master_key: env:NOPE}\n")),
      ElementsAre("p.yaml:1:7 keys.master_key: is missing, and required: Seals the secrets of issued keys at "
                  "rest, as a reference; `portolan key init` makes one.",
                  "p.yaml:1:29 keys.previous_master_key: environment variable NOPE is not set; set it for the "
                  "gateway's process"));
}

TEST(Load, NeverRepeatsWhatMayBeASecret) {
  const std::string text =
      R"(account: {name: main, account_id: "1", access_key_id: hunter2, secret_access_key: hunter2}
regions: {us-east-1: {endpoint: "http://user:hunter2@host"}}
tenants: [{name: a, account_id: "222233334444", keys: [{name: k, api_key_sha256: hunter2}]}]
listen: hunter2
)";
  const std::vector<std::string> all = mistakes(text);
  EXPECT_EQ(all.size(), 7u);
  for (const std::string& line : all) EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
}

TEST(Load, RefusesAKeyThatIsNeitherOneKindNorTheOther) {
  constexpr std::string_view what =
      "must have either access_key_id and secret_access_key, or api_key_sha256, or certificate";
  const std::string hash(64, 'a');
  for (const std::string& key :
       {std::string{"{name: k}"}, std::string{"{name: k, access_key_id: AKIAI44QH8DHBEXAMPLE}"},
        std::string{"{name: k, secret_access_key: env:UPSTREAM}"},
        "{name: k, api_key_sha256: " + hash + ", access_key_id: AKIAI44QH8DHBEXAMPLE}",
        "{name: k, api_key_sha256: " + hash + ", secret_access_key: env:UPSTREAM}",
        "{name: k, api_key_sha256: " + hash + ", certificate: \"dns:a\"}",
        std::string{"{name: k, access_key_id: AKIAI44QH8DHBEXAMPLE, certificate: \"dns:a\"}"}})
    EXPECT_THAT(mistakes(std::string{sound} + "      - " + key + "\n"),
                testing::Contains("p.yaml:11:9 tenants[0].keys[1]: key \"k\" " + std::string{what}));
}

TEST(Load, RefusesWhatMustOccurOnce) {
  const std::string hash(64, 'a');
  const std::string text = std::string{sound} +
                           "      - {name: alice, access_key_id: AKIAI44QH8DHBEXAMPLE, "
                           "secret_access_key: env:UPSTREAM}\n"
                           "      - {name: bot, api_key_sha256: " +
                           hash +
                           "}\n"
                           "  - name: research\n"
                           "    account_id: \"222233334444\"\n"
                           "    keys:\n"
                           "      - {name: bot, api_key_sha256: " +
                           std::string(64, 'A') + "}\n";
  EXPECT_THAT(
      mistakes(text),
      ElementsAre(
          "p.yaml:11:16 tenants[0].keys[1].name: this name is also that of tenants[0].keys[0].name; each must "
          "have its own",
          "p.yaml:11:38 tenants[0].keys[1].access_key_id: this access key id is also that of "
          "tenants[0].keys[0].access_key_id; each must have its own",
          "p.yaml:13:11 tenants[1].name: this name is also that of tenants[0].name; each must have its own",
          "p.yaml:14:17 tenants[1].account_id: this account id is also that of tenants[0].account_id; each must "
          "have its own",
          "p.yaml:16:37 tenants[1].keys[0].api_key_sha256: this API key is also that of "
          "tenants[0].keys[2].api_key_sha256; each must have its own"));
}

TEST(Load, RefusesAPortTwiceAndTakesAnyFreeOneOften) {
  EXPECT_THAT(mistakes(after("admin: {port: 8080}\n")),
              ElementsAre("p.yaml:1:15 admin.port: this port is also that of listen.port; each must have its own"));
  EXPECT_THAT(
      mistakes(after("admin: {port: 8443}\nlisten: {tls: {certificates: [{certificate: c, private_key: k}]}}\n")),
      ElementsAre("p.yaml:1:15 admin.port: this port is also that of listen.tls.port; each must have its own"));
  EXPECT_THAT(mistakes(after("admin: {port: 0}\nlisten: {port: 0}\n")), IsEmpty());
}

TEST(Load, RefusesPlaintextBeyondLoopbackUnlessItIsAllowed) {
  EXPECT_THAT(
      mistakes(after("listen: {address: 0.0.0.0}\n")),
      ElementsAre("p.yaml:1:19 listen.address: \"0.0.0.0\" is not loopback, and this port is not encrypted; use "
                  "127.0.0.1, or set listen.allow_plaintext: true when the network is trusted"));
  EXPECT_THAT(mistakes(after("admin: {address: \"::\"}\n")),
              ElementsAre("p.yaml:1:18 admin.address: \"::\" is not loopback, and this port is not encrypted; use "
                          "127.0.0.1, or set admin.allow_plaintext: true when the network is trusted"));
  EXPECT_THAT(mistakes(after("listen: {address: 0.0.0.0, allow_plaintext: true}\n")), IsEmpty());
}

TEST(Load, OpensTheTlsPortBeyondLoopbackWhileThePlainOneStays) {
  constexpr std::string_view pair = "certificates: [{certificate: c, private_key: k}]";
  const Loaded loaded = load_text(after("listen: {tls: {address: 0.0.0.0, " + std::string{pair} + "}}\n"));
  ASSERT_TRUE(loaded.config) << loaded.mistakes[0].text();
  EXPECT_EQ(loaded.config->listen.address, "127.0.0.1");
  EXPECT_EQ(loaded.config->listen.tls->address, "0.0.0.0");
  const Loaded same = load_text(after("listen: {address: \"::1\", tls: {" + std::string{pair} + "}}\n"));
  EXPECT_EQ(same.config->listen.tls->address, "::1");
  EXPECT_EQ(same.config->listen.tls->client_certificates, ClientCertificates::ignored);
}

TEST(Load, RefusesClientCertificatesThatCouldNotBeJudged) {
  const auto tls = [](std::string_view more) {
    return "listen: {tls: {certificates: [{certificate: c, private_key: k}]" + std::string{more} + "}}\n";
  };
  EXPECT_THAT(mistakes(after(tls(", client_certificates: maybe"))),
              ElementsAre("p.yaml:1:87 listen.tls.client_certificates: must be ignored, optional or required, not "
                          "\"maybe\""));
  EXPECT_THAT(mistakes(after(tls(", client_certificates: optional"))),
              ElementsAre("p.yaml:1:15 listen.tls: client_ca must say whom callers' certificates come from, since "
                          "they are asked for"));
  EXPECT_THAT(mistakes(after(tls(", client_ca: ca.pem"))),
              ElementsAre("p.yaml:1:77 listen.tls.client_ca: is of no use while client certificates are ignored; "
                          "set client_certificates to optional or required, or leave it out"));
}

TEST(Load, RefusesACertificateKeyThatNobodyCouldUse) {
  const std::string key = "      - {name: mesh, certificate: \"dns:mesh.example\"}\n";
  EXPECT_THAT(mistakes(std::string{sound} + key),
              ElementsAre("p.yaml:11:35 tenants[0].keys[1].certificate: no caller is asked for a certificate; set "
                          "listen.tls.client_certificates to optional or required"));
  const std::string asking =
      "listen: {tls: {certificates: [{certificate: c, private_key: k}], client_certificates: optional, client_ca: "
      "a}}\n";
  EXPECT_THAT(mistakes(after(asking) + key), IsEmpty());
  EXPECT_THAT(
      mistakes(after(asking) + "      - {name: mesh, certificate: mesh.example}\n"),
      ElementsAre(
          "p.yaml:12:35 tenants[0].keys[1].certificate: must be uri:, dns: or subject: and that name in the "
          "certificate, such as uri:spiffe://acme/search, not \"mesh.example\""));
  EXPECT_THAT(mistakes(after(asking) + key + "      - {name: two, certificate: \"dns:mesh.example\"}\n"),
              ElementsAre("p.yaml:13:34 tenants[0].keys[2].certificate: this certificate name is also that of "
                          "tenants[0].keys[1].certificate; each must have its own"));
}

TEST(Load, RefusesAnAuthorityForAnEndpointWithoutTls) {
  EXPECT_THAT(
      mistakes(with("9001\"}", "9001\", ca: a.pem}")),
      ElementsAre("p.yaml:4:55 regions.us-east-1.ca: is of no use for an http:// endpoint; write https://, or "
                  "leave it out"));
  EXPECT_THAT(mistakes(with("9443\"}", "9443\", ca: a.pem}")), IsEmpty());
}

/// Files whose names say what is wrong with them.
class TellingFiles final : public CertificateFiles {
 public:
  base::Result<void> certificate(const std::string& file) override { return judge(file); }
  base::Result<void> private_key(const std::string& file, const std::string& certificate_file) override {
    EXPECT_EQ(certificate_file, "good") << "a key is held against a sound certificate only";
    return judge(file);
  }
  base::Result<void> authorities(const std::string& file) override { return judge(file); }

 private:
  static base::Result<void> judge(const std::string& file) {
    if (file == "good") return {};
    return base::fail(base::Code::config_invalid, file + " is not");
  }
};

TEST(Load, TellsWhatIsWrongWithCertificateFilesWhereTheyAreNamed) {
  TellingFiles files;
  const std::string text =
      "listen: {tls: {certificates: [{certificate: expired, private_key: k}, {certificate: good, "
      "private_key: other}], client_certificates: optional, client_ca: nobody}}\n" +
      with("9443\"}", "9443\", ca: unreadable}");
  std::vector<std::string> lines;
  for (const Mistake& mistake : load(text, "p.yaml", KnownSecrets{}, &files).mistakes)
    lines.push_back(mistake.text());
  EXPECT_THAT(lines, ElementsAre("p.yaml:1:45 listen.tls.certificates[0].certificate: expired is not",
                                 "p.yaml:1:104 listen.tls.certificates[1].private_key: other is not",
                                 "p.yaml:1:155 listen.tls.client_ca: nobody is not",
                                 "p.yaml:6:51 regions.us-west-2.ca: unreadable is not"));
}

TEST(Load, RefusesABackoffThatBeginsAboveItsCap) {
  EXPECT_THAT(
      mistakes(after("retry: {backoff_base: 2s}\n")),
      ElementsAre("p.yaml:1:23 retry.backoff_base: is longer than backoff_cap (1s); lower it, or raise the cap"));
}

TEST(Load, TellsEveryMistakeInOnePassInTheOrderOfTheFile) {
  const std::vector<std::string> all = mistakes(R"(reactor: 1
source_region: us-esat-1
account: {name: main, account_id: "1", access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: env:NOPE}
regions: {us-east-1: {endpoint: ftp://x}}
tenants: [{name: a, account_id: "222233334444", profiles: [none], keys: [{name: "a/b"}]}]
)");
  std::vector<std::string> places;
  for (const std::string& line : all) places.push_back(line.substr(7, line.find(": ") - 7));
  EXPECT_THAT(places,
              ElementsAre("1:1", "2:16 source_region", "3:35 account.account_id", "3:96 account.secret_access_key",
                          "4:33 regions.us-east-1.endpoint", "5:60 tenants[0].profiles[0]",
                          "5:74 tenants[0].keys[0]", "5:81 tenants[0].keys[0].name"));
}

TEST(Load, StopsCountingMistakesSomewhere) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const std::vector<std::string> all = mistakes(text);
  EXPECT_EQ(all.size(), 201u);
  EXPECT_EQ(std::ranges::count_if(all, [](const auto& line) { return line.ends_with("repair these first"); }), 1);
}

TEST(Load, TheVersionHashChangesWithTheText) {
  const std::string hash = load_text(sound).config->version_hash;
  EXPECT_EQ(hash.size(), 12u);
  EXPECT_NE(load_text(std::string{sound} + "# comment\n").config->version_hash, hash);
}

}  // namespace
}  // namespace portolan::config
