// SPDX-License-Identifier: Apache-2.0
// From text to Config in three steps: the tree (document.h), each setting by itself (settings.h), what must agree
// (checks.h). The second and third run even when the one before found mistakes, so that one pass tells them all.
#include <algorithm>
#include <tuple>

#include "base/sha256.h"
#include "config/checks.h"
#include "config/config.h"
#include "config/document.h"
#include "config/settings.h"

namespace portolan::config {
namespace {

constexpr std::size_t version_hash_digits = 12;

bool is_true(const Node* node) {
  return node && node->kind == Node::Kind::scalar && node->text == "true";
}

}  // namespace

Loaded load(std::string_view text, std::string_view file_name, const Secrets& secrets,
            CertificateFiles* certificates) {
  std::expected<Node, SyntaxError> document = read_document(text);
  if (!document) {
    const SyntaxError& error = document.error();
    return {.mistakes = {
                {.file = std::string{file_name}, .line = error.line, .column = error.column, .what = error.what}}};
  }
  if (document->kind == Node::Kind::null) document->kind = Node::Kind::mapping;  // then what is missing is said

  Draft draft;
  draft.catalog = domain::Catalog::builtin();
  const std::shared_ptr<const domain::Catalog> shipped = draft.catalog;
  const Place root{&*document, ""};
  Reader reader{file_name, *shipped, secrets};
  if (is_true(document->find("dev"))) reader.allow_inline_secrets();
  settings().read(reader, root, draft);
  if (document->kind == Node::Kind::mapping) check_agreement(reader, root, draft, certificates);

  Loaded loaded{.mistakes = reader.take_mistakes()};
  std::ranges::sort(loaded.mistakes, {}, [](const Mistake& mistake) {
    return std::tuple{mistake.line, mistake.column, std::string_view{mistake.path}};
  });
  if (!loaded.mistakes.empty()) return loaded;
  draft.source = file_name;
  draft.version_hash = base::to_hex(base::sha256(text)).substr(0, version_hash_digits);
  loaded.config = static_cast<Config&&>(std::move(draft));
  return loaded;
}

}  // namespace portolan::config
