// SPDX-License-Identifier: Apache-2.0
#include "sim/throwaway_ca.h"

#include <array>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "world/openssl.h"

namespace portolan::sim {
namespace {

using base::Code;
using base::Result;

using world::openssl::Bio;
using world::openssl::Certificate;
using world::openssl::Free;
using world::openssl::PrivateKey;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;

std::string text_of(const Bio& bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string pem(X509* certificate) {
  const Bio bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_X509(bio.get(), certificate);
  return text_of(bio);
}

std::string pem(EVP_PKEY* key) {
  const Bio bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(bio);
}

std::time_t seconds_of(base::WallTime at) {
  return static_cast<std::time_t>(std::chrono::floor<base::seconds>(at).time_since_epoch().count());
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

PrivateKey new_key() {
  return PrivateKey{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
}

/// A certificate but for its signature.
Certificate unsigned_certificate(const std::string& subject, const Validity& validity, EVP_PKEY* key) {
  Certificate certificate{X509_new()};
  X509_set_version(certificate.get(), X509_VERSION_3);
  std::array<unsigned char, 16> serial{};
  RAND_bytes(serial.data(), serial.size());
  serial[0] &= 0x7f;  // positive
  const std::unique_ptr<BIGNUM, Free<BN_free>> number{BN_bin2bn(serial.data(), serial.size(), nullptr)};
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds_of(validity.not_before));
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds_of(validity.not_after));
  X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(subject.data()),
                             static_cast<int>(subject.size()), -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

}  // namespace

Validity Validity::days(int count, base::WallTime now) {
  return {.not_before = now - std::chrono::hours{1}, .not_after = now + std::chrono::days{count}};
}

struct ThrowawayCa::Authority {
  Certificate certificate;
  PrivateKey key;
};

ThrowawayCa::ThrowawayCa(std::unique_ptr<Authority> authority)
    : authority_(std::move(authority)), certificate_pem_(pem(authority_->certificate.get())) {}
ThrowawayCa::ThrowawayCa(ThrowawayCa&&) noexcept = default;
ThrowawayCa& ThrowawayCa::operator=(ThrowawayCa&&) noexcept = default;
ThrowawayCa::~ThrowawayCa() = default;

Result<ThrowawayCa> ThrowawayCa::make(const std::string& subject, Validity validity) {
  auto authority = std::make_unique<Authority>();
  authority->key = new_key();
  if (authority->key == nullptr) return base::fail(Code::internal, "no key could be made");
  authority->certificate = unsigned_certificate(subject, validity, authority->key.get());
  X509* certificate = authority->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  const bool made = add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE") &&
                    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
                    X509_sign(certificate, authority->key.get(), EVP_sha256()) > 0;
  if (!made) return base::fail(Code::internal, "no authority could be made");
  return ThrowawayCa{std::move(authority)};
}

Result<CertificateWithKey> ThrowawayCa::issue(const CertificateWish& wish) const {
  const PrivateKey key = new_key();
  if (key == nullptr) return base::fail(Code::internal, "no key could be made");
  const Certificate certificate = unsigned_certificate(wish.subject, wish.validity, key.get());
  X509* issuer = authority_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  std::string names;
  const auto add_names = [&names](const char* kind, const std::vector<std::string>& all) {
    for (const std::string& name : all) names += (names.empty() ? "" : ",") + std::string{kind} + name;
  };
  add_names("DNS:", wish.dns_names);
  add_names("IP:", wish.addresses);
  add_names("URI:", wish.uris);
  const bool made = add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature") &&
                    add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
                    add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid") &&
                    (names.empty() || add_extension(certificate.get(), issuer, NID_subject_alt_name, names)) &&
                    X509_sign(certificate.get(), authority_->key.get(), EVP_sha256()) > 0;
  if (!made) return base::fail(Code::usage, "the names of " + wish.subject + " cannot stand in a certificate");
  return CertificateWithKey{.certificate_pem = pem(certificate.get()), .private_key_pem = pem(key.get())};
}

}  // namespace portolan::sim
