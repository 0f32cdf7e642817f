// SPDX-License-Identifier: Apache-2.0
#include "cli/configuration.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "cli/certificate_files.h"
#include "cli/command.h"
#include "cli/process_secrets.h"

namespace portolan::cli {

base::Result<std::string> read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return base::fail(base::Code::usage, path + ": " + std::strerror(errno));
  return std::string{std::istreambuf_iterator<char>(stream), {}};
}

base::Result<config::Config> read_configuration(const std::string& path) {
  TRY(const std::string text, read_text(path));
  return load_configuration(text, path);
}

base::Result<config::Config> load_configuration(const std::string& text, const std::string& path) {
  ProcessCertificateFiles certificates;
  config::Loaded loaded = config::load(text, path, ProcessSecrets{}, &certificates);
  if (loaded.config) {
    for (const std::string& warning : certificates.warnings()) log("warning: " + warning);
    return std::move(*loaded.config);
  }
  std::string message = path + " is not used: " + std::to_string(loaded.mistakes.size()) +
                        (loaded.mistakes.size() == 1 ? " mistake" : " mistakes");
  for (const config::Mistake& mistake : loaded.mistakes) message += "\n  " + mistake.text();
  return base::fail(base::Code::config_invalid, std::move(message));
}

}  // namespace portolan::cli
