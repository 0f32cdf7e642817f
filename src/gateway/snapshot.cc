// SPDX-License-Identifier: Apache-2.0
#include "gateway/snapshot.h"

namespace portolan::gateway {

std::shared_ptr<quota::Meter> Meters::of(const config::Tenant& tenant) {
  std::shared_ptr<quota::Meter>& meter = by_name_[tenant.name];
  if (meter == nullptr) meter = std::make_shared<quota::Meter>();
  meter->set_limits(tenant.requests_per_minute, tenant.tokens_per_minute);
  return meter;
}

Snapshot::Snapshot(config::Config config_, Meters& tenant_meters, std::span<const domain::IssuedKey> issued,
                   std::shared_ptr<const policy::Rules> rules_)
    : config(std::move(config_)),
      catalog(*config.catalog),
      keyring(config, issued),
      permissions(config),
      rules(std::move(rules_)) {
  for (const config::Tenant& tenant : config.tenants) {
    meters.push_back(tenant_meters.of(tenant));
    call_classes.push_back(domain::call_class(tenant.call_class).value_or(domain::CallClass::standard));
  }
  for (const config::Endpoint& endpoint : config.endpoints) {
    reachable.add(endpoint.region);
    hosts[endpoint.region] = endpoint.host_header;
  }
}

}  // namespace portolan::gateway
