#pragma once

// The folders of the apps: staging beside the Quadlet folder, and the switch between them as one rename. Blocking, for
// the pool. Faults are injected through FileSystem.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/error.h"

namespace leger {

// The file system calls of the switch: a seam, so that tests can make each of them fail.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual int make_folder(const std::string& path) = 0;                    // 0 or errno
  virtual int exchange(const std::string& a, const std::string& b) = 0;    // renameat2(RENAME_EXCHANGE)
  virtual int rename(const std::string& from, const std::string& to) = 0;  // fails where `to` exists
  virtual int remove_tree(const std::string& path) = 0;                    // an absent one is no failure
  virtual int sync_folder(const std::string& path) = 0;
};

class PosixFileSystem final : public FileSystem {
 public:
  int make_folder(const std::string& path) override;
  int exchange(const std::string& a, const std::string& b) override;
  int rename(const std::string& from, const std::string& to) override;
  int remove_tree(const std::string& path) override;
  int sync_folder(const std::string& path) override;
};

class Installer {
 public:
  // `quadlet_dir` is ~/.config/containers/systemd or what the configuration says; staging is beside it.
  Installer(FileSystem& files, std::string quadlet_dir);

  const std::string& quadlet_dir() const { return quadlet_dir_; }
  // <quadlet_dir>/../leger-staging/<id>
  std::string staging_path(const std::string& id) const;
  // <quadlet_dir>/<name>
  std::string live_path(const std::string& name) const;
  // Whether an app is there; an empty folder, as an interrupted switch may leave one, is none.
  bool is_live(const std::string& name) const;

  // Whether the file system can do what switch_in does, tried on folders of no account below staging folder `id`, which
  // is as it was afterwards. `unavailable`, as below, where it cannot.
  Result<void> check_exchange(const std::string& id);

  // Makes quadlet_dir and the staging folder (0700) where they are not there.
  Result<void> prepare();
  // A number that tells one folder from another for ever: its inode; 0 where there is none.
  static std::uint64_t identity(const std::string& path);

  // The four changes below are durable when they return. Where one fails, the folders are as they were before, or,
  // where going back fails too, as after the change: always wholly one or the other, and identity() tells which. `id`
  // is one plain path segment, `name` a deployment name; anything else is internal_error. A file system that cannot
  // exchange folders is `unavailable`, and the action says what to do.

  // Puts staging folder `id` in the place of app `name`; afterwards the staging folder holds what was live, an empty
  // folder where nothing was.
  Result<void> switch_in(const std::string& id, const std::string& name);
  // The same exchange backwards; an empty folder that would become live is removed instead.
  Result<void> switch_back(const std::string& id, const std::string& name);
  // Takes the live folder of `name` away into staging folder `id`, which must not exist.
  Result<void> take_away(const std::string& id, const std::string& name);
  // The reverse of take_away.
  Result<void> put_back(const std::string& id, const std::string& name);
  Result<void> remove_staging(const std::string& id);
  // Names of all folders in staging, in order; none where there is no staging folder.
  Result<std::vector<std::string>> staged_ids() const;

 private:
  Result<void> check_names(const std::string& id, const std::string& name) const;
  Result<void> exchange(const std::string& id, const std::string& name);
  Result<void> move(const std::string& from, const std::string& to);
  Result<void> sync_both();

  FileSystem& files_;
  std::string quadlet_dir_;
  std::string staging_dir_;
};

}  // namespace leger
