// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sstream>

namespace portolan::base {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };

TEST(Secret, CannotBeStreamedOrFormatted) {
  static_assert(Streamable<std::string>);
  static_assert(!Streamable<Secret>);
  static_assert(fmt::is_formattable<std::string>::value);
  static_assert(!fmt::is_formattable<Secret>::value);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  EXPECT_EQ(testing::PrintToString(Secret{"hunter2"}).find("hunter2"), std::string::npos);
}

TEST(Secret, RevealsWhatItWasMadeOf) {
  EXPECT_EQ(Secret{"hunter2"}.reveal(), "hunter2");
  EXPECT_EQ((Secret{std::string_view{"a\0b", 3}}.reveal()), (std::string_view{"a\0b", 3}));
  EXPECT_TRUE(Secret{}.empty());
  EXPECT_EQ(Secret{}.reveal(), "");
}

TEST(Secret, CopiesAreIndependent) {
  Secret one{"one"};
  Secret copy = one;
  one = Secret{"two"};
  EXPECT_EQ(copy.reveal(), "one");
  EXPECT_EQ(one.reveal(), "two");
  copy = one;
  EXPECT_EQ(copy, one);
  EXPECT_NE(copy.reveal().data(), one.reveal().data());
}

TEST(Secret, AMovedSecretIsLeftEmpty) {
  Secret one{"one"};
  const Secret other = std::move(one);
  EXPECT_EQ(other.reveal(), "one");
  EXPECT_TRUE(one.empty());  // NOLINT(bugprone-use-after-move): the promise under test
}

TEST(Secret, EqualityNeedsEveryByte) {
  EXPECT_EQ(Secret{"abc"}, Secret{"abc"});
  EXPECT_NE(Secret{"abc"}, Secret{"abd"});
  EXPECT_NE(Secret{"abc"}, Secret{"ab"});
}

TEST(Secret, WipesTheTextThatItIsTakenFrom) {
  std::string text = "hunter2, and more than fits into a short string";
  const char* buffer = text.data();
  const std::size_t size = text.size();
  const Secret secret = Secret::taken_from(text);
  EXPECT_EQ(secret.reveal(), "hunter2, and more than fits into a short string");
  EXPECT_TRUE(text.empty());
  ASSERT_EQ(text.data(), buffer) << "the buffer is still the string's, so it may be looked at";
  EXPECT_EQ((std::string_view{buffer, size}), std::string(size, '\0'));
}

TEST(Secret, WipesWhatStandsBehindTheEndOfAText) {
  std::string text = "hunter2, and more than fits into a short string";
  const char* buffer = text.data();
  const std::size_t size = text.size();
  text.resize(3);
  wipe(text);
  EXPECT_EQ((std::string_view{buffer, size}).find("hunter2"), std::string_view::npos);
  EXPECT_EQ((std::string_view{buffer + 10, 8}), std::string(8, '\0'));
}

}  // namespace
}  // namespace portolan::base
