// SPDX-License-Identifier: Apache-2.0
#include "config/setting.h"

#include <algorithm>
#include <ranges>
#include <set>

#include "domain/nearest.h"

namespace portolan::config {
namespace {

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& known) {
  return domain::did_you_mean(domain::nearest_name(name, known));
}

std::string_view number_example(Type type) {
  switch (type) {
    case Type::size:
      return "a size such as 512, 32KiB or 25MB";
    case Type::duration:
      return "a duration such as 250ms, 10s or 2m";
    default:
      return "a whole number";
  }
}

std::string format_number(Type type, std::int64_t value) {
  switch (type) {
    case Type::size:
      return format_size(value);
    case Type::duration:
      return base::format_duration(base::Duration{value});
    default:
      return fmt::format("{}", value);
  }
}

std::optional<std::int64_t> parse_number(Type type, std::string_view text) {
  if (type == Type::size) return parse_size(text);
  if (type == Type::whole) return parse_whole(text);
  base::Duration duration{};
  if (!base::parse_duration(text, duration)) return std::nullopt;
  return duration.count();
}

bool is_variable_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, fits);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (const auto& word : std::views::split(text, ' '))
    if (!word.empty()) words.emplace_back(word.begin(), word.end());
  return words;
}

}  // namespace

std::string Mistake::text() const {
  return fmt::format("{}:{}:{}{}{}: {}", file, line, column, path.empty() ? "" : " ", path, what);
}

std::string Setting::range() const {
  if (bounds.max == 0) return {};
  if (bounds.min == bounds.max) return format_number(type, bounds.min);
  return fmt::format("{} to {}", format_number(type, bounds.min), format_number(type, bounds.max));
}

Place Place::at(std::string_view key) const {
  const Node* value = node->find(key);
  return {value ? value : node, path.empty() ? std::string{key} : fmt::format("{}.{}", path, key)};
}

Place Place::at(std::size_t index) const {
  return {index < node->items.size() ? &node->items[index] : node, fmt::format("{}[{}]", path, index)};
}

void Reader::wrong(const Place& place, std::string what) {
  if (is_full()) return;
  if (mistakes_.size() == mistakes_max) what = "more mistakes follow; repair these first";
  mistakes_.push_back({.file = std::string{file_},
                       .line = place.node->line,
                       .column = place.node->column,
                       .path = place.path,
                       .what = std::move(what)});
}

/// The end of a "must be" sentence: what stands there instead, unless that may be a secret.
std::string Reader::but_not(const Node& node, bool confidential) const {
  switch (node.kind) {
    case Node::Kind::null:
      return ", not empty";
    case Node::Kind::sequence:
      return ", not a list";
    case Node::Kind::mapping:
      return ", not a mapping";
    case Node::Kind::scalar:
      break;
  }
  return confidential ? std::string{" (the value is not shown)"} : fmt::format(", not {}", printable(node.text));
}

bool Reader::flag(const Place& place, bool& out) {
  const Node& node = *place.node;
  const bool is_flag = node.kind == Node::Kind::scalar && (node.text == "true" || node.text == "false");
  if (is_flag) {
    out = node.text == "true";
  } else {
    wrong(place, fmt::format("must be true or false{}", but_not(node, false)));
  }
  return is_flag;
}

bool Reader::number(const Place& place, const Setting& setting, std::int64_t& out) {
  const Node& node = *place.node;
  const std::optional<std::int64_t> value =
      node.kind == Node::Kind::scalar ? parse_number(setting.type, node.text) : std::nullopt;
  if (!value) {
    wrong(place,
          fmt::format("must be {}, {}{}", number_example(setting.type), setting.range(), but_not(node, false)));
    return false;
  }
  if (*value < setting.bounds.min || *value > setting.bounds.max) {
    wrong(place, fmt::format("must be {}, not {}", setting.range(), printable(node.text)));
    return false;
  }
  out = *value;
  return true;
}

bool Reader::text(const Place& place, const Format& format, std::string& out) {
  const Node& node = *place.node;
  if (node.kind != Node::Kind::scalar || node.text.empty() || (format.accepts && !format.accepts(node.text))) {
    wrong(place, fmt::format("must be {}{}", format.allowed, but_not(node, format.confidential)));
    return false;
  }
  if (format.names) {
    if (is_full()) return false;
    const std::vector<std::string_view> names = format.names(catalog_);
    if (std::ranges::find(names, node.text) == names.end()) {
      wrong(place,
            fmt::format("unknown {} {}{}", format.type, printable(node.text), did_you_mean(node.text, names)));
      return false;
    }
  }
  out = node.text;
  return true;
}

/// What the reference leads to, or nothing, and why is noted.
std::optional<base::Secret> Reader::resolved(const Place& place, std::string_view reference) {
  const auto found = [&](base::Result<base::Secret> secret, std::string_view verb,
                         std::string_view name) -> std::optional<base::Secret> {
    if (secret) return *std::move(secret);
    wrong(place, fmt::format("cannot {} {}: {}", verb, printable(name), secret.error().message));
    return std::nullopt;
  };
  if (reference.starts_with("env:")) {
    const std::string variable{reference.substr(4)};
    if (!is_variable_name(variable)) {
      wrong(place, "env: must be followed by the name of an environment variable: letters, digits or underscores");
      return std::nullopt;
    }
    std::optional<base::Secret> value = secrets_.environment(variable);
    if (!value)
      wrong(place, fmt::format("environment variable {} is not set; set it for the gateway's process", variable));
    return value;
  }
  if (reference.starts_with("file:")) {
    const std::string path{reference.substr(5)};
    if (!path.empty()) return found(secrets_.file(path), "read", path);
    wrong(place, "file: must be followed by a path");
    return std::nullopt;
  }
  if (reference.starts_with("cmd:")) {
    const std::vector<std::string> words = words_of(reference.substr(4));
    if (!words.empty() && words[0].starts_with('/')) return found(secrets_.command(words), "run", words[0]);
    wrong(
        place,
        "cmd: must be followed by the whole path of a program, then its arguments; no shell reads them, so quotes, "
        "$ and | mean nothing (put those into a script)");
    return std::nullopt;
  }
  if (inline_secrets_) return base::Secret{reference};
  wrong(place,
        "a secret must not stand in this file; keep it elsewhere and write env:NAME, file:PATH or cmd:PROGRAM "
        "(dev: true allows it here, for trials)");
  return std::nullopt;
}

bool Reader::secret(const Place& place, base::Secret& out) {
  std::string reference;
  if (!text(place, secret_text, reference)) return false;
  const std::optional<base::Secret> found = resolved(place, reference);
  if (!found) return false;
  std::string_view secret = found->reveal();
  while (secret.ends_with('\n') || secret.ends_with('\r')) secret.remove_suffix(1);
  if (secret.empty() || secret.size() > secret_bytes_max) {
    wrong(place, fmt::format("the secret must have 1 to {} bytes, and has {}", secret_bytes_max, secret.size()));
    return false;
  }
  if (std::ranges::any_of(secret, [](char c) { return c == '\n' || c == '\r' || c == '\0'; })) {
    wrong(place, "the secret must be one line");
    return false;
  }
  out = base::Secret{secret};
  return true;
}

bool Reader::mapping(const Place& place, const Setting* setting) {
  if (place.node->kind != Node::Kind::mapping) {
    wrong(place, fmt::format("must be a mapping (key: value){}", but_not(*place.node, true)));
    return false;
  }
  return !setting || count(place, *setting, place.node->items.size());
}

bool Reader::list(const Place& place, const Setting& setting) {
  if (place.node->kind != Node::Kind::sequence) {
    wrong(place, fmt::format("must be a list{}", but_not(*place.node, true)));
    return false;
  }
  return count(place, setting, place.node->items.size());
}

bool Reader::labels(const Place& place, const Setting& setting, std::map<std::string, std::string>& out) {
  if (!mapping(place, &setting)) return false;
  const std::vector<Node>& keys = place.node->keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::string name;
    std::string value;
    if (!text({&keys[i], place.path}, *setting.names, name)) continue;
    if (!text({&place.node->items[i], fmt::format("{}.{}", place.path, name)}, *setting.format, value)) continue;
    if (!out.emplace(std::move(name), std::move(value)).second)
      wrong({&keys[i], place.path}, fmt::format("{} stands here twice; keep one", printable(keys[i].text)));
  }
  return true;
}

bool Reader::count(const Place& place, const Setting& setting, std::size_t size) {
  const auto entries = static_cast<std::int64_t>(size);
  if (entries >= setting.bounds.min && entries <= setting.bounds.max) return true;
  wrong(place, fmt::format("must have {} to {} entries, and has {}", setting.bounds.min, setting.bounds.max, size));
  return false;
}

void Reader::keys(const Place& mapping, const std::vector<const Setting*>& known) {
  if (is_full()) return;
  std::vector<std::string_view> names;
  for (const Setting* setting : known) names.push_back(setting->key);
  std::set<std::string_view> seen;
  for (const Node& key : mapping.node->keys) {
    const Place place{&key, mapping.path};
    if (std::ranges::find(names, key.text) == names.end()) {
      std::string hint = did_you_mean(key.text, names);
      if (hint.empty()) hint = fmt::format("; allowed here: {}", fmt::join(names, ", "));
      wrong(place, fmt::format("unknown key {}{}", printable(key.text), hint));
    } else if (!seen.insert(key.text).second) {
      wrong(place, fmt::format("key {} stands here twice; keep one", printable(key.text)));
    }
  }
  for (const Setting* setting : known)
    if (setting->required && !mapping.node->find(setting->key))
      wrong(mapping.at(setting->key), fmt::format("is missing, and required: {}", setting->says));
}

}  // namespace portolan::config
