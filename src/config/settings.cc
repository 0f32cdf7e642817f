// SPDX-License-Identifier: Apache-2.0
// To add a setting: a member with its default in config.h, a line with its bounds and its sentence here. Reader,
// error texts, JSON Schema and reference page follow.
#include "config/settings.h"

#include "config/quota_settings.h"
#include "domain/call.h"

namespace portolan::config {
namespace {

using namespace std::chrono_literals;

constexpr Bounds port_or_any{0, 65535};
constexpr Bounds region_count{1, domain::regions_max};
constexpr std::int64_t entries_max = 10'000;

Section<Listen> listen() {
  Section<Certificate> certificate;
  certificate.text("certificate", &Certificate::certificate_file, file_path,
                   "Certificate chain in PEM, the server's own first.");
  certificate.required();
  certificate.text("private_key", &Certificate::private_key_file, file_path,
                   "Private key of the certificate, in PEM, without a passphrase.");
  certificate.required();

  Section<Tls> tls;
  tls.text("address", &Tls::address, ip_address, "Address of the TLS port; listen.address when absent.");
  tls.whole("port", &Tls::port, port_or_any, "Port for TLS; 0 takes any free one.");
  tls.sections("certificates", &Tls::certificates, certificate, {1, 100},
               "Who the gateway is. A caller gets the first that has the name it asks for (SNI), else the first.");
  tls.required();
  tls.custom({.key = "client_certificates",
              .says = "Whether callers are asked for a certificate, and let in without one.",
              .fallback = "ignored",
              .format = &client_certificates},
             [](Reader& reader, const Place& place, const Setting& setting, Tls& out) {
               std::string word;
               if (!reader.text(place, *setting.format, word)) return;
               out.client_certificates = word == "required"   ? ClientCertificates::required
                                         : word == "optional" ? ClientCertificates::optional
                                                              : ClientCertificates::ignored;
             });
  tls.text("client_ca", &Tls::client_ca_file, file_path,
           "Authorities in PEM that callers' certificates must come from.");

  Section<Listen> listen;
  listen.text("address", &Listen::address, ip_address, "Address to listen on for callers.");
  listen.whole("port", &Listen::port, port_or_any, "Plaintext port, HTTP/1.1 and h2c; 0 takes any free one.");
  listen.flag("allow_plaintext", &Listen::allow_plaintext,
              "Must be true to open the plaintext port beyond loopback, where prompts can be overheard.");
  listen.section("tls", &Listen::tls, tls, "A TLS port beside the plaintext one, HTTP/1.1 and HTTP/2 by ALPN.");
  return listen;
}

Section<Admin> admin() {
  Section<Admin> admin;
  admin.text("address", &Admin::address, ip_address, "Address to listen on for operators.");
  admin.whole("port", &Admin::port, port_or_any,
              "Port for /healthz, /readyz, /metrics and the API; 0 takes any free one.");
  admin.flag("allow_plaintext", &Admin::allow_plaintext,
             "Must be true to open the admin port beyond loopback, where its key can be overheard.");
  return admin;
}

Section<Limits> limits() {
  Section<Limits> limits;
  limits.size("head_bytes_max", &Limits::head_bytes_max, {1 << 10, 1 << 20}, "The largest request head.");
  limits.size("body_bytes_max", &Limits::body_bytes_max, {1 << 10, 1 << 30},
              "The largest request body; Bedrock's own limit is 25MB.");
  limits.whole("connections_max", &Limits::connections_max, {1, 1'000'000},
               "Open connections of callers; beyond it new ones are answered 503 and closed.");
  limits.whole("streams_max", &Limits::streams_max, {1, 10'000}, "Calls at once on one HTTP/2 connection.");
  limits.whole("calls_max", &Limits::calls_max, {1, 1'000'000},
               "Calls in flight; beyond it new ones are answered 503.");
  limits.size("bodies_bytes_max", &Limits::bodies_bytes_max, {1 << 20, std::int64_t{1} << 40},
              "Memory for the bodies of all requests together; beyond it uploads are answered 503. Bodies of up to "
              "16KiB do not count.");
  return limits;
}

Section<Deadlines> deadlines() {
  Section<Deadlines> deadlines;
  deadlines.duration("connect", &Deadlines::connect, 1ms, 1min, "Opening a connection to a Region.");
  deadlines.duration(
      "first_byte", &Deadlines::first_byte, 1ms, 1h,
      "From sending an attempt to the first byte of its answer; then the call moves to another Region.");
  deadlines.duration("chunk", &Deadlines::chunk, 1ms, 1h, "Between two pieces of a stream.");
  deadlines.duration("total", &Deadlines::total, 1ms, 24h, "The whole call, with all its attempts.");
  deadlines.duration("head", &Deadlines::head, 1ms, 1h, "A caller's request, from its first byte to its last.");
  deadlines.duration("idle", &Deadlines::idle, 1ms, 24h,
                     "A caller's connection between calls. AWS's network drops idle connections after 350s.");
  deadlines.duration("drain", &Deadlines::drain, 0ms, 24h, "For calls in flight, after the signal to stop.");
  return deadlines;
}

Section<Retry> retry() {
  Section<Retry> retry;
  retry.whole("attempts_max", &Retry::attempts_max, {1, domain::attempts_max},
              "Attempts for one call, the first included.");
  retry.whole("budget_percent", &Retry::budget_percent, {0, 100},
              "Retries for each hundred calls, so that an outage is not multiplied.");
  retry.duration("backoff_base", &Retry::backoff_base, 1ms, 1min,
                 "First wait before the same Region is tried again; doubles each time, with full jitter.");
  retry.duration("backoff_cap", &Retry::backoff_cap, 1ms, 10min, "The longest such wait.");
  return retry;
}

Section<Account> account() {
  Section<Account> account;
  account.text("name", &Account::name, name_text, "A name for records and metrics.");
  account.required();
  account.text("account_id", &Account::account_id, account_number, "The account's 12 digits.");
  account.required();
  account.text("access_key_id", &Account::access_key_id, access_key, "Access key that signs calls to the Regions.");
  account.required();
  account.secret("secret_access_key", &Account::secret_access_key, "Its secret, as a reference.");
  account.required();
  return account;
}

Section<Endpoint> endpoint() {
  Section<Endpoint> endpoint;
  endpoint.custom({.key = "endpoint", .says = "Where the Region answers.", .format = &endpoint_url},
                  [](Reader& reader, const Place& place, const Setting& setting, Endpoint& out) {
                    std::string text;
                    if (!reader.text(place, *setting.format, text)) return;
                    Url url = *parse_endpoint(text);
                    out.host = std::move(url.host);
                    out.port = url.port;
                    out.tls = url.tls;
                    out.host_header = std::move(url.authority);
                  });
  endpoint.required();
  endpoint.text("ca", &Endpoint::ca_file, file_path,
                "Authorities in PEM that may vouch for it, and no others; the system's when absent.");
  return endpoint;
}

Section<domain::ProfileDefinition> profile() {
  using domain::ProfileDefinition;
  Section<ProfileDefinition> profile;
  profile.text("id", &ProfileDefinition::id, profile_id, "What callers write as the model.");
  profile.required();
  profile.text("name", &ProfileDefinition::name, any_text, "A name for people; the id when absent.");
  profile.text("model", &ProfileDefinition::model_id, model_id, "The model that it runs.");
  profile.required();
  profile.texts("sources", &ProfileDefinition::sources, region_name, region_count,
                "Regions where it can be called; its destinations when absent.");
  profile.texts("destinations", &ProfileDefinition::destinations, region_name, region_count,
                "Regions that may serve it.");
  profile.required();
  profile.text(
      "policy_mode", &ProfileDefinition::policy_mode, policy_mode,
      "How policies judge a call by it: strict, a denied destination denies the call; subset, the call runs in "
      "the others. The tenant's policy_mode when absent, else subset.");
  return profile;
}

Section<Key> key() {
  Section<Key> key;
  key.text("name", &Key::name, name_text, "The user name in ARNs and records.");
  key.required();
  key.text("access_key_id", &Key::access_key_id, access_key, "For SigV4; with secret_access_key.");
  key.secret("secret_access_key", &Key::secret_access_key, "For SigV4, as a reference.");
  key.text("api_key_sha256", &Key::api_key_sha256, sha256_hex,
           "For an API key instead: the SHA-256 of the key, which itself is never stored.");
  key.text("certificate", &Key::certificate_name, certificate_name,
           "For a client certificate instead: a name that is in it, as uri:, dns: or subject: (RFC 4514).");
  return key;
}

Section<Tenant> tenant() {
  Section<domain::Limits> quota;
  add_limits(quota);

  Section<Tenant> tenant;
  tenant.text("name", &Tenant::name, name_text, "Team, application or customer.");
  tenant.required();
  tenant.text("account_id", &Tenant::account_id, account_number, "12 digits that stand for it in ARNs.");
  tenant.required();
  tenant.texts("profiles", &Tenant::profiles, profile_glob, {1, entries_max},
               "Profiles that it may call; every profile when absent.");
  tenant.texts("regions", &Tenant::regions, region_name, region_count,
               "Regions that may serve it; every Region when absent.");
  tenant.text("class", &Tenant::call_class, class_name,
              "When the gateway is overloaded, batch calls are refused first, critical ones last.");
  tenant.text("policy_mode", &Tenant::policy_mode, policy_mode,
              "How policies judge its calls by profiles that do not say: strict for AWS's, subset for one's own "
              "when absent.");
  tenant.section("quota", &Tenant::quota, quota, "What it may use.");
  tenant.sections("key_quotas", &Tenant::key_quotas, key_quota(), {0, entries_max},
                  "What each of its keys may use, within that; the first entry that matches a key counts.");
  tenant.sections("profile_quotas", &Tenant::profile_quotas, profile_quota(), {0, entries_max},
                  "What its calls of each profile may use, within that; the first entry that matches a profile "
                  "counts.");
  tenant.sections("keys", &Tenant::keys, key(), {1, entries_max}, "Its credentials.");
  return tenant;
}

void read_endpoints(Reader& reader, const Place& place, const Setting& setting, Draft& out,
                    const Section<Endpoint>& inside) {
  if (!reader.mapping(place, &setting)) return;
  for (std::size_t i = 0; i < place.node->keys.size(); ++i) {
    const Node& name = place.node->keys[i];
    std::string region;
    if (!reader.text({&name, place.path}, region_name, region)) continue;
    Endpoint endpoint{.region = reader.catalog().find_region(region)};
    const Place value{&place.node->items[i], place.path + "." + region};
    for (const Endpoint& earlier : out.endpoints)
      if (earlier.region == endpoint.region)
        reader.wrong({&name, value.path}, "this Region stands here twice; keep one");
    inside.read(reader, value, endpoint);
    out.endpoints.push_back(std::move(endpoint));
  }
}

Section<Keys> keys() {
  Section<Keys> keys;
  keys.secret("master_key", &Keys::master_key,
              "Seals the secrets of issued keys at rest, as a reference; `portolan key init` makes one.");
  keys.required();
  keys.secret("previous_master_key", &Keys::previous_master_key,
              "The one before it, until the start or reload that seals the secrets anew.");
  return keys;
}

Section<Draft> everything() {
  Section<Draft> all;
  all.whole("version", &Draft::version, {1, 1}, "Version of this format.");
  all.flag("dev", &Draft::dev, "For trials only: secrets may stand in this file.");
  all.text("data_dir", &Draft::data_dir, file_path, "Folder for the trail, the admin key and other state.");
  all.region("source_region", &Draft::source_region, "Source Region of calls whose credential names none.");
  all.required();
  all.section("listen", &Draft::listen, listen(), "Where callers reach the gateway.");
  all.section("admin", &Draft::admin, admin(), "Where operators reach it.");
  all.whole("reactors", &Draft::reactors, {0, 256}, "Threads that serve calls; 0 takes one for each core.");
  all.section("limits", &Draft::limits, limits(), "Limits at the edge.");
  all.section("deadlines", &Draft::deadlines, deadlines(), "Every wait of a call.");
  all.section("retry", &Draft::retry, retry(), "How failures move a call on.");
  all.section("account", &Draft::account, account(),
              "The provider account that calls to the Regions are signed with.");
  all.required();
  const Section<Endpoint> inside = endpoint();
  all.custom({.key = "regions",
              .type = Type::by_region,
              .says = "How each destination Region is reached.",
              .bounds = region_count,
              .inside = inside.settings()},
             [inside](Reader& reader, const Place& place, const Setting& setting, Draft& out) {
               read_endpoints(reader, place, setting, out, inside);
             });
  all.required();
  all.section("keys", &Draft::keys, keys(), "Keys that the gateway issues itself, beside those of `tenants`.");
  all.text("policies", &Draft::policies, file_path,
           "Directory with organization.yaml and the AWS policies that it names, enforced at every call; none when "
           "absent.");
  all.text(
      "application_profile_arn", &Draft::application_profile_arn, application_profile_arn,
      "Whose ARN bedrock:InferenceProfileArn holds when an application profile is called: its own, or the system's "
      "that it copies.");
  all.sections("profiles", &Draft::profiles, profile(), {0, 1000}, "Inference profiles beside the shipped ones.");
  all.sections("tenants", &Draft::tenants, tenant(), {1, entries_max}, "Who may call, and what.");
  all.required();
  return all;
}

}  // namespace

const Section<Draft>& settings() {
  static const Section<Draft> all = everything();
  return all;
}

}  // namespace portolan::config
