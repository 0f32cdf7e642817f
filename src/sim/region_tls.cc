// SPDX-License-Identifier: Apache-2.0
#include "sim/region_tls.h"

#include <boost/asio/buffer.hpp>
#include <openssl/ssl.h>
#include <string_view>

namespace portolan::sim {
namespace {

namespace asio = boost::asio;

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned in_size, void*) {
  // A list of names, each after its length (RFC 7301 section 3.1).
  for (unsigned at = 0; at < in_size; at += 1u + in[at]) {
    const std::string_view name{reinterpret_cast<const char*>(in + at + 1), in[at]};
    if (name != "h2" && name != "http/1.1") continue;
    *out = in + at + 1;
    *out_size = in[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

base::Result<std::shared_ptr<asio::ssl::context>> region_tls(const CertificateWithKey& shown) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_protocol, nullptr);
  boost::system::error_code failure;
  context->use_certificate_chain(asio::buffer(shown.certificate_pem), failure);
  if (!failure) context->use_private_key(asio::buffer(shown.private_key_pem), asio::ssl::context::pem, failure);
  if (failure) return base::fail(base::Code::internal, "the Region's certificate: " + failure.message());
  return context;
}

}  // namespace portolan::sim
