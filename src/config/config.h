// SPDX-License-Identifier: Apache-2.0
// The configuration as a typed tree. One YAML file; every Region, tenant, key and account is said once.
//
// load() reads the whole file and reports every mistake in one pass, each as
//   file:line:column path: what is wrong, what is allowed, what to do
// Unknown keys are errors with a suggestion. Secrets appear in the file only as references (env:NAME, file:PATH,
// cmd:PROGRAM ARGUMENT…) unless `dev: true`; load() resolves them, so a Config holds secrets and is never printed
// or logged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "domain/catalog.h"
#include "domain/limits.h"

namespace portolan::config {

/// A certificate chain in PEM, the server's own first, and its private key.
struct Certificate {
  std::string certificate_file;
  std::string private_key_file;
};

/// Whether callers are asked for a certificate of their own. `required`: none gets in without one.
enum class ClientCertificates : std::uint8_t { ignored, optional, required };

struct Tls {
  std::string address;  // Listen::address when the file does not say
  std::uint16_t port = 8443;
  std::vector<Certificate> certificates;  // by the name that the caller asks for; the first is for all others
  ClientCertificates client_certificates = ClientCertificates::ignored;
  std::string client_ca_file;  // whom callers' certificates must come from; empty when they are ignored
};

struct Listen {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: any free one
  bool allow_plaintext =
      false;  // must be true to listen beyond loopback, where the plaintext port can be overheard
  std::optional<Tls> tls;
};

struct Admin {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8081;     // 0: any free one
  bool allow_plaintext = false;  // as for Listen: the admin key would cross the network in the clear
};

/// Limits at the edge. Bedrock's own body limit is 25,000,000 bytes.
struct Limits {
  std::uint32_t head_bytes_max = 32 * 1024;
  std::uint32_t body_bytes_max = 25'000'000;
  std::uint32_t connections_max = 20'000;
  std::uint32_t streams_max = 256;                // at once, of one HTTP/2 connection
  std::uint32_t calls_max = 20'000;               // in flight, whatever their connections
  std::uint64_t bodies_bytes_max = 512ull << 20;  // of all request bodies that are in memory
};

/// Every wait of a call, in world time.
struct Deadlines {
  base::Duration connect = base::seconds{1};
  base::Duration first_byte = base::seconds{30};  // from sending an attempt to the first byte of its answer
  base::Duration chunk = base::seconds{60};       // between two pieces of a stream
  base::Duration total = base::seconds{600};      // the whole call
  base::Duration head = base::seconds{10};        // a caller's request head and body, once begun
  base::Duration idle = base::seconds{350};       // a caller's connection between calls (AWS's NAT drops at 350 s)
  base::Duration drain = base::seconds{30};       // after SIGTERM, for calls in flight
};

/// How failures move a call on. attempts_max counts the first try.
struct Retry {
  unsigned attempts_max = 8;
  unsigned budget_percent = 20;  // retries allowed per hundred calls begun, beyond one for each call in flight
  base::Duration backoff_base =
      base::milliseconds{20};  // full jitter: uniform in [0, min(cap, base·2^n)], same Region only
  base::Duration backoff_cap = base::seconds{1};
};

/// What each key (by user name) whose name matches may use.
struct KeyQuota : domain::Limits {
  std::string keys;
};

/// What a tenant's calls of each profile whose id matches may use.
struct ProfileQuota : domain::Limits {
  std::string profiles;
};

/// A destination and how to reach it.
struct Endpoint {
  domain::RegionIndex region = domain::region_none;
  std::string host;  // IPv4 or IPv6 literal or name
  std::uint16_t port = 0;
  bool tls = false;
  std::string ca_file;      // under TLS: who may vouch for it; empty: the system's trusted authorities
  std::string host_header;  // host:port as it is signed
};

/// The provider account whose credentials sign upstream calls.
struct Account {
  std::string name;
  std::string account_id;
  std::string access_key_id;
  base::Secret secret_access_key;
};

struct Key {
  std::string name;                // the user name in ARNs and records
  std::string access_key_id;       // SigV4; empty when this is an API key
  base::Secret secret_access_key;  // SigV4
  std::string api_key_sha256;      // lower-case hex; the key itself is never stored
  std::string certificate_name;    // in a client certificate: "uri:…", "dns:…" or "subject:…"
};

struct Tenant {
  std::string name;
  std::string account_id;             // 12 digits, used in ARNs
  std::vector<std::string> profiles;  // globs over profile ids ("us.*"); empty: every profile
  std::vector<std::string> regions;   // empty: every Region; else destinations are narrowed to these
  domain::Limits quota;
  std::vector<KeyQuota> key_quotas;          // the first that matches counts
  std::vector<ProfileQuota> profile_quotas;  // the first that matches counts
  std::string call_class = "standard";       // domain::CallClass
  std::string policy_mode;                   // "strict", "subset"; empty: as the profile is judged by default
  std::vector<Key> keys;
};

/// Keys that the gateway issues itself (`portolan key`): what their secrets are sealed under, 32 bytes in base64.
struct Keys {
  base::Secret master_key;
  base::Secret previous_master_key;  // empty: none; set while the store goes from one master key to the next
};

struct Config {
  std::string source;        // the file's name, for messages
  std::string version_hash;  // first 12 hex digits of the SHA-256 of the file: the policy version in records
  bool dev = false;
  Listen listen;
  Admin admin;
  std::string data_dir = "portolan-data";
  domain::RegionIndex source_region = domain::region_none;  // for callers whose credential names no Region
  unsigned reactors = 0;                                    // 0: one per core
  Limits limits;
  Deadlines deadlines;
  Retry retry;
  std::vector<Endpoint> endpoints;
  Account account;
  std::vector<Tenant> tenants;
  std::optional<Keys> keys;                             // absent: no keys are issued
  std::string policies;                                 // directory of a set of policies; empty: none
  std::string application_profile_arn = "application";  // or "system": what bedrock:InferenceProfileArn holds
  std::shared_ptr<const domain::Catalog> catalog;       // the shipped one plus the file's `profiles`
};

/// One mistake. `text()` is the whole line.
struct Mistake {
  std::string file;
  int line = 0;  // from 1
  int column = 0;
  std::string path;  // "tenants[1].keys[0].name"
  std::string what;
  std::string text() const;
};

inline constexpr std::size_t secret_bytes_max = 4096;

/// Where references to secrets are resolved; tests pass their own. Line ends after the secret are taken off by
/// load(). Messages of errors are shown to the operator behind the reference; they never hold what was read.
class Secrets {
 public:
  virtual ~Secrets() = default;
  virtual std::optional<base::Secret> environment(const std::string& name) const = 0;
  virtual base::Result<base::Secret> file(const std::string& path) const = 0;
  /// The standard output of a program: its path, then its arguments.
  virtual base::Result<base::Secret> command(const std::vector<std::string>& words) const = 0;
};

/// Judges the certificate files that a configuration names: readable, in their time, key and certificate a pair.
/// Messages begin with the file's name.
class CertificateFiles {
 public:
  virtual ~CertificateFiles() = default;
  virtual base::Result<void> certificate(const std::string& file) = 0;
  virtual base::Result<void> private_key(const std::string& file, const std::string& certificate_file) = 0;
  virtual base::Result<void> authorities(const std::string& file) = 0;
};

struct Loaded {
  std::optional<Config> config;  // set when there is no mistake
  std::vector<Mistake> mistakes;
};

/// Reads `text` (the content of the file called `file_name`). Pure but for `secrets` and `certificates`, without
/// which the files of certificates are not looked at. Never throws.
Loaded load(std::string_view text, std::string_view file_name, const Secrets& secrets,
            CertificateFiles* certificates = nullptr);

}  // namespace portolan::config
