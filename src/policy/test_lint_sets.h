// SPDX-License-Identifier: Apache-2.0
// The sets of testdata/policy, for the tests of the linter.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "policy/lint.h"
#include "policy/lint_report.h"
#include "policy/organization.h"

namespace portolan::policy {

using SetFiles = std::map<std::string, std::string, std::less<>>;

inline std::filesystem::path policy_testdata() {
  return std::filesystem::path(PORTOLAN_TESTDATA) / "policy";
}

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Names of the folders in `kind` ("broken", "repaired", "healthy"), sorted.
inline std::vector<std::string> set_names(const std::string& kind) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(policy_testdata() / kind))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// Every file of a set by its name in it.
inline SetFiles set_files(const std::string& kind, const std::string& name) {
  SetFiles files;
  const std::filesystem::path root = policy_testdata() / kind / name;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.is_regular_file())
      files.emplace(std::filesystem::relative(entry.path(), root).string(), file_text(entry.path()));
  return files;
}

inline Organization loaded(const SetFiles& files) {
  LoadedOrganization result = load_organization(files);
  for (const config::Mistake& mistake : result.mistakes) ADD_FAILURE() << mistake.text();
  return result.organization ? *std::move(result.organization) : Organization{};
}

inline std::string in_words(const std::vector<Finding>& findings) {
  std::string words;
  for (const Finding& finding : findings) words += finding_text(finding);
  return words;
}

}  // namespace portolan::policy
