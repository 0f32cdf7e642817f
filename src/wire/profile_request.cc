// SPDX-License-Identifier: Apache-2.0
#include "wire/profile_request.h"

#include <algorithm>
#include <fmt/format.h>
#include <simdjson.h>

namespace portolan::wire {
namespace {

using base::Code;
using base::Result;
using domain::Operation;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t request_tags_max = 200;

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// ([0-9a-zA-Z][ _-]?)+, and `also` where a letter may be.
bool is_words(std::string_view text, std::string_view also) {
  bool may_separate = false;
  for (const char c : text) {
    const bool is_letter = is_alphanumeric(c) || also.contains(c);
    if (!is_letter && !(may_separate && std::string_view{" _-"}.contains(c))) return false;
    may_separate = is_letter;
  }
  return true;
}

bool is_profile_name(std::string_view text) {
  return is_words(text, "");
}
bool is_description(std::string_view text) {
  return is_words(text, ":.");
}
/// [a-zA-Z0-9](-*[a-zA-Z0-9])*
bool is_token(std::string_view text) {
  return is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; });
}
/// [a-zA-Z0-9\s._:/=+@-]*
bool is_tag_text(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return is_alphanumeric(c) || std::string_view{" \t\n\v\f\r._:/=+@-"}.contains(c); });
}
bool is_any(std::string_view) {
  return true;
}

/// What AWS says of a text member, and what it calls its pattern.
struct TextRule {
  std::size_t bytes_min, bytes_max;
  bool (*accepts)(std::string_view);
  std::string_view pattern;
};
constexpr TextRule name_rule{1, 64, is_profile_name, "([0-9a-zA-Z][ _-]?)+"};
constexpr TextRule description_rule{1, 200, is_description, "([0-9a-zA-Z:.][ _-]?)+"};
constexpr TextRule token_rule{1, 256, is_token, "[a-zA-Z0-9](-*[a-zA-Z0-9])*"};
constexpr TextRule copy_from_rule{1, 2048, is_any, ""};
constexpr TextRule resource_rule{20, 1011, is_any, ""};
constexpr TextRule tag_key_rule{1, 128, is_tag_text, R"([a-zA-Z0-9\s._:/=+@-]*)"};
constexpr TextRule tag_value_rule{0, 256, is_tag_text, R"([a-zA-Z0-9\s._:/=+@-]*)"};

std::unexpected<base::Error> violation(std::string_view member, std::string_view constraint) {
  return base::fail(Code::invalid_field,
                    fmt::format("1 validation error detected: Value at '{}' failed to satisfy constraint: {}",
                                member, constraint));
}

Result<std::string> checked_text(std::string_view text, std::string_view member, const TextRule& rule) {
  if (text.size() < rule.bytes_min)
    return violation(member, fmt::format("Member must have length greater than or equal to {}", rule.bytes_min));
  if (text.size() > rule.bytes_max)
    return violation(member, fmt::format("Member must have length less than or equal to {}", rule.bytes_max));
  if (!rule.accepts(text))
    return violation(member, fmt::format("Member must satisfy regular expression pattern: {}", rule.pattern));
  return std::string{text};
}

/// Null counts as absent; false when there is nothing.
bool find_member(const object& from, std::string_view member, element& found) {
  return from[member].get(found) == simdjson::SUCCESS && !found.is_null();
}

/// `path` is what messages call it.
Result<std::string> read_member(const object& from, std::string_view member, std::string_view path,
                                const TextRule& rule) {
  element found;
  if (!find_member(from, member, found)) return violation(path, "Member must not be null");
  std::string_view text;
  if (found.get(text) != simdjson::SUCCESS) return violation(path, "Member must be a string");
  return checked_text(text, path, rule);
}

Result<std::string> read_member_if_any(const object& from, std::string_view member, const TextRule& rule) {
  element found;
  if (!find_member(from, member, found)) return std::string{};
  return read_member(from, member, member, rule);
}

Result<simdjson::dom::array> read_list(const element& list, std::string_view member) {
  simdjson::dom::array items;
  if (list.get(items) != simdjson::SUCCESS) return violation(member, "Member must be a list");
  if (items.size() > request_tags_max)
    return violation(member, fmt::format("Member must have length less than or equal to {}", request_tags_max));
  return items;
}

Result<domain::Tags> read_tags(const element& list) {
  TRY(const simdjson::dom::array items, read_list(list, "tags"));
  domain::Tags tags;
  std::size_t number = 0;
  for (const element item : items) {
    const std::string place = fmt::format("tags.{}.member", ++number);
    object tag;
    if (item.get(tag) != simdjson::SUCCESS) return violation(place, "Member must be a structure");
    TRY(std::string key, read_member(tag, "key", place + ".key", tag_key_rule));
    TRY(std::string value, read_member(tag, "value", place + ".value", tag_value_rule));
    if (key.starts_with("aws:")) return violation(place + ".key", "Keys that begin with aws: are reserved");
    tags.emplace_back(std::move(key), std::move(value));
  }
  std::ranges::sort(tags, {}, &domain::Tags::value_type::first);
  const auto twice = std::ranges::adjacent_find(tags, {}, &domain::Tags::value_type::first);
  if (twice != tags.end()) return violation("tags", "Each key must be there once, and " + twice->first + " is not");
  if (const std::string_view key = domain::key_in_two_cases(tags); !key.empty())
    return violation("tags", fmt::format("Two keys differ only in their case: {}", key));
  return tags;
}

Result<std::vector<std::string>> read_tag_keys(const element& list) {
  TRY(const simdjson::dom::array items, read_list(list, "tagKeys"));
  std::vector<std::string> keys;
  for (const element item : items) {
    const std::string place = fmt::format("tagKeys.{}.member", keys.size() + 1);
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) return violation(place, "Member must be a string");
    TRY(std::string key, checked_text(text, place, tag_key_rule));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<ProfileRequest> read_create(const object& body) {
  ProfileRequest request;
  TRY(request.name, read_member(body, "inferenceProfileName", "inferenceProfileName", name_rule));
  TRY(request.description, read_member_if_any(body, "description", description_rule));
  TRY(request.client_token, read_member_if_any(body, "clientRequestToken", token_rule));
  element source;
  object model_source;
  if (!find_member(body, "modelSource", source)) return violation("modelSource", "Member must not be null");
  if (source.get(model_source) != simdjson::SUCCESS)
    return violation("modelSource", "Member must be a structure with copyFrom");
  TRY(request.copy_from, read_member(model_source, "copyFrom", "modelSource.copyFrom", copy_from_rule));
  if (element tags; find_member(body, "tags", tags)) {
    TRY(request.tags, read_tags(tags));
  }
  return request;
}

}  // namespace

Result<ProfileRequest> read_profile_request(Operation operation, std::string_view body) {
  if (body.size() > profile_body_bytes_max)
    return base::fail(Code::body_too_large, fmt::format("The body of {} may have {} bytes at most.",
                                                        domain::event_name(operation), profile_body_bytes_max));
  simdjson::dom::parser parser;
  object read;
  if (body.empty() || parser.parse(body.data(), body.size()).get(read) != simdjson::SUCCESS)
    return base::fail(Code::malformed_request, "The body is not a JSON object.");
  if (operation == Operation::create_inference_profile) return read_create(read);
  ProfileRequest request;
  TRY(request.resource_arn, read_member(read, "resourceARN", "resourceARN", resource_rule));
  element list;
  if (operation == Operation::tag_resource) {
    if (!find_member(read, "tags", list)) return violation("tags", "Member must not be null");
    TRY(request.tags, read_tags(list));
  } else if (operation == Operation::untag_resource) {
    if (!find_member(read, "tagKeys", list)) return violation("tagKeys", "Member must not be null");
    TRY(request.tag_keys, read_tag_keys(list));
  }
  return request;
}

}  // namespace portolan::wire
