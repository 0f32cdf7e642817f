// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <array>

namespace portolan::base {
namespace {

constexpr auto table = std::to_array<CodeFacts>({
#define PORTOLAN_ERROR(code, blame, remedy, bedrock_status, bedrock_type, openai_status, openai_type) \
  {#code, Blame::blame, Remedy::remedy, bedrock_status, bedrock_type, openai_status, openai_type},
#include "base/error_codes.def"
#undef PORTOLAN_ERROR
});

}  // namespace

const CodeFacts& facts(Code code) {
  return table[static_cast<std::size_t>(code)];
}

std::string_view name(Blame blame) {
  switch (blame) {
    case Blame::caller:
      return "caller";
    case Blame::operator_:
      return "operator";
    case Blame::gateway:
      return "gateway";
    case Blame::upstream:
      return "upstream";
  }
  return "gateway";
}

std::string_view name(Remedy remedy) {
  switch (remedy) {
    case Remedy::give_up:
      return "give_up";
    case Remedy::retry_here:
      return "retry_here";
    case Remedy::retry_elsewhere:
      return "retry_elsewhere";
    case Remedy::slow_down:
      return "slow_down";
  }
  return "give_up";
}

}  // namespace portolan::base
