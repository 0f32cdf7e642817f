// SPDX-License-Identifier: Apache-2.0
// The configuration described, from the same definitions that read it: for editors, and for people.
#pragma once

#include <string>

namespace portolan::config {

/// A JSON Schema (draft 2020-12) of the configuration file. Editors that know YAML complete and check with it. It
/// is as strict as a schema can be; what must agree between settings only load() checks.
std::string json_schema();

/// The reference page: every setting with its type, default, bounds and meaning, as Markdown.
std::string reference_markdown();

}  // namespace portolan::config
