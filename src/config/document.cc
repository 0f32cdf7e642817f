// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <fmt/format.h>
#include <optional>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace portolan::config {
namespace {

/// Thrown out of yaml-cpp's parser, caught in read_document.
struct Refused {
  SyntaxError error;
};

[[noreturn]] void refuse(const YAML::Mark& mark, std::string what) {
  throw Refused{{.line = mark.line + 1, .column = mark.column + 1, .what = std::move(what)}};
}

class TreeBuilder : public YAML::EventHandler {
 public:
  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    attach(make(mark, anchor, Node::Kind::null));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    Node node = make(mark, anchor, Node::Kind::scalar);
    node.text = value;
    attach(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  [[noreturn]] static void refuse_anchor(const YAML::Mark& mark) {
    refuse(mark, "anchors and aliases are not read; write the value out");
  }

  /// yaml-cpp's own tags: none, "?" for a plain scalar, "!" for a quoted one.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags are not read; remove the tag");
  }

  Node make(const YAML::Mark& mark, YAML::anchor_t anchor, Node::Kind kind) {
    if (anchor != 0) refuse_anchor(mark);
    if (++nodes_ > document_nodes_max) refuse(mark, fmt::format("has more than {} values", document_nodes_max));
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    refuse_tag(mark, tag);
    if (open_.size() == document_depth_max)
      refuse(mark, fmt::format("is nested deeper than {}", document_depth_max));
    if (expects_key()) refuse(mark, "a key must be plain text");
    open_.push_back(make(mark, anchor, kind));
  }

  void close() {
    Node node = std::move(open_.back());
    open_.pop_back();
    attach(std::move(node));
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().kind == Node::Kind::mapping &&
           open_.back().keys.size() == open_.back().items.size();
  }

  void attach(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (expects_key()) {
      open_.back().keys.push_back(std::move(node));
    } else {
      if (node.kind == Node::Kind::null && open_.back().kind == Node::Kind::mapping) {
        // yaml-cpp puts a missing value where the next thing begins; its key is what a person looks for.
        node.line = open_.back().keys.back().line;
        node.column = open_.back().keys.back().column;
      }
      open_.back().items.push_back(std::move(node));
    }
  }

  std::vector<Node> open_;  // the sequences and mappings around the next event, outermost first
  std::size_t nodes_ = 0;
  Node root_;
};

/// How many bytes the UTF-8 character at the front of `text` has; 0 when it is none, or a control character other
/// than tab and the line ends.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) {
    const bool is_text = (first >= 0x20 && first != 0x7f) || first == '\t' || first == '\n' || first == '\r';
    return is_text ? 1 : 0;
  }
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return size;
}

std::optional<SyntaxError> find_unreadable(std::string_view text) {
  if (text.size() > document_bytes_max)
    return SyntaxError{.what = fmt::format("is larger than {} bytes", document_bytes_max)};
  SyntaxError at{.what = "this byte is not UTF-8 text; save the file as UTF-8 without control characters"};
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = character_bytes(text.substr(i));
    if (size == 0) return at;
    if (text[i] == '\n') {
      ++at.line;
      at.column = 1;
    } else {
      at.column += static_cast<int>(size);
    }
    i += size;
  }
  return std::nullopt;
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].text == key) return &items[i];
  return nullptr;
}

std::expected<Node, SyntaxError> read_document(std::string_view text) {
  if (auto unreadable = find_unreadable(text)) return std::unexpected(*std::move(unreadable));
  std::istringstream stream{std::string{text}};
  try {
    YAML::Parser parser{stream};
    TreeBuilder tree;
    parser.HandleNextDocument(tree);
    TreeBuilder second;
    if (parser.HandleNextDocument(second)) {
      const Node extra = second.take_root();
      return std::unexpected(SyntaxError{extra.line, extra.column, "a second document begins here; keep one"});
    }
    return tree.take_root();
  } catch (const Refused& refused) {
    return std::unexpected(refused.error);
  } catch (const YAML::Exception& bad) {
    const bool known = !bad.mark.is_null();
    return std::unexpected(SyntaxError{known ? bad.mark.line + 1 : 1, known ? bad.mark.column + 1 : 1,
                                       fmt::format("is not YAML: {}", bad.msg)});
  }
}

}  // namespace portolan::config
