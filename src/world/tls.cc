// SPDX-License-Identifier: Apache-2.0
#include "world/tls.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <fstream>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "world/openssl.h"

namespace portolan::world {
namespace {

using base::Code;
using base::Result;

// TLS 1.2 only; TLS 1.3 has no weak ones to leave out.
constexpr const char* ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char alpn_offered[] = "\x02h2\x08http/1.1";
constexpr std::streamsize file_bytes_max = 1 << 20;
constexpr std::chrono::days warned_before{30};

using openssl::Bio;
using openssl::Certificate;
using openssl::Free;
using openssl::PrivateKey;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

std::unexpected<base::Error> invalid(std::string message) {
  ERR_clear_error();
  return base::fail(Code::config_invalid, std::move(message));
}

/// OpenSSL's reason for what has just failed.
std::string reason() {
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  return text != nullptr ? text : "unknown reason";
}

Result<std::string> read_file(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return invalid(file + " cannot be read: " + std::strerror(errno));
  std::string text(static_cast<std::size_t>(file_bytes_max) + 1, '\0');
  stream.read(text.data(), file_bytes_max + 1);
  if (stream.bad()) return invalid(file + " cannot be read: " + std::strerror(errno));
  if (stream.gcount() > file_bytes_max) return invalid(file + " is larger than 1 MiB, which no PEM file is");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

Bio memory(const std::string& text) {
  return Bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

Result<std::vector<Certificate>> read_certificates(const std::string& file, const std::string& text) {
  const Bio bio = memory(text);
  std::vector<Certificate> all;
  ERR_clear_error();
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) all.emplace_back(next);
  // Reading ends with "no start line" when nothing more follows; anything else is a certificate that is broken.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return invalid(file + ": certificate " + std::to_string(all.size() + 1) + " cannot be read: " + reason());
  ERR_clear_error();
  if (all.empty()) return invalid(file + " holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  return all;
}

/// Never asks at a terminal: a key with a passphrase is refused.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Result<PrivateKey> read_private_key(const std::string& file) {
  TRY(std::string text, read_file(file));
  PrivateKey key;
  {
    const Bio bio = memory(text);
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  }
  const bool encrypted = text.contains("ENCRYPTED");
  OPENSSL_cleanse(text.data(), text.size());
  if (key != nullptr) return key;
  if (encrypted)
    return invalid(file + " needs a passphrase; write the key without one, readable by its owner only");
  return invalid(file + " holds no private key in PEM that can be read: " + reason());
}

base::WallTime time_of(const ASN1_TIME* at) {
  std::tm broken_down{};
  if (at == nullptr || ASN1_TIME_to_tm(at, &broken_down) != 1) return {};
  return base::WallTime{base::seconds{timegm(&broken_down)}};
}

std::string subject_of(const X509* certificate) {
  const Bio bio{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

/// Why a certificate cannot be used at `now`; empty when it can.
std::string out_of_time(const X509* certificate, base::WallTime now) {
  const base::WallTime begins = time_of(X509_get0_notBefore(certificate));
  const base::WallTime ends = time_of(X509_get0_notAfter(certificate));
  if (now > ends) return "expired at " + base::iso8601(ends) + "; renew it";
  if (now < begins) return "is not valid before " + base::iso8601(begins) + "; is the clock right?";
  return {};
}

Result<CertificateFacts> facts_of_chain(const std::string& file, const std::vector<Certificate>& chain,
                                        base::WallTime now) {
  CertificateFacts facts{.file = file, .not_after = base::WallTime::max()};
  for (const Certificate& certificate : chain) {
    if (const std::string why = out_of_time(certificate.get(), now); !why.empty())
      return invalid(fmt::format("{}: the certificate of {} {}", file, subject_of(certificate.get()), why));
    facts.not_after = std::min(facts.not_after, time_of(X509_get0_notAfter(certificate.get())));
  }
  return facts;
}

Result<CertificateFacts> facts_of_authorities(const std::string& file, const std::vector<Certificate>& all,
                                              base::WallTime now) {
  CertificateFacts facts{.file = file, .not_after = base::WallTime::max()};
  std::string why;
  for (const Certificate& authority : all) {
    std::string unusable = out_of_time(authority.get(), now);
    if (unusable.empty())
      facts.not_after = std::min(facts.not_after, time_of(X509_get0_notAfter(authority.get())));
    else
      why = subject_of(authority.get()) + " " + std::move(unusable);
  }
  if (facts.not_after == base::WallTime::max())
    return invalid(file + " holds no authority that is valid now: " + why);
  return facts;
}

Result<void> match(const CertificateFiles& files, X509* certificate, EVP_PKEY* key) {
  if (X509_check_private_key(certificate, key) == 1) return {};
  return invalid(files.private_key + " is not the key of the certificate in " + files.certificate +
                 "; give the two that were issued together");
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, alpn_offered, sizeof alpn_offered - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

std::unique_ptr<boost::asio::ssl::context> new_context(boost::asio::ssl::context::method method) {
  auto context = std::make_unique<boost::asio::ssl::context>(method);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, ciphers);
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  return context;
}

Result<CertificateFacts> trust(SSL_CTX* context, const std::string& file, const std::string& text,
                               base::WallTime now, bool name_them) {
  TRY(const std::vector<Certificate> authorities, read_certificates(file, text));
  TRY(CertificateFacts facts, facts_of_authorities(file, authorities, now));
  for (const Certificate& authority : authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
    if (name_them) SSL_CTX_add_client_CA(context, authority.get());
  }
  return facts;
}

/// Shows a certificate with its chain.
Result<CertificateFacts> show(SSL_CTX* context, const CertificateFiles& files, base::WallTime now) {
  TRY(const std::string text, read_file(files.certificate));
  TRY(const std::vector<Certificate> chain, read_certificates(files.certificate, text));
  TRY(CertificateFacts facts, facts_of_chain(files.certificate, chain, now));
  TRY(const PrivateKey key, read_private_key(files.private_key));
  TRY_VOID(match(files, chain.front().get(), key.get()));
  bool taken = SSL_CTX_use_certificate(context, chain.front().get()) == 1;
  for (std::size_t i = 1; taken && i < chain.size(); ++i)
    taken = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  if (!taken || SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return invalid(files.certificate + " cannot be used: " + reason());
  return facts;
}

}  // namespace

Result<CertificateFacts> check_certificate(const std::string& file, base::WallTime now) {
  TRY(const std::string text, read_file(file));
  TRY(const std::vector<Certificate> chain, read_certificates(file, text));
  return facts_of_chain(file, chain, now);
}

Result<void> check_private_key(const std::string& file, const std::string& certificate_file) {
  TRY(const PrivateKey key, read_private_key(file));
  TRY(const std::string text, read_file(certificate_file));
  TRY(const std::vector<Certificate> chain, read_certificates(certificate_file, text));
  return match({.certificate = certificate_file, .private_key = file}, chain.front().get(), key.get());
}

Result<CertificateFacts> check_authorities(const std::string& file, base::WallTime now) {
  TRY(const std::string text, read_file(file));
  TRY(const std::vector<Certificate> all, read_certificates(file, text));
  return facts_of_authorities(file, all, now);
}

std::vector<std::string> expiry_warnings(const std::vector<CertificateFacts>& certificates, base::WallTime now) {
  std::vector<std::string> warnings;
  for (const CertificateFacts& facts : certificates) {
    const auto left = std::chrono::floor<std::chrono::days>(facts.not_after - now);
    if (left < warned_before)
      warnings.push_back("the certificate in " + facts.file + " ends in " + std::to_string(left.count()) +
                         " days, at " + base::iso8601(facts.not_after) + "; renew it");
  }
  return warnings;
}

ServerTls::~ServerTls() = default;

Result<std::shared_ptr<const ServerTls>> ServerTls::load(const Options& options, base::WallTime now) {
  std::shared_ptr<ServerTls> loaded{new ServerTls};
  std::string client_ca;
  if (options.clients != ClientCertificates::ignored) {
    TRY(client_ca, read_file(options.client_ca_file));
  }
  for (const CertificateFiles& files : options.certificates) {
    auto context = new_context(boost::asio::ssl::context::tls_server);
    SSL_CTX* raw = context->native_handle();
    SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(raw, select_alpn, nullptr);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // tickets do, and need no memory here
    TRY(CertificateFacts facts, show(raw, files, now));
    loaded->certificates_.push_back(std::move(facts));
    if (options.clients != ClientCertificates::ignored) {
      const bool first = loaded->contexts_.empty();
      TRY(CertificateFacts authorities, trust(raw, options.client_ca_file, client_ca, now, true));
      if (first) loaded->certificates_.push_back(std::move(authorities));
      const int must = options.clients == ClientCertificates::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
      SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | must, nullptr);
      // A resumed session would not be verified again: each connection proves itself.
      SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
      SSL_CTX_set_num_tickets(raw, 0);
    }
    loaded->contexts_.push_back(std::move(context));
  }
  if (loaded->contexts_.empty()) return invalid("a TLS port needs at least one certificate");
  SSL_CTX* first = loaded->contexts_.front()->native_handle();
  SSL_CTX_set_tlsext_servername_callback(first, choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(first, loaded.get());
  return loaded;
}

/// Called in a handshake, when the name that the caller asks for is known.
int ServerTls::choose_certificate(SSL* ssl, int*, void* self) {
  const char* wanted = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (wanted == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const auto& context : static_cast<const ServerTls*>(self)->contexts_) {
    X509* certificate = SSL_CTX_get0_certificate(context->native_handle());
    if (X509_check_host(certificate, wanted, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, context->native_handle());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

Result<std::shared_ptr<const ClientTls>> ClientTls::load(const std::string& ca_file, base::WallTime now) {
  std::shared_ptr<ClientTls> loaded{new ClientTls};
  loaded->context_ = new_context(boost::asio::ssl::context::tls_client);
  SSL_CTX* raw = loaded->context_->native_handle();
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  if (ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(raw) != 1) return invalid("the system's trusted authorities: " + reason());
    return loaded;
  }
  TRY(loaded->authorities_, read_file(ca_file));
  TRY(CertificateFacts facts, trust(raw, ca_file, loaded->authorities_, now, false));
  loaded->certificates_.push_back(std::move(facts));
  return loaded;
}

std::vector<std::string> peer_names(const SSL* ssl) {
  std::vector<std::string> names;
  const Certificate certificate{SSL_get1_peer_certificate(ssl)};
  if (certificate == nullptr) return names;
  const auto add = [&names](std::string_view kind, std::string_view text) {
    // A name with a NUL would read differently to whoever stops there.
    const bool plain = std::ranges::none_of(text, [](char c) { return c >= 0 && (c < 0x20 || c == 0x7f); });
    if (plain && !text.empty()) names.push_back(std::string{kind}.append(text));
  };
  const Names alternatives{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    int kind = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(alternatives.get(), i), &kind);
    if (kind != GEN_URI && kind != GEN_DNS) continue;
    const auto* text = static_cast<const ASN1_STRING*>(value);
    add(kind == GEN_URI ? "uri:" : "dns:", {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                            static_cast<std::size_t>(ASN1_STRING_length(text))});
  }
  add("subject:", subject_of(certificate.get()));
  return names;
}

}  // namespace portolan::world
