// SPDX-License-Identifier: Apache-2.0
// Certificate files, right and wrong; whom a listener believes, and what it shows to whom.
#include "world/tls.h"

#include <boost/asio/ssl/stream.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "sim/test_certificates.h"

namespace portolan::world {
namespace {

using sim::CertificateWish;
using sim::testing::Certificates;
using sim::testing::wall_now;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class TlsFiles : public ::testing::Test {
 protected:
  Certificates certificates;

  std::string fault(const auto& result) {
    EXPECT_FALSE(result);
    if (result) return "";
    EXPECT_EQ(result.error().facts().name, "config_invalid");
    return result.error().message;
  }
};

TEST_F(TlsFiles, ACertificateAndItsKeyAreSound) {
  const CertificateFiles files = certificates.loopback();
  const auto facts = check_certificate(files.certificate, wall_now());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->file, files.certificate);
  EXPECT_GT(facts->not_after, wall_now() + std::chrono::hours{23});
  EXPECT_LT(facts->not_after, wall_now() + std::chrono::hours{25});
  EXPECT_TRUE(check_private_key(files.private_key, files.certificate));
}

TEST_F(TlsFiles, SaysWhichFileCannotBeReadAndWhy) {
  EXPECT_THAT(fault(check_certificate("/nowhere/chain.pem", wall_now())),
              StartsWith("/nowhere/chain.pem cannot be read: No such file"));
  const std::string text = certificates.write("text.pem", "hello\n");
  EXPECT_THAT(fault(check_certificate(text, wall_now())), HasSubstr("holds no certificate in PEM"));
  const std::string broken =
      certificates.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(fault(check_certificate(broken, wall_now())), HasSubstr("certificate 1 cannot be read"));
  const std::string huge = certificates.write("huge.pem", std::string((1 << 20) + 1, 'x'));
  EXPECT_THAT(fault(check_certificate(huge, wall_now())), HasSubstr("larger than 1 MiB"));
}

TEST_F(TlsFiles, FindsACertificateOutOfItsTimeAnywhereInTheChain) {
  CertificateWish wish{.subject = "old", .validity = sim::testing::expired()};
  const CertificateFiles old = certificates.issue("old", wish);
  EXPECT_THAT(fault(check_certificate(old.certificate, wall_now())),
              HasSubstr("the certificate of CN=old expired at 20"));
  wish.validity = sim::testing::not_yet_valid();
  const CertificateFiles early = certificates.issue("early", wish);
  EXPECT_THAT(fault(check_certificate(early.certificate, wall_now())), HasSubstr("is not valid before 20"));
  const CertificateFiles sound = certificates.loopback();
  std::ofstream(sound.certificate, std::ios::app) << std::ifstream(old.certificate).rdbuf();
  EXPECT_THAT(fault(check_certificate(sound.certificate, wall_now())), HasSubstr("CN=old expired"));
}

TEST_F(TlsFiles, FindsAKeyThatIsAnotherCertificates) {
  const CertificateFiles mine = certificates.loopback("mine");
  const CertificateFiles yours = certificates.loopback("yours");
  EXPECT_THAT(fault(check_private_key(yours.private_key, mine.certificate)),
              HasSubstr("is not the key of the certificate in " + mine.certificate));
  EXPECT_THAT(fault(check_private_key(mine.certificate, mine.certificate)), HasSubstr("holds no private key"));
}

TEST_F(TlsFiles, RefusesAKeyWithAPassphraseInsteadOfAskingForIt) {
  const CertificateFiles files = certificates.loopback();
  BIO* bio = BIO_new_file(files.private_key.c_str(), "r");
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_file(files.private_key.c_str(), "w");
  char passphrase[] = "open sesame";
  PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), passphrase, 11, nullptr, nullptr);
  BIO_free(bio);
  EVP_PKEY_free(key);
  EXPECT_THAT(fault(check_private_key(files.private_key, files.certificate)), HasSubstr("needs a passphrase"));
}

TEST_F(TlsFiles, AuthoritiesNeedOneThatIsValidNow) {
  const auto old = sim::ThrowawayCa::make("Old authority", sim::testing::expired()).value();
  const std::string only_old = certificates.write("old-ca.pem", old.certificate_pem());
  EXPECT_THAT(fault(check_authorities(only_old, wall_now())),
              HasSubstr("holds no authority that is valid now: CN=Old authority expired at"));
  std::ofstream(only_old, std::ios::app) << std::ifstream(certificates.ca_file()).rdbuf();
  const auto facts = check_authorities(only_old, wall_now());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_GT(facts->not_after, wall_now());
}

TEST_F(TlsFiles, WarnsThirtyDaysBeforeTheEnd) {
  const base::WallTime now = wall_now();
  EXPECT_THAT(expiry_warnings({{.file = "a.pem", .not_after = now + std::chrono::days{31}}}, now), IsEmpty());
  EXPECT_THAT(
      expiry_warnings({{.file = "a.pem", .not_after = now + std::chrono::days{29} + std::chrono::hours{1}}}, now),
      ElementsAre(StartsWith("the certificate in a.pem ends in 29 days, at 20")));
}

TEST_F(TlsFiles, AListenerIsRefusedWithTheReasonOfAnyOfItsFiles) {
  const CertificateFiles sound = certificates.loopback("sound");
  const CertificateFiles other = certificates.loopback("other");
  const auto load = [](ServerTls::Options options) { return ServerTls::load(options, wall_now()); };
  EXPECT_THAT(fault(load({.certificates = {}})), HasSubstr("at least one certificate"));
  EXPECT_THAT(
      fault(load({.certificates = {sound, {.certificate = sound.certificate, .private_key = other.private_key}}})),
      HasSubstr("is not the key"));
  EXPECT_THAT(
      fault(load({.certificates = {sound}, .clients = ClientCertificates::required, .client_ca_file = "/no/ca"})),
      StartsWith("/no/ca cannot be read"));
}

TEST_F(TlsFiles, TellsHowLongEachFileHolds) {
  const auto loaded = ServerTls::load({.certificates = {certificates.loopback("one"), certificates.loopback("two")},
                                       .clients = ClientCertificates::optional,
                                       .client_ca_file = certificates.ca_file()},
                                      wall_now());
  ASSERT_TRUE(loaded) << loaded.error().message;
  std::vector<std::string> files;
  for (const CertificateFacts& facts : (*loaded)->certificates()) files.push_back(facts.file);
  EXPECT_THAT(files,
              ElementsAre(certificates.file("one.pem"), certificates.ca_file(), certificates.file("two.pem")));
}

/// A handshake in memory: what each side then knows.
class Handshake {
 public:
  Handshake(const ServerTls& server, SSL_CTX* client, const char* name) {
    server_ = SSL_new(server.context().native_handle());
    client_ = SSL_new(client);
    BIO *one = nullptr, *other = nullptr;
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(server_, one, one);
    SSL_set_bio(client_, other, other);
    SSL_set_accept_state(server_);
    SSL_set_connect_state(client_);
    if (name != nullptr) SSL_set_tlsext_host_name(client_, name);
    for (int i = 0; i < 10; ++i) {
      client_done_ = SSL_do_handshake(client_) == 1;
      server_done_ = SSL_do_handshake(server_) == 1;
    }
  }
  ~Handshake() {
    SSL_free(client_);
    SSL_free(server_);
  }
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  bool done() const { return client_done_ && server_done_; }
  bool server_done() const { return server_done_; }
  /// The names in what the server showed.
  std::vector<std::string> shown() const { return peer_names(client_); }
  std::vector<std::string> caller() const { return peer_names(server_); }
  SSL* client() const { return client_; }

 private:
  SSL* server_ = nullptr;
  SSL* client_ = nullptr;
  bool client_done_ = false, server_done_ = false;
};

class TlsHandshake : public TlsFiles {
 protected:
  TlsHandshake() : client_(SSL_CTX_new(TLS_client_method())) {}
  ~TlsHandshake() override { SSL_CTX_free(client_); }

  CertificateFiles named(const std::string& name, std::vector<std::string> dns_names) {
    return certificates.issue(name, {.subject = name, .dns_names = std::move(dns_names)});
  }
  std::shared_ptr<const ServerTls> asking(ClientCertificates clients) {
    return ServerTls::load({.certificates = {certificates.loopback()},
                            .clients = clients,
                            .client_ca_file = certificates.ca_file()},
                           wall_now())
        .value();
  }
  void present(const CertificateFiles& files) {
    ASSERT_EQ(SSL_CTX_use_certificate_file(client_, files.certificate.c_str(), SSL_FILETYPE_PEM), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey_file(client_, files.private_key.c_str(), SSL_FILETYPE_PEM), 1);
  }

  SSL_CTX* client_;
};

TEST_F(TlsHandshake, ShowsTheCertificateOfTheNameThatIsAskedFor) {
  const auto tls =
      ServerTls::load(
          {.certificates = {named("first", {"a.example"}), named("second", {"b.example", "*.c.example"})}},
          wall_now())
          .value();
  const auto shown_for = [&](const char* name) { return Handshake(*tls, client_, name).shown().back(); };
  EXPECT_EQ(shown_for("a.example"), "subject:CN=first");
  EXPECT_EQ(shown_for("b.example"), "subject:CN=second");
  EXPECT_EQ(shown_for("x.c.example"), "subject:CN=second");
  EXPECT_EQ(shown_for("unknown.example"), "subject:CN=first") << "the first is the default";
  EXPECT_EQ(shown_for(nullptr), "subject:CN=first");
}

TEST_F(TlsHandshake, KnowsTheNamesOfACallersCertificate) {
  const auto tls = asking(ClientCertificates::required);
  present(certificates.issue("alice", {.subject = "alice",
                                       .dns_names = {"alice.example"},
                                       .addresses = {"10.0.0.1"},
                                       .uris = {"spiffe://acme/alice"}}));
  const Handshake handshake(*tls, client_, "localhost");
  EXPECT_TRUE(handshake.done());
  EXPECT_THAT(handshake.caller(), ElementsAre("dns:alice.example", "uri:spiffe://acme/alice", "subject:CN=alice"));
}

TEST_F(TlsHandshake, RefusesACallerWithoutACertificateOnlyWhenOneIsRequired) {
  EXPECT_FALSE(Handshake(*asking(ClientCertificates::required), client_, "localhost").server_done());
  const Handshake optional(*asking(ClientCertificates::optional), client_, "localhost");
  EXPECT_TRUE(optional.done());
  EXPECT_THAT(optional.caller(), IsEmpty());
}

TEST_F(TlsHandshake, RefusesACallersCertificateOfAnotherAuthorityOrOutOfItsTime) {
  const Certificates others;
  present(others.loopback());
  EXPECT_FALSE(Handshake(*asking(ClientCertificates::optional), client_, "localhost").server_done());
  present(certificates.issue("late", {.subject = "late", .validity = sim::testing::expired()}));
  EXPECT_FALSE(Handshake(*asking(ClientCertificates::optional), client_, "localhost").server_done());
}

TEST_F(TlsHandshake, AsksForTheCertificateUnderEachOfItsNames) {
  const auto tls = ServerTls::load({.certificates = {named("first", {"a.example"}), named("second", {"b.example"})},
                                    .clients = ClientCertificates::required,
                                    .client_ca_file = certificates.ca_file()},
                                   wall_now())
                       .value();
  EXPECT_FALSE(Handshake(*tls, client_, "b.example").server_done());
  present(certificates.loopback("caller"));
  EXPECT_TRUE(Handshake(*tls, client_, "b.example").done());
}

TEST_F(TlsHandshake, ResumesSessionsUnlessCallersProveThemselvesByCertificate) {
  const auto resumes = [&](const ServerTls& tls) {
    const Handshake first(tls, client_, "localhost");
    char byte;
    SSL_read(first.client(), &byte, 1);  // takes the tickets
    SSL_SESSION* session = SSL_get1_session(first.client());
    const bool resumable = SSL_SESSION_is_resumable(session) == 1;
    SSL_SESSION_free(session);
    return resumable;
  };
  const auto plain = ServerTls::load({.certificates = {certificates.loopback()}}, wall_now()).value();
  EXPECT_TRUE(resumes(*plain));
  EXPECT_FALSE(resumes(*asking(ClientCertificates::optional)));
}

TEST_F(TlsFiles, TrustIsTheSameWhenTheAuthoritiesAre) {
  const auto one = ClientTls::load(certificates.ca_file(), wall_now()).value();
  const auto again = ClientTls::load(certificates.ca_file(), wall_now()).value();
  const auto system = ClientTls::load("", wall_now()).value();
  const Certificates others;
  const auto other = ClientTls::load(others.ca_file(), wall_now()).value();
  EXPECT_TRUE(one->trusts_as(*again));
  EXPECT_FALSE(one->trusts_as(*system));
  EXPECT_FALSE(one->trusts_as(*other));
  EXPECT_THAT(system->certificates(), IsEmpty());
  EXPECT_EQ(one->certificates().at(0).file, certificates.ca_file());
}

}  // namespace
}  // namespace portolan::world
