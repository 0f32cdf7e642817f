// SPDX-License-Identifier: Apache-2.0
#include "cli/process_secrets.h"

#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace portolan::cli {
namespace {

using testing::StartsWith;

class SecretFile : public ::testing::Test {
 protected:
  ~SecretFile() override { ::unlink(path.c_str()); }

  void write(std::string_view text, mode_t mode) {
    ::unlink(path.c_str());
    std::ofstream(path) << text;
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
  }
  std::string read() const {
    const auto secret = ProcessSecrets{}.file(path);
    return secret ? std::string{secret->reveal()} : "failed: " + secret.error().message;
  }

  const std::string path = testing::TempDir() + "secret_file_" + std::to_string(::getpid());
};

TEST_F(SecretFile, IsReadWhenItsOwnerAloneMay) {
  write("hunter2\n", 0600);
  EXPECT_EQ(read(), "hunter2\n");
  write("hunter2", 0400);
  EXPECT_EQ(read(), "hunter2");
}

TEST_F(SecretFile, IsRefusedWhenOthersMayReadOrChangeIt) {
  for (const mode_t mode : {0644u, 0604u, 0620u, 0602u, 0660u, 0610u}) {
    write("hunter2", mode);
    EXPECT_THAT(read(), StartsWith("failed: others than its owner may use it")) << mode;
  }
}

TEST_F(SecretFile, MayBeReadByAGroupOnlyWhenItIsRoots) {
  write("hunter2", 0640);
  if (::getuid() == 0) {
    EXPECT_EQ(read(), "hunter2");
    ASSERT_EQ(::chown(path.c_str(), 65534, 0), 0);
  }
  EXPECT_THAT(read(), StartsWith("failed: others than its owner may use it (mode 0640); chmod 600 it"));
}

TEST_F(SecretFile, IsNotWaitedForWhenItIsNoFile) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read(), "failed: it is not a regular file");
  ::unlink(path.c_str());
  EXPECT_EQ(read(), "failed: No such file or directory");
}

TEST_F(SecretFile, IsNotReadPastTheLongestSecret) {
  write(std::string(100'000, 'x'), 0600);
  EXPECT_GT(read().size(), config::secret_bytes_max) << "so that load() sees that it is too long";
  EXPECT_LT(read().size(), config::secret_bytes_max + 10);
}

TEST(SecretVariable, IsAbsentWhenUnset) {
  ::setenv("SECRET_VARIABLE_TEST", "hunter2", 1);
  EXPECT_EQ(ProcessSecrets{}.environment("SECRET_VARIABLE_TEST"), base::Secret{"hunter2"});
  ::unsetenv("SECRET_VARIABLE_TEST");
  EXPECT_EQ(ProcessSecrets{}.environment("SECRET_VARIABLE_TEST"), std::nullopt);
}

TEST(SecretCommand, GivesWhatTheProgramWrote) {
  EXPECT_EQ(ProcessSecrets{}.command({"/bin/echo", "hunter2"}), base::Secret{"hunter2\n"});
}

}  // namespace
}  // namespace portolan::cli
