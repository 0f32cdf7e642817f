// SPDX-License-Identifier: Apache-2.0
#include "config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace portolan::config {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// Calls `visit` for every mapping of the schema that lists its properties.
void each_mapping(const json& schema, const std::function<void(const json&)>& visit) {
  if (!schema.is_structured()) return;
  if (schema.is_object() && schema.contains("properties")) visit(schema);
  for (const json& inner : schema) each_mapping(inner, visit);
}

TEST(JsonSchema, AllowsOnlyTheKeysThatItExplains) {
  int mappings = 0;
  each_mapping(json::parse(json_schema()), [&](const json& mapping) {
    ++mappings;
    EXPECT_EQ(mapping.at("additionalProperties"), false);
    for (const auto& [key, property] : mapping.at("properties").items()) {
      EXPECT_FALSE(property.at("description").get<std::string>().empty()) << key;
      EXPECT_TRUE(property.contains("type") || property.contains("anyOf")) << key;
    }
    for (const json& key : mapping.value("required", json::array()))
      EXPECT_TRUE(mapping.at("properties").contains(key.get<std::string>())) << key;
  });
  EXPECT_EQ(mappings, 17);
}

TEST(JsonSchema, CarriesBoundsDefaultsAndNames) {
  const json schema = json::parse(json_schema());
  EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema.at("required"), (json{"source_region", "account", "regions", "tenants"}));
  const json& properties = schema.at("properties");
  EXPECT_EQ(properties.at("listen").at("properties").at("port"),
            json::parse(R"({"type":"integer","minimum":0,"maximum":65535,"default":8080,
                            "description":"Plaintext port, HTTP/1.1 and h2c; 0 takes any free one."})"));
  EXPECT_EQ(properties.at("deadlines").at("properties").at("connect").at("default"), "1s");
  EXPECT_EQ(properties.at("limits").at("properties").at("body_bytes_max").at("default"), "25MB");
  EXPECT_EQ(properties.at("dev").at("default"), false);
  EXPECT_EQ(properties.at("source_region").at("enum").size(), 36u);
  EXPECT_EQ(properties.at("regions").at("propertyNames").at("enum").size(), 36u);
}

TEST(Reference, HasALineForEverySettingAndAHeadingForEveryMapping) {
  const std::string page = reference_markdown();
  EXPECT_THAT(page, HasSubstr("| `connect` | duration | `1s` | 1ms to 1m | Opening a connection to a Region. |\n"));
  EXPECT_THAT(page,
              HasSubstr("| `head_bytes_max` | size | `32KiB` | 1KiB to 1MiB | The largest request head. |\n"));
  EXPECT_THAT(page, HasSubstr("| `source_region` | Region | required | "));
  for (const std::string_view heading :
       {"listen", "listen.tls", "listen.tls.certificates[]", "admin", "limits", "deadlines", "retry", "account",
        "regions.REGION", "profiles[]", "tenants[]", "tenants[].quota", "tenants[].keys[]"})
    EXPECT_THAT(page, HasSubstr("\n## `" + std::string{heading} + "`\n"));
}

TEST(Reference, NamesEverySettingOfTheSchema) {
  const std::string page = reference_markdown();
  each_mapping(json::parse(json_schema()), [&](const json& mapping) {
    for (const auto& [key, property] : mapping.at("properties").items())
      EXPECT_THAT(page, HasSubstr("| `" + key + "` | ")) << property;
  });
}

}  // namespace
}  // namespace portolan::config
