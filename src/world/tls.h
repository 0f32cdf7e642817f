// SPDX-License-Identifier: Apache-2.0
// TLS as a listener offers it and as a caller demands it: certificates, trust, and what went wrong with them.
//
// TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only (RFC 9325 section 4), no compression, no
// renegotiation. Whatever is loaded is immutable: a reload loads another and connections that stand keep what they
// began with. Any thread may use it. Errors are Code::config_invalid; they name the file and the repair, never a
// byte of a key.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace portolan::world {

/// Whether callers are asked for a certificate of their own. `required`: the handshake fails without one.
enum class ClientCertificates : std::uint8_t { ignored, optional, required };

struct CertificateFiles {
  std::string certificate;  // chain in PEM, the server's own first
  std::string private_key;  // of the first, in PEM, without a passphrase
};

/// How long a file's certificates hold: of a chain the one that ends first, of trusted authorities likewise.
struct CertificateFacts {
  std::string file;
  base::WallTime not_after{};
};

/// Reads a chain and sees that every certificate of it is valid at `now`.
base::Result<CertificateFacts> check_certificate(const std::string& file, base::WallTime now);
/// Reads a private key and sees that it belongs to the chain's first certificate.
base::Result<void> check_private_key(const std::string& file, const std::string& certificate_file);
/// Reads trusted authorities and sees that at least one of them is valid at `now`; the facts are of the valid ones.
base::Result<CertificateFacts> check_authorities(const std::string& file, base::WallTime now);

/// "the certificate in FILE ends in 12 days" for each that ends within 30 days of `now`; one line each.
std::vector<std::string> expiry_warnings(const std::vector<CertificateFacts>& certificates, base::WallTime now);

/// What a TLS port shows and asks for.
class ServerTls {
 public:
  struct Options {
    /// At least one. A caller gets the first whose names match the name that it asks for (SNI, RFC 6066 section 3),
    /// else the first of all.
    std::vector<CertificateFiles> certificates;
    ClientCertificates clients = ClientCertificates::ignored;
    std::string client_ca_file;  // whom callers' certificates must come from; needed unless they are ignored
  };

  static base::Result<std::shared_ptr<const ServerTls>> load(const Options& options, base::WallTime now);
  ~ServerTls();
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  /// Of every file that was loaded.
  const std::vector<CertificateFacts>& certificates() const { return certificates_; }
  /// For a new connection, which keeps it alive; this object must outlive the handshake.
  boost::asio::ssl::context& context() const { return *contexts_.front(); }

 private:
  ServerTls() = default;
  static int choose_certificate(SSL* ssl, int* alert, void* self);

  std::vector<std::unique_ptr<boost::asio::ssl::context>> contexts_;  // one for each certificate
  std::vector<CertificateFacts> certificates_;
};

/// Whom a caller of others trusts: names and chains are always verified.
class ClientTls {
 public:
  /// `ca_file` empty: the system's trusted authorities. Else those in the file and no others.
  static base::Result<std::shared_ptr<const ClientTls>> load(const std::string& ca_file, base::WallTime now);

  /// Of the file; empty for the system's store.
  const std::vector<CertificateFacts>& certificates() const { return certificates_; }
  /// True when both trust the very same authorities.
  bool trusts_as(const ClientTls& other) const { return authorities_ == other.authorities_; }
  boost::asio::ssl::context& context() const { return *context_; }

 private:
  ClientTls() = default;
  std::unique_ptr<boost::asio::ssl::context> context_;
  std::string authorities_;  // the file's text
  std::vector<CertificateFacts> certificates_;
};

/// The names in a verified peer's certificate, in the form in which a configuration writes them:
/// "uri:spiffe://acme/search" and "dns:search.acme.example" for each such alternative name (RFC 5280 section
/// 4.2.1.6), and "subject:CN=search,O=Acme" (RFC 4514, as `openssl x509 -subject -nameopt RFC2253` prints it).
/// Names with control characters are left out. Empty when the peer showed no certificate.
std::vector<std::string> peer_names(const SSL* ssl);

}  // namespace portolan::world
