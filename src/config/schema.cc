// SPDX-License-Identifier: Apache-2.0
#include "config/schema.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/settings.h"

namespace portolan::config {
namespace {

using nlohmann::ordered_json;

ordered_json mapping_schema(const std::vector<Setting>& settings);

ordered_json text_schema(const Format& format) {
  ordered_json schema{{"type", "string"}};
  if (format.names) {
    schema["enum"] = format.names(*domain::Catalog::builtin());
  } else {
    schema["pattern"] = format.pattern;
  }
  return schema;
}

ordered_json number_schema(const Setting& setting) {
  ordered_json whole{{"type", "integer"}, {"minimum", setting.bounds.min}, {"maximum", setting.bounds.max}};
  switch (setting.type) {
    case Type::duration:
      return {{"type", "string"}, {"pattern", "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
    case Type::size:
      return {{"anyOf", {whole, {{"type", "string"}, {"pattern", "^[0-9]+(B|KB|KiB|MB|MiB|GB|GiB)?$"}}}}};
    default:
      return whole;
  }
}

ordered_json list_schema(const Setting& setting, ordered_json items) {
  return {{"type", "array"},
          {"items", std::move(items)},
          {"minItems", setting.bounds.min},
          {"maxItems", setting.bounds.max}};
}

ordered_json default_value(const Setting& setting) {
  if (setting.type == Type::flag) return setting.fallback == "true";
  if (setting.type == Type::whole) return std::stoll(setting.fallback);
  return setting.fallback;
}

ordered_json value_schema(const Setting& setting) {
  switch (setting.type) {
    case Type::flag:
      return {{"type", "boolean"}};
    case Type::whole:
    case Type::size:
    case Type::duration:
      return number_schema(setting);
    case Type::text:
      return text_schema(*setting.format);
    case Type::texts:
      return list_schema(setting, text_schema(*setting.format));
    case Type::labels:
      return {{"type", "object"},
              {"propertyNames", text_schema(*setting.names)},
              {"additionalProperties", text_schema(*setting.format)},
              {"maxProperties", setting.bounds.max}};
    case Type::section:
      return mapping_schema(setting.inside);
    case Type::sections:
      return list_schema(setting, mapping_schema(setting.inside));
    case Type::by_region:
      return {{"type", "object"},
              {"propertyNames", text_schema(region_name)},
              {"additionalProperties", mapping_schema(setting.inside)},
              {"minProperties", setting.bounds.min}};
  }
  return {};
}

ordered_json mapping_schema(const std::vector<Setting>& settings) {
  ordered_json properties = ordered_json::object();
  ordered_json required = ordered_json::array();
  for (const Setting& setting : settings) {
    const std::string key{setting.key};
    properties[key] = value_schema(setting);
    properties[key]["description"] = setting.says;
    if (!setting.fallback.empty()) properties[key]["default"] = default_value(setting);
    if (setting.required) required.push_back(key);
  }
  ordered_json schema{{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

std::string type_name(const Setting& setting) {
  switch (setting.type) {
    case Type::flag:
      return "true or false";
    case Type::whole:
      return "whole number";
    case Type::size:
      return "size";
    case Type::duration:
      return "duration";
    case Type::text:
      return std::string{setting.format->type};
    case Type::texts:
      return fmt::format("list: {}", setting.format->type);
    case Type::labels:
      return fmt::format("mapping: {} to {}", setting.names->type, setting.format->type);
    case Type::section:
      return "mapping";
    case Type::sections:
      return "list of mappings";
    case Type::by_region:
      return "mapping by Region";
  }
  return {};
}

std::string allowed(const Setting& setting) {
  switch (setting.type) {
    case Type::whole:
    case Type::size:
    case Type::duration:
      return setting.range();
    case Type::text:
      return std::string{setting.format->allowed};
    case Type::texts:
      return fmt::format("{}; {} entries", setting.format->allowed, setting.range());
    case Type::labels:
    case Type::sections:
    case Type::by_region:
      return fmt::format("{} entries", setting.range());
    default:
      return {};
  }
}

/// The path that heads the settings of a mapping: `tenants[]`, `regions.REGION`.
std::string inner_path(const std::string& path, const Setting& setting) {
  std::string own = path.empty() ? std::string{setting.key} : fmt::format("{}.{}", path, setting.key);
  if (setting.type == Type::sections) return own + "[]";
  if (setting.type == Type::by_region) return own + ".REGION";
  return own;
}

void write_section(const std::string& path, const std::vector<Setting>& settings, std::string& page) {
  page += "\n| setting | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
  for (const Setting& setting : settings) {
    const std::string fallback = setting.required           ? "required"
                                 : setting.fallback.empty() ? ""
                                                            : fmt::format("`{}`", setting.fallback);
    page += fmt::format("| `{}` | {} | {} | {} | {} |\n", setting.key, type_name(setting), fallback,
                        allowed(setting), setting.says);
  }
  for (const Setting& setting : settings) {
    if (setting.inside.empty()) continue;
    const std::string inner = inner_path(path, setting);
    page += fmt::format("\n## `{}`\n\n{}\n", inner, setting.says);
    write_section(inner, setting.inside, page);
  }
}

}  // namespace

std::string json_schema_of(std::string_view title, const std::vector<Setting>& settings) {
  ordered_json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
  schema.update(mapping_schema(settings));
  return schema.dump(2) + "\n";
}

std::string json_schema() {
  return json_schema_of("Portolan configuration", settings().settings());
}

std::string reference_markdown_of(std::string_view title, std::string_view intro,
                                  const std::vector<Setting>& settings) {
  std::string page =
      fmt::format("# {}\n\nGenerated from the definitions that read the file; do not edit.\n\n{}\n", title, intro);
  write_section("", settings, page);
  return page;
}

std::string reference_markdown() {
  return reference_markdown_of(
      "Configuration reference",
      "One YAML file. Durations are written 250ms, 10s, 2m or 1h; sizes 512, 32KiB or 25MB. Secrets are "
      "references: "
      "env:NAME, file:PATH or cmd:PROGRAM ARGUMENT… (operate/keys.md). Anchors, aliases and tags are not read. "
      "`portolan check -c FILE` names every mistake "
      "with its line and column.",
      settings().settings());
}

}  // namespace portolan::config
