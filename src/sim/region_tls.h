// SPDX-License-Identifier: Apache-2.0
// TLS at a Region: what its socket shows. Shares nothing with the gateway's own TLS, which it is there to test.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/result.h"
#include "sim/throwaway_ca.h"

namespace portolan::sim {

/// TLS 1.2 and 1.3, ALPN h2 and http/1.1, whichever the caller names first. Code::internal when OpenSSL refuses.
base::Result<std::shared_ptr<boost::asio::ssl::context>> region_tls(const CertificateWithKey& shown);

}  // namespace portolan::sim
