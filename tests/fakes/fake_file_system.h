#pragma once

// The installer's file system with faults: the N-th call of all, or every call of one name from its N-th on, fails with
// an errno and does nothing; all others are real.

#include <map>
#include <string>
#include <vector>

#include "quadlets/installer.h"

namespace leger::test {

class FakeFileSystem final : public FileSystem {
 public:
  // The `nth` call of all, counted from 1, fails; 0 is none.
  void fail_nth(unsigned nth, int errno_value) {
    failing_call_ = nth;
    errno_ = errno_value;
  }
  // Calls of `name` (`make_folder`, `exchange`, `rename`, `remove_tree`, `sync_folder`) fail from the `nth` on, from 1.
  void fail_named(const std::string& name, int errno_value, unsigned nth = 1) {
    failing_names_[name] = {errno_value, nth};
  }
  // No faults, and no calls counted.
  void reset() { *this = FakeFileSystem(); }

  const std::vector<std::string>& calls() const { return calls_; }

  int make_folder(const std::string& path) override {
    const int fault = enter("make_folder");
    return fault != 0 ? fault : real_.make_folder(path);
  }
  int exchange(const std::string& a, const std::string& b) override {
    const int fault = enter("exchange");
    return fault != 0 ? fault : real_.exchange(a, b);
  }
  int rename(const std::string& from, const std::string& to) override {
    const int fault = enter("rename");
    return fault != 0 ? fault : real_.rename(from, to);
  }
  int remove_tree(const std::string& path) override {
    const int fault = enter("remove_tree");
    return fault != 0 ? fault : real_.remove_tree(path);
  }
  int sync_folder(const std::string& path) override {
    const int fault = enter("sync_folder");
    return fault != 0 ? fault : real_.sync_folder(path);
  }

 private:
  struct Fault {
    int errno_value = 0;
    unsigned nth = 1;
  };

  // Counts the call; the errno that it fails with, or 0.
  int enter(const std::string& name) {
    calls_.push_back(name);
    if (calls_.size() == failing_call_) return errno_;
    const auto fault = failing_names_.find(name);
    const unsigned count = ++counts_[name];
    return fault != failing_names_.end() && count >= fault->second.nth ? fault->second.errno_value : 0;
  }

  PosixFileSystem real_;
  unsigned failing_call_ = 0;
  int errno_ = 0;
  std::map<std::string, Fault> failing_names_;
  std::map<std::string, unsigned> counts_;
  std::vector<std::string> calls_;
};

}  // namespace leger::test
