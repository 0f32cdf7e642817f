// SPDX-License-Identifier: Apache-2.0
// The names that AWS's pages list: actions of Amazon Bedrock, condition keys, services. Only notices use them: a
// name that is not here still matches a request that carries it. All functions are pure; any thread.
//
// Sources: Service Authorization Reference, "Amazon Bedrock", with the operations of its API models; IAM User
// Guide, "AWS global condition context keys"; Service Authorization Reference, table of contents. As of autumn
// 2026.
#pragma once

#include <string>
#include <string_view>

namespace portolan::iam {

/// What is odd about an action as written in a policy ("bedrock:InvokeModle"), with the nearest known name; empty
/// when nothing is. With wildcards: that it matches no action of Bedrock.
std::string doubt_about_action(std::string_view written);

/// The same of a condition key: "aws:RequestRegion". Keys of services other than Bedrock, and of identity
/// providers, are not listed here and never doubted, as long as the service is known.
std::string doubt_about_condition_key(std::string_view written);

}  // namespace portolan::iam
