// SPDX-License-Identifier: Apache-2.0
// What a setting is: a key with its type, unit, bounds, default and one sentence, bound to the member that it
// fills.
//
// A Section<T> lists the settings of one mapping and the T that it becomes. From the same list come the reader
// (here), the JSON Schema and the reference page (schema.h, through settings()). The defaults are those of a fresh
// T, so a default too is said once, in config.h.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/document.h"
#include "config/format.h"

namespace portolan::config {

enum class Type : std::uint8_t {
  flag,
  whole,     // a number without a unit
  size,      // bytes
  duration,  // bounds in nanoseconds
  text,
  texts,      // a list of text
  labels,     // a mapping from names to text
  section,    // a mapping with the settings of `inside`
  sections,   // a list of such mappings
  by_region,  // a mapping from Region names to such mappings
};

struct Bounds {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

/// One setting without its C++ type.
struct Setting {
  std::string_view key;
  Type type = Type::text;
  std::string_view says;
  std::string fallback;  // the default as one would write it; empty: none
  bool required = false;
  Bounds bounds;                   // of numbers; of lists and by_region: how many
  const Format* format = nullptr;  // of text, texts, and the values of labels
  const Format* names = nullptr;   // of labels: the keys
  std::vector<Setting> inside;

  /// "from 1ms to 1m", "1 to 65535"; empty for what has no bounds.
  std::string range() const;
};

/// A value in the file and the way to it.
struct Place {
  const Node* node;
  std::string path;

  /// The value under `key`; the same node, one step on, when there is none: a mistake then points to the mapping.
  Place at(std::string_view key) const;
  Place at(std::size_t index) const;
};

inline constexpr std::size_t mistakes_max = 200;

/// Reads values and collects what is wrong with them. A read that fails has noted a mistake and left `out` alone.
class Reader {
 public:
  Reader(std::string_view file, const domain::Catalog& catalog, const Secrets& secrets)
      : file_(file), catalog_(catalog), secrets_(secrets) {}

  const domain::Catalog& catalog() const { return catalog_; }
  /// Secrets may stand in the file itself (`dev: true`). Set before anything else is read.
  void allow_inline_secrets() { inline_secrets_ = true; }

  void wrong(const Place& place, std::string what);
  std::vector<Mistake> take_mistakes() { return std::move(mistakes_); }
  /// Further mistakes are not kept, so the work of finding them and a name near them can be saved.
  bool is_full() const { return mistakes_.size() > mistakes_max; }

  bool flag(const Place& place, bool& out);
  /// whole, size and duration, within the setting's bounds.
  bool number(const Place& place, const Setting& setting, std::int64_t& out);
  bool text(const Place& place, const Format& format, std::string& out);
  /// Resolves a reference.
  bool secret(const Place& place, base::Secret& out);
  /// False unless the node is a mapping, or a list of as many entries as the setting allows.
  bool mapping(const Place& place, const Setting* setting = nullptr);
  bool list(const Place& place, const Setting& setting);
  bool labels(const Place& place, const Setting& setting, std::map<std::string, std::string>& out);
  /// Unknown and repeated keys, and required ones that are missing.
  void keys(const Place& mapping, const std::vector<const Setting*>& known);

 private:
  std::string but_not(const Node& node, bool confidential) const;
  bool count(const Place& place, const Setting& setting, std::size_t size);
  std::optional<base::Secret> resolved(const Place& place, std::string_view reference);

  std::string_view file_;
  const domain::Catalog& catalog_;
  const Secrets& secrets_;
  bool inline_secrets_ = false;
  std::vector<Mistake> mistakes_;
};

/// The settings of a mapping that becomes a T. Members may belong to a base of T.
template <class T>
class Section {
 public:
  using Read = std::function<void(Reader&, const Place&, const Setting&, T&)>;

  void flag(std::string_view key, bool T::* member, std::string_view says) {
    add({.key = key, .type = Type::flag, .says = says, .fallback = fresh().*member ? "true" : "false"},
        [member](Reader& reader, const Place& place, const Setting&, T& out) { reader.flag(place, out.*member); });
  }

  template <class N, class Base>
  void whole(std::string_view key, N Base::* member, Bounds bounds, std::string_view says) {
    number({.key = key,
            .type = Type::whole,
            .says = says,
            .fallback = fmt::format("{}", fresh().*member),
            .bounds = bounds},
           member);
  }

  template <class N, class Base>
  void size(std::string_view key, N Base::* member, Bounds bounds, std::string_view says) {
    number(
        {.key = key, .type = Type::size, .says = says, .fallback = format_size(fresh().*member), .bounds = bounds},
        member);
  }

  void duration(std::string_view key, base::Duration T::* member, base::Duration min, base::Duration max,
                std::string_view says) {
    add({.key = key,
         .type = Type::duration,
         .says = says,
         .fallback = base::format_duration(fresh().*member),
         .bounds = {min.count(), max.count()}},
        [member](Reader& reader, const Place& place, const Setting& setting, T& out) {
          std::int64_t value = 0;
          if (reader.number(place, setting, value)) out.*member = base::Duration{value};
        });
  }

  void text(std::string_view key, std::string T::* member, const Format& format, std::string_view says) {
    add({.key = key, .type = Type::text, .says = says, .fallback = fresh().*member, .format = &format},
        [member](Reader& reader, const Place& place, const Setting& setting, T& out) {
          reader.text(place, *setting.format, out.*member);
        });
  }

  void secret(std::string_view key, base::Secret T::* member, std::string_view says) {
    add({.key = key, .type = Type::text, .says = says, .format = &secret_text},
        [member](Reader& reader, const Place& place, const Setting&, T& out) {
          reader.secret(place, out.*member);
        });
  }

  void region(std::string_view key, domain::RegionIndex T::* member, std::string_view says) {
    custom({.key = key, .type = Type::text, .says = says, .format = &region_name},
           [member](Reader& reader, const Place& place, const Setting& setting, T& out) {
             std::string name;
             if (reader.text(place, *setting.format, name)) out.*member = reader.catalog().find_region(name);
           });
  }

  /// `count`: how many entries.
  void texts(std::string_view key, std::vector<std::string> T::* member, const Format& format, Bounds count,
             std::string_view says) {
    add({.key = key, .type = Type::texts, .says = says, .bounds = count, .format = &format},
        [member](Reader& reader, const Place& place, const Setting& setting, T& out) {
          if (!reader.list(place, setting)) return;
          for (std::size_t i = 0; i < place.node->items.size(); ++i)
            reader.text(place.at(i), *setting.format, (out.*member).emplace_back());
        });
  }

  /// `count`: how many names.
  void labels(std::string_view key, std::map<std::string, std::string> T::* member, const Format& names,
              const Format& values, Bounds count, std::string_view says) {
    add({.key = key, .type = Type::labels, .says = says, .bounds = count, .format = &values, .names = &names},
        [member](Reader& reader, const Place& place, const Setting& setting, T& out) {
          reader.labels(place, setting, out.*member);
        });
  }

  /// A mapping that becomes a member, plain or optional.
  template <class M, class Base, class Inner>
  void section(std::string_view key, M Base::* member, Section<Inner> inner, std::string_view says) {
    add({.key = key, .type = Type::section, .says = says, .inside = inner.settings()},
        [member, inner](Reader& reader, const Place& place, const Setting&, T& out) {
          if constexpr (std::is_same_v<M, Inner>) {
            inner.read(reader, place, out.*member);
          } else {
            inner.read(reader, place, (out.*member).emplace());
          }
        });
  }

  /// A mapping whose settings are members of T itself.
  void group(std::string_view key, Section<T> inner, std::string_view says) {
    add({.key = key, .type = Type::section, .says = says, .inside = inner.settings()},
        [inner](Reader& reader, const Place& place, const Setting&, T& out) { inner.read(reader, place, out); });
  }

  /// A list of mappings. Every entry of the file has its element, readable or not, so that indices agree.
  template <class Inner, class Base>
  void sections(std::string_view key, std::vector<Inner> Base::* member, Section<Inner> inner, Bounds count,
                std::string_view says) {
    add({.key = key, .type = Type::sections, .says = says, .bounds = count, .inside = inner.settings()},
        [member, inner](Reader& reader, const Place& place, const Setting& setting, T& out) {
          if (!reader.list(place, setting)) return;
          for (std::size_t i = 0; i < place.node->items.size(); ++i)
            inner.read(reader, place.at(i), (out.*member).emplace_back());
        });
  }

  void custom(Setting setting, Read read) { add(std::move(setting), std::move(read)); }

  /// Makes the setting added last required.
  void required() {
    fields_.back().setting.required = true;
    fields_.back().setting.fallback.clear();
  }

  void read(Reader& reader, const Place& place, T& out) const {
    if (!reader.mapping(place)) return;
    std::vector<const Setting*> known;
    for (const Field& field : fields_) known.push_back(&field.setting);
    reader.keys(place, known);
    for (const Field& field : fields_)
      if (place.node->find(field.setting.key)) field.read(reader, place.at(field.setting.key), field.setting, out);
  }

  std::vector<Setting> settings() const {
    std::vector<Setting> all;
    for (const Field& field : fields_) all.push_back(field.setting);
    return all;
  }

 private:
  struct Field {
    Setting setting;
    Read read;
  };

  static const T& fresh() {
    static const T value{};
    return value;
  }

  void add(Setting setting, Read read) { fields_.push_back({std::move(setting), std::move(read)}); }

  template <class N, class Base>
  void number(Setting setting, N Base::* member) {
    add(std::move(setting), [member](Reader& reader, const Place& place, const Setting& self, T& out) {
      std::int64_t value = 0;
      if (reader.number(place, self, value)) out.*member = static_cast<N>(value);
    });
  }

  std::vector<Field> fields_;
};

}  // namespace portolan::config
