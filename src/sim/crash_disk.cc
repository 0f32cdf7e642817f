// SPDX-License-Identifier: Apache-2.0
#include "sim/crash_disk.h"

#include <algorithm>
#include <array>
#include <utility>

namespace portolan::sim {
namespace {

constexpr std::size_t sector_bytes = 512;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::unexpected<base::Error> refuse(const std::string& path, std::string_view why) {
  return base::fail(base::Code::disk, path + ": " + std::string(why));
}

std::string_view sector_of(const std::string& content, std::size_t sector) {
  const std::size_t from = sector * sector_bytes;
  return from < content.size() ? std::string_view{content}.substr(from, sector_bytes) : std::string_view{};
}

/// Puts `bytes` where `sector` begins; what lies beyond the end of `content` is left out.
void put_sector(std::string& content, std::size_t sector, std::string_view bytes) {
  const std::size_t from = sector * sector_bytes;
  if (from < content.size()) bytes.copy(content.data() + from, content.size() - from);
}

/// A sector of which the first `cut` bytes are of one version and the rest of the other.
std::string torn_sector(std::string_view first, std::string_view rest, std::size_t cut) {
  std::string whole{first.substr(0, cut)};
  whole.resize(cut, '\0');
  if (cut < rest.size()) whole += rest.substr(cut);
  return whole;
}

/// What is on the medium when some of the dirty sectors, or parts of them, got there.
std::string partly_written(const std::string& medium, const std::string& shown, const std::set<std::size_t>& dirty,
                           bool size_dirty, base::Random& random) {
  std::string result = medium;
  if (size_dirty && medium.size() != shown.size()) {
    const auto [low, high] = std::minmax(medium.size(), shown.size());
    const std::array<std::size_t, 3> sizes{medium.size(), shown.size(), low + random.below(high - low + 1)};
    result.resize(sizes[random.below(sizes.size())], '\0');
  }
  // Some losses keep nearly all, some nearly nothing: both find other mistakes than a coin for each sector.
  constexpr std::array<double, 5> shares{0.0, 0.1, 0.5, 0.9, 1.0};
  const double kept = shares[random.below(shares.size())];
  const double torn = random.below(2) == 0 ? 0.0 : 0.3;
  for (const std::size_t sector : dirty) {
    const std::string_view before = sector_of(medium, sector);
    const std::string_view after = sector_of(shown, sector);
    if (random.uniform() < torn) {
      const std::size_t cut = random.below(sector_bytes + 1);
      put_sector(result, sector,
                 random.below(2) == 0 ? torn_sector(after, before, cut) : torn_sector(before, after, cut));
    } else if (random.uniform() < kept) {
      put_sector(result, sector, after);
    }
  }
  return result;
}

}  // namespace

class CrashDisk::OpenFile final : public world::File {
 public:
  OpenFile(CrashDisk& disk, std::string path, InodePtr inode)
      : disk_(disk), path_(std::move(path)), inode_(std::move(inode)) {}

  base::Result<void> append(std::string_view bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    const bool had_power = disk_.powered_;
    auto begun = disk_.begin_operation(path_);
    if (!begun) {
      if (had_power) disk_.write(*inode_, bytes);  // the power went while the kernel had the bytes
      return begun;
    }
    DiskFaults& faults = disk_.faults_;
    if (faults.short_write_at != 0 && disk_.operations_ >= faults.short_write_at) {
      faults.short_write_at = 0;
      disk_.write(*inode_, bytes.substr(0, disk_.random_.below(bytes.size() + 1)));
      return refuse(path_, "cannot append: input/output error (injected)");
    }
    const std::uint64_t used = disk_.bytes_used();
    if (faults.bytes_max != 0 && used + bytes.size() > faults.bytes_max) {
      disk_.write(*inode_, bytes.substr(0, faults.bytes_max - std::min(used, faults.bytes_max)));
      return refuse(path_, "cannot append: no space left on device (injected)");
    }
    disk_.write(*inode_, bytes);
    return {};
  }

  base::Result<void> sync() override {
    std::unique_lock lock(disk_.mutex_);
    disk_.faults_changed_.wait(lock, [&] { return !disk_.faults_.syncs_hang; });
    return disk_.sync(path_, *inode_);
  }

  base::Result<std::string> read(std::uint64_t offset, std::size_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    if (!disk_.powered_) return refuse(path_, "no power");
    return offset < inode_->shown.size() ? inode_->shown.substr(offset, size) : std::string{};
  }

  base::Result<std::uint64_t> size() override {
    const std::lock_guard lock(disk_.mutex_);
    if (!disk_.powered_) return refuse(path_, "no power");
    return inode_->shown.size();
  }

  base::Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    const bool had_power = disk_.powered_;
    auto begun = disk_.begin_operation(path_);
    if (had_power && size != inode_->shown.size()) {
      const std::size_t first = std::min<std::size_t>(size, inode_->shown.size()) / sector_bytes;
      inode_->shown.resize(size, '\0');
      inode_->size_dirty = true;
      inode_->dirty.erase(inode_->dirty.upper_bound(size / sector_bytes), inode_->dirty.end());
      for (std::size_t sector = first; sector * sector_bytes < size; ++sector) inode_->dirty.insert(sector);
    }
    return begun;
  }

 private:
  CrashDisk& disk_;
  std::string path_;
  InodePtr inode_;
};

CrashDisk::CrashDisk(std::uint64_t seed, DiskFaults faults) : random_(seed), faults_(faults) {}
CrashDisk::~CrashDisk() = default;

base::Result<void> CrashDisk::begin_operation(const std::string& path) {
  if (!powered_) return refuse(path, "no power");
  ++operations_;
  if (faults_.power_loss_at != 0 && operations_ >= faults_.power_loss_at) {
    powered_ = false;
    return refuse(path, "the power went (injected)");
  }
  return {};
}

base::Result<CrashDisk::InodePtr> CrashDisk::find(const std::string& path) const {
  if (!powered_) return refuse(path, "no power");
  const auto found = names_.find(path);
  if (found == names_.end()) return refuse(path, "no such file");
  return found->second;
}

void CrashDisk::apply(const NameChange& change, Names& names) {
  for (const auto& [path, inode] : change.names) {
    if (inode)
      names[path] = inode;
    else
      names.erase(path);
  }
}

void CrashDisk::change_names(NameChange change) {
  apply(change, names_);
  changes_.push_back(std::move(change));
}

void CrashDisk::write(Inode& inode, std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t from = inode.shown.size();
  inode.shown += bytes;
  inode.size_dirty = true;
  for (std::size_t sector = from / sector_bytes; sector * sector_bytes < inode.shown.size(); ++sector)
    inode.dirty.insert(sector);
}

base::Result<void> CrashDisk::sync(const std::string& path, Inode& inode) {
  TRY_VOID(begin_operation(path));
  const bool fails = faults_.sync_error_at != 0 && operations_ >= faults_.sync_error_at;
  if (fails) {
    faults_.sync_error_at = 0;
    inode.medium = partly_written(inode.medium, inode.shown, inode.dirty, inode.size_dirty, random_);
  } else {
    if (inode.size_dirty) inode.medium.resize(inode.shown.size(), '\0');
    for (const std::size_t sector : inode.dirty) put_sector(inode.medium, sector, sector_of(inode.shown, sector));
  }
  inode.dirty.clear();
  inode.size_dirty = false;
  if (fails) return refuse(path, "cannot sync: input/output error (injected)");
  return {};
}

std::uint64_t CrashDisk::bytes_used() const {
  std::uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode->shown.size();
  return used;
}

base::Result<void> CrashDisk::make_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!powered_) return refuse(path, "no power");
  directories_.insert(path);
  return {};
}

base::Result<std::unique_ptr<world::File>> CrashDisk::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!powered_) return refuse(path, "no power");
  if (!directories_.contains(directory_of(path))) return refuse(path, "no such directory");
  if (faults_.read_only) return refuse(path, "cannot open: read-only file system (injected)");
  auto found = names_.find(path);
  if (found == names_.end()) {
    auto begun = begin_operation(path);
    change_names({.names = {{path, std::make_shared<Inode>()}}});
    if (!begun) return std::unexpected(std::move(begun).error());
    found = names_.find(path);
  } else {
    // As the real disk: dirty pages are written, clean ones forgotten, so that reading asks the medium.
    Inode& inode = *found->second;
    TRY_VOID(sync(path, inode));
    inode.shown = inode.medium;
  }
  return std::make_unique<OpenFile>(*this, path, found->second);
}

base::Result<std::unique_ptr<world::File>> CrashDisk::open_existing(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TRY(InodePtr inode, find(path));
  return std::make_unique<OpenFile>(*this, path, std::move(inode));
}

base::Result<std::vector<std::string>> CrashDisk::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (!powered_) return refuse(directory, "no power");
  if (!directories_.contains(directory)) return refuse(directory, "no such directory");
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_)
    if (directory_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
  return names;
}

base::Result<void> CrashDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  TRY(InodePtr inode, find(from));
  auto begun = begin_operation(from);
  change_names({.names = {{from, nullptr}, {to, std::move(inode)}}});
  return begun;
}

base::Result<void> CrashDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TRY_VOID(find(path));
  auto begun = begin_operation(path);
  change_names({.names = {{path, nullptr}}});
  return begun;
}

base::Result<void> CrashDisk::sync_directory(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  TRY_VOID(begin_operation(directory));
  std::erase_if(changes_, [&](const NameChange& change) {
    const bool here =
        std::ranges::any_of(change.names, [&](const auto& name) { return directory_of(name.first) == directory; });
    if (here) apply(change, medium_names_);
    return here;
  });
  return {};
}

class CrashDisk::HeldLock final : public world::DirectoryLock {
 public:
  HeldLock(CrashDisk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}
  ~HeldLock() override {
    const std::lock_guard guard(disk_.mutex_);
    disk_.locked_.erase(directory_);
  }

 private:
  CrashDisk& disk_;
  std::string directory_;
};

base::Result<std::unique_ptr<world::DirectoryLock>> CrashDisk::lock(const std::string& directory) {
  const std::lock_guard guard(mutex_);
  if (!powered_) return refuse(directory, "no power");
  if (!locked_.insert(directory).second) return refuse(directory, "locked by another owner");
  return std::make_unique<HeldLock>(*this, directory);
}

std::unique_ptr<CrashDisk> CrashDisk::crash(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  powered_ = false;
  auto next = std::make_unique<CrashDisk>(seed);
  next->directories_ = directories_;
  Names names = medium_names_;
  for (const NameChange& change : changes_)
    if (next->random_.below(2) == 0) apply(change, names);
  for (const auto& [path, inode] : names) {
    auto survivor = std::make_shared<Inode>();
    survivor->medium = partly_written(inode->medium, inode->shown, inode->dirty, inode->size_dirty, next->random_);
    survivor->shown = survivor->medium;
    next->names_[path] = survivor;
  }
  next->medium_names_ = next->names_;
  return next;
}

void CrashDisk::set_faults(DiskFaults faults) {
  const std::lock_guard lock(mutex_);
  faults_ = faults;
  faults_changed_.notify_all();
}

std::uint64_t CrashDisk::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

bool CrashDisk::has_power() const {
  const std::lock_guard lock(mutex_);
  return powered_;
}

std::optional<std::string> CrashDisk::content(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(path);
  if (found == names_.end()) return std::nullopt;
  return found->second->shown;
}

void CrashDisk::put(const std::string& path, std::string content) {
  const std::lock_guard lock(mutex_);
  directories_.insert(directory_of(path));
  auto inode = std::make_shared<Inode>();
  inode->medium = content;
  inode->shown = std::move(content);
  names_[path] = inode;
  medium_names_[path] = inode;
}

}  // namespace portolan::sim
