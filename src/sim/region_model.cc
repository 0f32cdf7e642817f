// SPDX-License-Identifier: Apache-2.0
#include "sim/region_model.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace portolan::sim {
namespace {

// Some words are not ASCII on purpose: what relays the text must not count bytes as characters.
constexpr std::array<std::string_view, 96> words = {
    "harbour",   "chart",    "bearing",  "the",     "of",      "and",      "compass", "rhumb",    "line",
    "coast",     "pilot",    "sounding", "fathom",  "anchor",  "mole",     "quay",    "tide",     "current",
    "wind",      "north",    "south",    "east",    "west",    "from",     "towards", "between",  "island",
    "cape",      "strait",   "gulf",     "bay",     "shoal",   "reef",     "beacon",  "light",    "lantern",
    "mast",      "sail",     "keel",     "rudder",  "helm",    "galley",   "caravel", "merchant", "cargo",
    "salt",      "wool",     "spice",    "silk",    "ink",     "vellum",   "rose",    "league",   "mile",
    "parallel",  "portolan", "Genoa",    "Venice",  "Majorca", "Lisbon",   "São",     "Åland",    "Málaga",
    "Çanakkale", "Cádiz",    "Zürich",   "crosses", "follows", "leads",    "shows",   "marks",    "keeps",
    "enters",    "leaves",   "reaches",  "returns", "with",    "under",    "over",    "before",   "after",
    "a",         "that",     "where",    "each",    "every",   "deep",     "shallow", "calm",     "narrow",
    "wide",      "safe",     "northern", "morning", "evening", "starlight"};

std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// FNV-1a: stable over compilers and machines, unlike std::hash.
std::uint64_t hash(std::string_view text, std::uint64_t from) {
  std::uint64_t value = from ^ 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return mix(value);
}

constexpr std::uint32_t sentence_tokens = 12;

double lognormal(base::Random& random, double median, double sigma) {
  return median * std::exp(sigma * random.normal());
}

}  // namespace

std::uint64_t answer_key(std::string_view prompt, std::string_view model, std::uint64_t seed) {
  return hash(prompt, hash(model, mix(seed)));
}

std::string answer_token(std::uint64_t key, std::uint32_t index) {
  const std::string_view word = words[mix(key + index) % words.size()];
  const std::uint32_t place = index % sentence_tokens;
  std::string text;
  if (index != 0) text += ' ';
  text += word;
  if (place == 0 && word[0] >= 'a' && word[0] <= 'z')
    text[index == 0 ? 0 : 1] = static_cast<char>(word[0] - 'a' + 'A');
  if (place == sentence_tokens - 1) text += '.';
  return text;
}

std::string answer_text(std::uint64_t key, std::uint32_t tokens) {
  std::string text;
  text.reserve(std::size_t{tokens} * 8);
  for (std::uint32_t i = 0; i < tokens; ++i) text += answer_token(key, i);
  return text;
}

std::uint32_t answer_length(std::string_view prompt, std::uint64_t key) {
  constexpr std::string_view mark = "#tokens=";
  if (const std::size_t at = prompt.find(mark); at != std::string_view::npos) {
    const std::string_view digits = prompt.substr(at + mark.size());
    std::uint32_t asked = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), asked);
    if (failure == std::errc{} && asked >= 1 && asked <= 1'000'000) return asked;
  }
  return 20 + static_cast<std::uint32_t>(mix(key ^ 0x746f6b656e73) % 181);
}

std::uint32_t count_tokens(std::size_t text_bytes) {
  return static_cast<std::uint32_t>(std::max<std::size_t>(1, (text_bytes + 3) / 4));
}

RegionModel::RegionModel(RegionTraits traits)
    : traits_(std::move(traits)), random_(hash(traits_.region, traits_.seed)) {
  std::ranges::sort(traits_.models, {}, &OfferedModel::id);
}

const OfferedModel* RegionModel::find_model(std::string_view id) const {
  const auto at = std::ranges::lower_bound(traits_.models, id, {}, &OfferedModel::id);
  return at != traits_.models.end() && at->id == id ? &*at : nullptr;
}

double RegionModel::load() const {
  return traits_.capacity == 0 ? 0 : static_cast<double>(in_progress_) / static_cast<double>(traits_.capacity);
}

RegionModel::Meters& RegionModel::meters(std::string_view account, std::string_view model) {
  std::pair<std::string, std::string> key{account, model};
  if (const auto at = meters_.find(key); at != meters_.end()) return at->second;
  const QuotaLimits& quota = traits_.quota;
  return meters_
      .emplace(std::move(key), Meters{.requests = {traits_.refill_law, quota.requests_per_minute},
                                      .tokens = {traits_.refill_law, quota.tokens_per_minute}})
      .first->second;
}

base::Duration RegionModel::round_trip(bool new_connection) {
  if (!traits_.latency) return {};
  const double p50_ms = std::max(traits_.round_trip_p50_ms, 0.01);
  const double p90_ms = std::max(traits_.round_trip_p90_ms, p50_ms);
  // 1.2816 is the 90th percentile of the standard normal.
  const double one_ms = std::min(lognormal(random_, p50_ms, std::log(p90_ms / p50_ms) / 1.2816), 4 * p90_ms);
  return base::from_ms(new_connection ? 2 * one_ms : one_ms);
}

std::expected<Generation, Refusal> RegionModel::admit(const ModelRequest& request, base::Instant now) {
  const OfferedModel* model = find_model(request.model);
  if (model == nullptr)
    return std::unexpected(Refusal{404, "ResourceNotFoundException",
                                   "Could not resolve the foundation model from the provided model identifier."});
  if (request.output_tokens_max > model->output_tokens_max) {
    const std::string limit = std::to_string(model->output_tokens_max);
    return std::unexpected(Refusal{400, "ValidationException",
                                   "The maximum tokens you requested exceeds the model limit of " + limit +
                                       ". Try again with a maximum tokens value that is lower than " + limit +
                                       "."});
  }
  const std::uint32_t limit =
      request.output_tokens_max != 0 ? request.output_tokens_max : model->output_tokens_default;
  const std::uint64_t held = std::uint64_t{request.input_tokens} + request.cache_write_tokens + limit;
  Meters& meter = meters(request.account, model->id);
  // A request counts when it starts, whatever becomes of it.
  if (!meter.requests.take(1, now))
    return std::unexpected(
        Refusal{429, "ThrottlingException", "Too many requests, please wait before trying again."});
  if (traits_.capacity != 0 && in_progress_ >= traits_.capacity)
    return std::unexpected(
        Refusal{503, "ServiceUnavailableException",
                "Bedrock is unable to process your request: too many connections, please wait before "
                "trying again."});
  if (!meter.tokens.take(held, now))
    return std::unexpected(
        Refusal{429, "ThrottlingException", "Too many tokens, please wait before trying again."});

  Generation generation{.account = std::string(request.account),
                        .model = model->id,
                        .text_key = answer_key(request.prompt, model->id, traits_.seed),
                        .input_tokens = request.input_tokens,
                        .cache_write_tokens = request.cache_write_tokens,
                        .tokens_held = held,
                        .started = now,
                        .random = base::Random{random_.next()}};
  const std::uint32_t asked = answer_length(request.prompt, generation.text_key);
  generation.output_tokens = std::min(asked, limit);
  generation.truncated = asked > limit;
  generation.round_trip = round_trip(request.new_connection);
  if (traits_.latency) {
    const double busy = load();
    const double compute_ms =
        traits_.first_token_ms + traits_.first_token_ms_per_input_token * static_cast<double>(request.input_tokens);
    // The waiting time of a queue near saturation, kept finite: nothing at rest, 20 × the base when full.
    const double queue_ms = traits_.first_token_ms * busy * busy / (1.05 - std::min(busy, 1.0));
    generation.first_token = base::from_ms(lognormal(generation.random, compute_ms, 0.1) + queue_ms);
  }
  ++in_progress_;
  return generation;
}

base::Duration RegionModel::next_gap(Generation& generation) {
  if (!traits_.latency) return {};
  const double busy = load();
  return base::from_ms(lognormal(generation.random, traits_.gap_ms, 0.2) * (1 + busy * busy));
}

void RegionModel::finish(const Generation& generation, std::uint32_t output_tokens, base::Instant now) {
  if (in_progress_ > 0) --in_progress_;
  const OfferedModel* model = find_model(generation.model);
  const std::uint64_t burndown = model != nullptr ? model->output_burndown : 1;
  const std::uint64_t used =
      std::uint64_t{generation.input_tokens} + generation.cache_write_tokens + output_tokens * burndown;
  meters(generation.account, generation.model).tokens.settle(generation.tokens_held, used, generation.started, now);
}

}  // namespace portolan::sim
