// SPDX-License-Identifier: Apache-2.0
// The keys that the gateway issued, on disk (DATA_DIR/keys.db), with the history of every change.
//
// SigV4 needs the secret itself, so secret access keys are sealed under the master key; of API keys only the
// SHA-256 is kept. A revoked key keeps its row, for the history, and loses its secret. A change and its event are
// one transaction, durable when the function returns. One thread at a time; whoever owns it (control::KeyDesk) sees
// to that.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "domain/key.h"
#include "store/database.h"
#include "store/master_key.h"

namespace portolan::store {

/// One change of a key. Never holds a secret.
struct KeyEvent {
  base::WallTime at{};
  std::string action;  // create, rotate, revoke, rotate-master
  std::string key_id;  // for rotate-master the new master key's id
  std::string detail;
};

inline constexpr std::size_t keys_max = 100'000;

class KeyStore {
 public:
  /// Opens or makes the file. One that was sealed under `master_keys.previous` stays so until use() is called,
  /// which has to come before any key is added. Code::config_invalid when it was sealed under neither, or by a
  /// newer version; Code::corrupt; Code::disk.
  static base::Result<std::unique_ptr<KeyStore>> open(const std::string& path, MasterKeys master_keys);

  /// Every key, oldest first, opened. Code::corrupt names the key whose secret does not open.
  base::Result<std::vector<domain::IssuedKey>> keys();

  /// Code::usage when the id is taken, or there are keys_max.
  base::Result<void> add(const domain::IssuedKey& key);
  /// `successor` takes the place of `id`, which expires at `until`, or earlier when it would have anyway.
  base::Result<void> replace(const std::string& id, base::WallTime until, const domain::IssuedKey& successor);
  base::Result<void> revoke(const std::string& id, base::WallTime now);
  /// Ids that are unknown are left out.
  base::Result<void> note_uses(const std::vector<std::pair<std::string, base::WallTime>>& uses);

  /// Code::config_invalid unless the key that the store is sealed under is one of these.
  base::Result<void> accepts(const MasterKeys& master_keys);
  /// Seals every secret anew when `master_keys.current` is another than before, all in one transaction. Gives how
  /// many; 0 when there was nothing to do. On an error the store, and the keys it works with, are as before.
  base::Result<std::size_t> use(MasterKeys master_keys, base::WallTime now);
  const std::string& master_key_id() const { return master_keys_.current.id(); }

  /// Newest first.
  base::Result<std::vector<KeyEvent>> history(std::size_t limit);

 private:
  KeyStore(Database database, MasterKeys master_keys)
      : database_(std::move(database)), master_keys_(std::move(master_keys)) {}
  base::Result<std::string> sealed_under();
  base::Result<std::size_t> reseal(const MasterKey& from, const MasterKey& to, base::WallTime now);
  base::Result<void> insert(const domain::IssuedKey& key);
  base::Result<void> note(const KeyEvent& event);

  Database database_;
  MasterKeys master_keys_;
};

}  // namespace portolan::store
