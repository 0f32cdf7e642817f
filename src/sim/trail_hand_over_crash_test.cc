// SPDX-License-Identifier: Apache-2.0
// The trail while it is handed from process to process, on a disk that loses power, with processes that are killed:
// what any of them reported durable is found by readers at every moment, and after every crash, once; the trail
// opens.
#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <map>

#include "base/random.h"
#include "sim/crash_disk.h"
#include "sim/test_crash_points.h"
#include "trail/lookup.h"
#include "trail/trail.h"

namespace portolan::sim {
namespace {

constexpr char directory[] = "data/trail";

/// One process's way to a disk that outlives it: nothing gets through once it was killed.
class Process final : public world::Disk {
 public:
  explicit Process(CrashDisk& disk) : disk_(disk) {}
  /// What another process does at the moment of a change.
  std::function<void()> meanwhile = [] {};
  /// What it does now is the last thing that reaches the disk, or the first that does not.
  void kill() { *killed_ = true; }

  base::Result<void> make_directory(const std::string& path) override {
    if (*killed_) return dead();
    return disk_.make_directory(path);
  }
  base::Result<std::unique_ptr<world::File>> open(const std::string& path) override {
    if (*killed_) return dead();
    meanwhile();
    TRY(auto file, disk_.open(path));
    return std::make_unique<OpenFile>(std::move(file), killed_);
  }
  base::Result<std::unique_ptr<world::File>> open_existing(const std::string& path) override {
    if (*killed_) return dead();
    return disk_.open_existing(path);
  }
  base::Result<std::vector<std::string>> list(const std::string& path) override {
    if (*killed_) return dead();
    return disk_.list(path);
  }
  base::Result<void> rename(const std::string& from, const std::string& to) override {
    if (*killed_) return dead();
    return disk_.rename(from, to);
  }
  base::Result<void> remove(const std::string& path) override {
    if (*killed_) return dead();
    return disk_.remove(path);
  }
  base::Result<void> sync_directory(const std::string& path) override {
    if (*killed_) return dead();
    meanwhile();
    return disk_.sync_directory(path);
  }
  base::Result<std::unique_ptr<world::DirectoryLock>> lock(const std::string& path) override {
    return disk_.lock(path);
  }

 private:
  static std::unexpected<base::Error> dead() { return base::fail(base::Code::disk, "the process was killed"); }

  class OpenFile final : public world::File {
   public:
    OpenFile(std::unique_ptr<world::File> file, std::shared_ptr<bool> killed)
        : file_(std::move(file)), killed_(std::move(killed)) {}
    base::Result<void> append(std::string_view bytes) override {
      if (*killed_) return dead();
      return file_->append(bytes);
    }
    base::Result<void> sync() override {
      if (*killed_) return dead();
      return file_->sync();
    }
    base::Result<std::string> read(std::uint64_t offset, std::size_t size) override {
      return file_->read(offset, size);
    }
    base::Result<std::uint64_t> size() override { return file_->size(); }
    base::Result<void> truncate(std::uint64_t size) override {
      if (*killed_) return dead();
      return file_->truncate(size);
    }

   private:
    std::unique_ptr<world::File> file_;
    std::shared_ptr<bool> killed_;
  };

  CrashDisk& disk_;
  std::shared_ptr<bool> killed_ = std::make_shared<bool>(false);
};

/// Gateways that follow one another on one disk, until the power fails; then what the next boot finds.
class Succession {
 public:
  explicit Succession(std::uint64_t seed) : random_(seed), disk_(std::make_unique<CrashDisk>(seed)) {}

  void run() {
    constexpr int boots = 3;
    for (int boot = 0; boot < boots && !testing::Test::HasFailure(); ++boot) {
      disk_->set_faults({.power_loss_at = disk_->operations() + 1 + random_.below(150)});
      rule();
      disk_ = disk_->crash(random_.next());
      check("before it is opened");
      if (testing::Test::HasFailure()) return;
      {
        const auto opened =
            trail::Trail::open({.directory = directory, .writer_thread = false}, *disk_, [](auto) {});
        ASSERT_TRUE(opened) << opened.error().message;
      }
      check("after it was opened");
    }
  }

  int handed_over() const { return handed_over_; }
  int failed() const { return failed_; }
  int killed() const { return killed_; }

 private:
  struct Gateway {
    explicit Gateway(CrashDisk& disk) : process(disk) {}
    Process process;
    std::unique_ptr<trail::Trail> trail;
  };

  /// `predecessor`, if there is one, goes on writing while its successor opens the trail.
  std::unique_ptr<Gateway> open(Gateway* predecessor) {
    auto gateway = std::make_unique<Gateway>(*disk_);
    std::shared_ptr<world::DirectoryLock> lock;
    if (predecessor != nullptr) {
      lock = predecessor->trail->lock();
      gateway->process.meanwhile = [this, predecessor] {
        if (random_.below(3) == 0) write(*predecessor);
      };
    }
    auto opened = trail::Trail::open(
        {.directory = directory, .segment_bytes = 1500, .inherited_lock = std::move(lock), .writer_thread = false},
        gateway->process, [this](std::span<trail::Entry*> group) {
          for (const trail::Entry* entry : group)
            if (!entry->failed) durable_.push_back(entry->json);
        });
    if (!opened) {
      // A trail that is sound is refused by nothing but a disk without power.
      EXPECT_EQ(opened.error().code, base::Code::disk) << opened.error().message;
      EXPECT_FALSE(disk_->has_power()) << opened.error().message;
      return nullptr;
    }
    gateway->process.meanwhile = [] {};
    gateway->trail = *std::move(opened);
    return gateway;
  }

  void write(Gateway& gateway) {
    for (std::uint64_t n = 1 + random_.below(4); n > 0; --n) {
      trail::Entry& entry = entries_.emplace_back();
      entry.json = R"({"requestID":")" + std::to_string(entries_.size()) + R"(","pad":")" +
                   std::string(random_.below(300), 'p') + "\"}";
      ++appended_[entry.json];
      if (!gateway.trail->append(&entry)) return;
    }
    gateway.trail->write_waiting();
    if (gateway.trail->broken()) gateway.trail->mend();
  }

  enum class Part : std::uint8_t { predecessor, successor };

  /// Ends in order, or is killed with records on their way.
  void end(std::unique_ptr<Gateway> gateway, Part part) {
    if (random_.below(2) == 0) {
      ++killed_;
      if (random_.below(2) == 0 && !gateway->trail->broken()) tear(part);
      gateway->process.kill();
    }
    gateway->trail.reset();
  }

  /// What a process leaves that was killed between append and sync: a part of a group.
  void tear(Part part) {
    const auto places = trail::find_segments(*disk_, directory);
    if (!places) return;
    const auto own = part == Part::successor ? std::prev(places->end())
                                             : std::ranges::find(*places, true, &trail::SegmentPlace::marked);
    ASSERT_NE(own, places->end());
    const auto file = disk_->open(std::string(directory) + "/" + trail::segment_name(own->number));
    if (file) (void)(*file)->append(std::string(1 + random_.below(40), '\x01'));
  }

  void rule() {
    std::unique_ptr<Gateway> gateway = open(nullptr);
    while (gateway != nullptr && disk_->has_power() && !testing::Test::HasFailure()) {
      for (std::uint64_t n = random_.below(6); n > 0; --n) write(*gateway);
      if (!gateway->trail->hand_over()) continue;
      std::unique_ptr<Gateway> successor = open(gateway.get());
      if (random_.below(3) == 0 || successor == nullptr) {
        // It fails, perhaps after it has served.
        ++failed_;
        if (successor != nullptr) {
          for (std::uint64_t n = random_.below(6); n > 0; --n) write(*successor);
          end(std::move(successor), Part::successor);
        }
        gateway->trail->take_back();
        continue;
      }
      ++handed_over_;
      for (std::uint64_t n = random_.below(8); n > 0; --n) write(random_.below(2) == 0 ? *gateway : *successor);
      if (disk_->has_power()) check("with two writers");
      end(std::move(gateway), Part::predecessor);
      gateway = std::move(successor);
      if (disk_->has_power()) check("with one left");
    }
    // The power is off: whoever is left cannot write any more.
  }

  void check(const char* when) {
    std::map<std::string, int> found;
    const auto scanned = trail::scan(*disk_, directory, [&](std::string_view json) {
      ++found[std::string(json)];
      return true;
    });
    if (!scanned && !disk_->has_power()) return;
    ASSERT_TRUE(scanned) << when << ": " << scanned.error().message;
    for (const auto& [record, times] : found) {
      ASSERT_EQ(times, 1) << when << ": twice: " << record.substr(0, 40);
      ASSERT_TRUE(appended_.contains(record)) << when << ": never appended: " << record.substr(0, 40);
    }
    for (const std::string& record : durable_)
      ASSERT_TRUE(found.contains(record)) << when << ": reported durable, yet lost: " << record.substr(0, 40);
  }

  base::Random random_;
  std::unique_ptr<CrashDisk> disk_;
  std::deque<trail::Entry> entries_;
  std::map<std::string, int> appended_;
  std::vector<std::string> durable_;
  int handed_over_ = 0;
  int failed_ = 0;
  int killed_ = 0;
};

TEST(TrailUnderHandOver, KeepsEveryDurableRecordAtAThousandCrashPoints) {
  int handed_over = 0;
  int failed = 0;
  int killed = 0;
  for (std::uint64_t seed = 1; seed <= crash_points; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Succession succession(seed);
    succession.run();
    handed_over += succession.handed_over();
    failed += succession.failed();
    killed += succession.killed();
    if (HasFailure()) return;
  }
  EXPECT_GT(handed_over, 1000) << "the power goes too early";
  EXPECT_GT(failed, 300);
  EXPECT_GT(killed, 300);
}

}  // namespace
}  // namespace portolan::sim
