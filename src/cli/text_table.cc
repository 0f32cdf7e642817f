// SPDX-License-Identifier: Apache-2.0
#include "cli/text_table.h"

#include <algorithm>

namespace portolan::cli {
namespace {

constexpr std::size_t gap = 2;

std::size_t columns_wide(std::string_view cell) {
  const auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return static_cast<std::size_t>(std::ranges::count_if(cell, begins_character));
}

void widen(std::vector<std::size_t>& widths, const std::vector<std::string>& row) {
  if (widths.size() < row.size()) widths.resize(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_wide(row[i]));
}

void append_row(std::string& out, std::size_t indent, const std::vector<std::size_t>& widths,
                const std::vector<std::string>& row) {
  std::string line(indent, ' ');
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    line.append(widths[i] - columns_wide(row[i]) + gap, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
}

}  // namespace

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  widen(widths, header_);
  for (const std::vector<std::string>& row : rows_) widen(widths, row);
  std::string out;
  if (!header_.empty()) append_row(out, indent_, widths, header_);
  for (const std::vector<std::string>& row : rows_) append_row(out, indent_, widths, row);
  return out;
}

}  // namespace portolan::cli
