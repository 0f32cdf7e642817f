// SPDX-License-Identifier: Apache-2.0
// Columns of text for people, each as wide as its widest cell.
#pragma once

#include <string>
#include <vector>

namespace portolan::cli {

class TextTable {
 public:
  /// `indent`: spaces before each line. An empty header prints none.
  explicit TextTable(std::vector<std::string> header = {}, std::size_t indent = 0)
      : header_(std::move(header)), indent_(indent) {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }

  /// Header and rows, a line each, two spaces between columns and none at a line's end. Cells are UTF-8; each code
  /// point is taken to be one column wide.
  std::string text() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::size_t indent_;
};

}  // namespace portolan::cli
