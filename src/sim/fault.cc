// SPDX-License-Identifier: Apache-2.0
#include "sim/fault.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace portolan::sim {
namespace {

struct KindFacts {
  FaultKind kind;
  std::string_view name;
  std::string_view usage;
  std::size_t arguments_min;
  std::size_t arguments_max;
};

constexpr std::array<KindFacts, 11> kinds = {{
    {FaultKind::refuse, "refuse", "refuse", 0, 0},
    {FaultKind::drop, "drop", "drop", 0, 0},
    {FaultKind::slow, "slow", "slow N", 1, 1},
    {FaultKind::first_token, "first-token", "first-token DUR", 1, 1},
    {FaultKind::throttle, "throttle", "throttle", 0, 0},
    {FaultKind::unavailable, "unavailable", "unavailable", 0, 0},
    {FaultKind::error, "error", "error [STATUS]", 0, 1},
    {FaultKind::cut, "cut", "cut TOKENS", 1, 1},
    {FaultKind::stall, "stall", "stall [TOKENS]", 0, 1},
    {FaultKind::malformed, "malformed", "malformed", 0, 0},
    {FaultKind::version_absent, "version-absent", "version-absent MODEL", 1, 1},
}};

const KindFacts& facts(FaultKind kind) {
  return kinds[static_cast<std::size_t>(kind)];
}

std::string all_kinds() {
  std::string text;
  for (const KindFacts& kind : kinds) {
    if (!text.empty()) text += ", ";
    text += kind.usage;
  }
  return text;
}

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && end == text.data() + text.size();
}

constexpr std::uint32_t tokens_max = 1'000'000;

base::Result<void> read_argument(Fault& fault, std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return base::fail(base::Code::usage,
                      fmt::format("fault {}: '{}' is not {}", facts(fault.kind).usage, text, what));
  };
  switch (fault.kind) {
    case FaultKind::slow:
      if (!read_number(text, fault.factor) || !(fault.factor >= 1) || fault.factor > 10'000)
        return wrong("a factor from 1 to 10000");
      return {};
    case FaultKind::first_token:
      if (!base::parse_duration(text, fault.first_token)) return wrong("a duration such as 250ms, 10s or 2m");
      return {};
    case FaultKind::error:
      if (!read_number(text, fault.status) || fault.status < 400 || fault.status > 599)
        return wrong("an HTTP status from 400 to 599");
      return {};
    case FaultKind::cut:
    case FaultKind::stall:
      if (!read_number(text, fault.tokens) || fault.tokens > tokens_max)
        return wrong("a number of tokens from 0 to 1000000");
      return {};
    case FaultKind::version_absent:
      if (text.empty() || text.size() > 2048) return wrong("a model id");
      fault.model = text;
      return {};
    default:
      return wrong("expected here");
  }
}

std::string_view type_of(int status) {
  switch (status) {
    case 400:
      return "ValidationException";
    case 403:
      return "AccessDeniedException";
    case 404:
      return "ResourceNotFoundException";
    case 408:
      return "ModelTimeoutException";
    case 424:
      return "ModelErrorException";
    case 429:
      return "ThrottlingException";
    case 503:
      return "ServiceUnavailableException";
    default:
      return "InternalServerException";
  }
}

void apply(const Fault& fault, FaultPlan& plan) {
  const auto refuse_with = [&](int status, std::string_view type, std::string_view message) {
    if (!plan.refusal) plan.refusal = Refusal{status, std::string(type), std::string(message)};
  };
  switch (fault.kind) {
    case FaultKind::refuse:
      plan.reset = true;
      return;
    case FaultKind::drop:
      plan.silent = true;
      return;
    case FaultKind::slow:
      plan.slow = fault.factor;
      return;
    case FaultKind::first_token:
      plan.first_token = fault.first_token;
      return;
    case FaultKind::throttle:
      return refuse_with(429, "ThrottlingException", "Too many requests, please wait before trying again.");
    case FaultKind::unavailable:
      return refuse_with(503, "ServiceUnavailableException", "Bedrock is unable to process your request.");
    case FaultKind::error:
      return refuse_with(fault.status, type_of(fault.status),
                         "The system encountered an unexpected error during processing. Try your request again.");
    case FaultKind::cut:
      plan.cut_after = fault.tokens;
      return;
    case FaultKind::stall:
      plan.stall_after = fault.tokens;
      return;
    case FaultKind::malformed:
      plan.malformed = true;
      return;
    case FaultKind::version_absent:
      return refuse_with(404, "ResourceNotFoundException",
                         "Could not resolve the foundation model from the provided model identifier.");
  }
}

}  // namespace

std::string_view name(FaultKind kind) {
  return facts(kind).name;
}

base::Result<Fault> parse_fault(std::string_view kind, std::span<const std::string> arguments, double share,
                                base::Duration duration) {
  const auto* const found = std::ranges::find(kinds, kind, &KindFacts::name);
  if (found == kinds.end())
    return base::fail(base::Code::usage, fmt::format("fault '{}' is not known; use one of: {}", kind, all_kinds()));
  if (arguments.size() < found->arguments_min || arguments.size() > found->arguments_max)
    return base::fail(base::Code::usage,
                      fmt::format("fault {} has {} arguments; write: {}", kind, arguments.size(), found->usage));
  if (!(share > 0) || share > 1)
    return base::fail(base::Code::usage, fmt::format("share {} is outside (0, 1]", share));
  if (duration < base::Duration::zero() || duration > std::chrono::hours{24 * 365})
    return base::fail(base::Code::usage,
                      "a fault lasts at most a year; leave the duration away for 'until cleared'");
  Fault fault{.kind = found->kind, .share = share, .duration = duration};
  if (!arguments.empty()) TRY_VOID(read_argument(fault, arguments[0]));
  return fault;
}

std::string format_fault(const Fault& fault) {
  std::string text{name(fault.kind)};
  switch (fault.kind) {
    case FaultKind::slow:
      text += fmt::format(" {}", fault.factor);
      break;
    case FaultKind::first_token:
      text += " " + base::format_duration(fault.first_token);
      break;
    case FaultKind::error:
      text += fmt::format(" {}", fault.status);
      break;
    case FaultKind::cut:
    case FaultKind::stall:
      text += fmt::format(" {}", fault.tokens);
      break;
    case FaultKind::version_absent:
      text += " " + fault.model;
      break;
    default:
      break;
  }
  if (fault.share < 1) text += fmt::format(" --share {}", fault.share);
  if (fault.duration > base::Duration::zero()) text += " --for " + base::format_duration(fault.duration);
  return text;
}

std::uint64_t FaultBoard::put(Fault fault) {
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.fault.kind == fault.kind && entry.fault.model == fault.model;
  });
  entries_.push_back({next_id_, std::move(fault)});
  return next_id_++;
}

bool FaultBoard::remove(std::uint64_t id) {
  return std::erase_if(entries_, [id](const Entry& entry) { return entry.id == id; }) != 0;
}

bool FaultBoard::holds_all(FaultKind kind) const {
  return std::ranges::any_of(
      entries_, [kind](const Entry& entry) { return entry.fault.kind == kind && entry.fault.share >= 1; });
}

FaultPlan FaultBoard::draw(std::string_view model) {
  FaultPlan plan;
  for (const Entry& entry : entries_) {
    const Fault& fault = entry.fault;
    if (fault.kind == FaultKind::version_absent && fault.model != model) continue;
    if (fault.share < 1 && random_.uniform() >= fault.share) continue;
    apply(fault, plan);
  }
  return plan;
}

std::vector<std::string> FaultBoard::describe() const {
  std::vector<std::string> texts;
  for (const Entry& entry : entries_) texts.push_back(format_fault(entry.fault));
  return texts;
}

}  // namespace portolan::sim
