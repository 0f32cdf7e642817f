// SPDX-License-Identifier: Apache-2.0
// Where operators ask for keys: created, listed, rotated, revoked over the admin port (`portolan key`).
//
// Owns the key store and a copy of what is in it. A change is first durable in the store, then made to the copy and
// put in force in the gateway (`publish`), then told: to the log, to the store's history, and to whoever asked.
// Secrets appear in one place only, the answer to the request that made them. Uses are noted in memory on the path
// of calls; once a minute, and at the end, they are written down, so a crash forgets at most the last minute.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "control/admin_server.h"
#include "domain/key.h"
#include "store/key_store.h"

namespace portolan::control {

class KeyDesk {
 public:
  /// What it asks of the gateway around it. Called under the desk's lock, on the thread that asked.
  struct Doors {
    std::function<base::WallTime()> now;
    /// Whether such a key may be made: the tenant is configured, the names are well-formed, the profiles exist.
    std::function<base::Result<void>(const domain::IssuedKey&)> admit;
    /// Puts these keys in force, all at once, before it returns.
    std::function<base::Result<void>(std::vector<domain::IssuedKey>)> publish;
    std::function<void(std::string_view)> log;
  };

  /// Reads the store. `publish` is not called: the gateway starts with keys().
  static base::Result<std::unique_ptr<KeyDesk>> open(std::unique_ptr<store::KeyStore> store, Doors doors);
  ~KeyDesk();

  std::vector<domain::IssuedKey> keys() const;

  // The API; bodies and answers are JSON. Any thread. `id` names a key.
  AdminReply list() const;
  AdminReply create(std::string_view body);
  AdminReply rotate(const std::string& id, std::string_view body);
  AdminReply revoke(const std::string& id);
  AdminReply history() const;
  /// GET and POST /api/keys, POST /api/keys/ID/rotate and /revoke, GET /api/keys/history.
  void mount(AdminServer& admin);

  /// As in store::KeyStore.
  base::Result<void> accepts(const store::MasterKeys& master_keys);
  base::Result<void> use(store::MasterKeys master_keys);

  /// While another process reads the store, to take over, keys are not changed here: whoever asks is told to ask
  /// again.
  void hold();
  void go_on();

 private:
  KeyDesk(std::unique_ptr<store::KeyStore> store, Doors doors)
      : store_(std::move(store)), doors_(std::move(doors)) {}
  base::Result<void> read_store();
  base::Result<void> put_in_force(const std::string& told);
  base::Result<domain::IssuedKey> add_new(domain::IssuedKey draft, const domain::IssuedKey* replaces,
                                          base::WallTime until, std::string& api_key);
  domain::IssuedKey* find(const std::string& id);
  void write_uses();
  void write_uses_each_minute();

  mutable std::mutex mutex_;  // guards everything below
  std::unique_ptr<store::KeyStore> store_;
  Doors doors_;
  std::vector<domain::IssuedKey> keys_;
  std::unordered_map<std::string, base::WallTime> written_uses_;
  bool held_ = false;
  bool ending_ = false;
  std::condition_variable wake_;
  std::thread writer_;
};

}  // namespace portolan::control
