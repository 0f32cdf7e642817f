// SPDX-License-Identifier: Apache-2.0
#include "world/disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace portolan::world {
namespace {

constexpr mode_t file_mode = 0600;
constexpr mode_t directory_mode = 0700;

std::unexpected<base::Error> failed(std::string_view what, const std::string& path) {
  const int reason = errno;
  const std::string_view repair = reason == EROFS
                                      ? "; the data directory must be on a file system that can be written"
                                  : reason == ENOSPC ? "; make room"
                                                     : "";
  return base::fail(base::Code::disk,
                    fmt::format("{}: cannot {}: {}{}", path, what, std::strerror(reason), repair));
}

template <class Call>
auto repeat_when_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Descriptor open_descriptor(const std::string& path, int flags) {
  return Descriptor{repeat_when_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, file_mode); })};
}

class RealFile final : public File {
 public:
  RealFile(Descriptor descriptor, std::string path) : fd_(std::move(descriptor)), path_(std::move(path)) {}

  base::Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written =
          repeat_when_interrupted([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
      if (written < 0) return failed("append", path_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  // Never repeated after an error: the kernel may have marked the pages clean, and the second call would say yes.
  base::Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return failed("sync", path_);
    return {};
  }

  base::Result<std::string> read(std::uint64_t offset, std::size_t size) override {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = repeat_when_interrupted(
          [&] { return ::pread(fd_.get(), bytes.data() + have, size - have, static_cast<off_t>(offset + have)); });
      if (got < 0) return failed("read", path_);
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }

  base::Result<std::uint64_t> size() override {
    struct stat facts{};
    if (::fstat(fd_.get(), &facts) != 0) return failed("stat", path_);
    return static_cast<std::uint64_t>(facts.st_size);
  }

  base::Result<void> truncate(std::uint64_t size) override {
    if (repeat_when_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0)
      return failed("truncate", path_);
    return {};
  }

  // After a failed sync the kernel may go on showing pages that never reached the medium, and a restarted process
  // would believe them. Dirty pages are written, then the clean ones are dropped, so that reading asks the medium.
  base::Result<void> forget_cached() {
    TRY_VOID(sync());
    ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class RealLock final : public DirectoryLock {
 public:
  explicit RealLock(Descriptor fd) : fd_(std::move(fd)) {}
  int descriptor() const override { return fd_.get(); }

 private:
  Descriptor fd_;
};

std::string lock_path(const std::string& directory) {
  return directory + "/lock";
}

bool take_lock(const Descriptor& fd) {
  return repeat_when_interrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) == 0;
}

class RealDisk final : public Disk {
 public:
  base::Result<void> make_directory(const std::string& path) override {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), directory_mode) == 0) {
        const std::size_t slash = part.find_last_of('/');
        TRY_VOID(sync_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : part.substr(0, slash)));
      } else if (errno != EEXIST) {
        return failed("create the directory", part);
      }
      if (end == std::string::npos) break;
    }
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) return failed("stat", path);
    errno = ENOTDIR;
    if (!S_ISDIR(facts.st_mode)) return failed("create the directory", path);
    return {};
  }

  base::Result<std::unique_ptr<File>> open(const std::string& path) override {
    Descriptor fd = open_descriptor(path, O_RDWR | O_CREAT | O_APPEND);
    if (!fd.valid()) return failed("open", path);
    auto file = std::make_unique<RealFile>(std::move(fd), path);
    TRY_VOID(file->forget_cached());
    return file;
  }

  base::Result<std::unique_ptr<File>> open_existing(const std::string& path) override {
    Descriptor fd = open_descriptor(path, O_RDONLY);
    if (!fd.valid()) return failed("open", path);
    return std::make_unique<RealFile>(std::move(fd), path);
  }

  base::Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* stream = ::opendir(directory.c_str());
    if (stream == nullptr) return failed("list", directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int reason = errno;
    ::closedir(stream);
    errno = reason;
    if (reason != 0) return failed("list", directory);
    std::ranges::sort(names);
    return names;
  }

  base::Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename to " + to, from);
    return {};
  }

  base::Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed("remove", path);
    return {};
  }

  base::Result<void> sync_directory(const std::string& directory) override {
    const Descriptor fd = open_descriptor(directory, O_RDONLY | O_DIRECTORY);
    if (!fd.valid()) return failed("open", directory);
    if (::fsync(fd.get()) != 0) return failed("sync", directory);
    return {};
  }

  base::Result<std::unique_ptr<DirectoryLock>> lock(const std::string& directory) override {
    const std::string path = lock_path(directory);
    Descriptor fd = open_descriptor(path, O_RDWR | O_CREAT);
    if (!fd.valid()) return failed("open", path);
    if (!take_lock(fd)) {
      if (errno == EWOULDBLOCK)
        return base::fail(base::Code::disk,
                          fmt::format("{}: another process has this directory open; stop it or choose "
                                      "another data_dir",
                                      directory));
      return failed("lock", path);
    }
    return std::make_unique<RealLock>(std::move(fd));
  }
};

}  // namespace

std::unique_ptr<DirectoryLock> inherited_lock(const std::string& directory, Descriptor inherited) {
  struct stat given{};
  struct stat wanted{};
  if (::fstat(inherited.get(), &given) != 0 || ::stat(lock_path(directory).c_str(), &wanted) != 0) return nullptr;
  if (given.st_dev != wanted.st_dev || given.st_ino != wanted.st_ino) return nullptr;
  // Says yes at once to a copy of the descriptor that holds it.
  if (!take_lock(inherited)) return nullptr;
  return std::make_unique<RealLock>(std::move(inherited));
}

std::unique_ptr<Disk> real_disk() {
  return std::make_unique<RealDisk>();
}

}  // namespace portolan::world
