// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known name that a mistyped one is nearest to. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portolan::domain {

/// Insertions, deletions, replacements and swaps of neighbouring characters that turn `a` into `b` (optimal string
/// alignment distance), letter case ignored.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The one of `known` nearest to `name`, or empty when nothing is near: at most one edit in three characters, or
/// `name` is a piece (four characters or more) of a known name. The first of equals wins. Names over 128 characters
/// have no neighbours, which bounds the work.
std::string nearest_name(std::string_view name, const std::vector<std::string_view>& known);

/// "; did you mean NEAREST?" for the end of a message, or nothing when nothing is near.
std::string did_you_mean(std::string_view nearest);

}  // namespace portolan::domain
