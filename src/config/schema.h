// SPDX-License-Identifier: Apache-2.0
// The configuration described, from the same definitions that read it: for editors, and for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/setting.h"

namespace portolan::config {

/// A JSON Schema (draft 2020-12) of the configuration file. Editors that know YAML complete and check with it. It
/// is as strict as a schema can be; what must agree between settings only load() checks.
std::string json_schema();

/// The reference page: every setting with its type, default, bounds and meaning, as Markdown.
std::string reference_markdown();

/// The same for another file that is read by a Section. `title`: of the schema or the page; `intro`: what stands
/// before the first table.
std::string json_schema_of(std::string_view title, const std::vector<Setting>& settings);
std::string reference_markdown_of(std::string_view title, std::string_view intro,
                                  const std::vector<Setting>& settings);

}  // namespace portolan::config
