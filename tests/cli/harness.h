#pragma once

// Runs leger inside the test against a FakeApi and gives what it printed. No child process, no descriptor of the
// test's.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/io.h"
#include "tests/fakes/fake_api.h"
#include "tests/support.h"

namespace leger::test {

// A descriptor that is closed with the object.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd_ < 0) throw std::runtime_error("a descriptor cannot be made");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

// A file in memory: standard input with its content, or standard output to be read back.
class MemoryFile : public Descriptor {
 public:
  explicit MemoryFile(const std::string& content = "") : Descriptor(memfd_create("leger-test", MFD_CLOEXEC)) {
    if (pwrite(get(), content.data(), content.size(), 0) != static_cast<ssize_t>(content.size())) {
      throw std::runtime_error("a file in memory cannot be written");
    }
  }
  std::string content() const {
    std::string bytes(static_cast<std::size_t>(lseek(get(), 0, SEEK_END)), '\0');
    if (pread(get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("a file in memory cannot be read");
    }
    return bytes;
  }
};

struct Ran {
  int exit = -1;
  std::string out;
  std::string err;
};

class Harness {
 public:
  Harness() {
    io.environment["XDG_RUNTIME_DIR"] = folder.path();
    io.environment["HOME"] = folder.path();
    io.environment["LEGER_TAILSCALED_SOCKET"] = folder / "tailscaled.sock";  // never the real one
    io.patience = {
        .answer_ms = 5000, .poll_ms = 1, .outage_ms = 30, .follow_ms = 60'000, .sign_in_ms = 10'000, .lock_ms = 30};
    std::filesystem::create_directory(folder / "leger");
    api.emplace(folder / "leger/legerd.sock");
  }

  Ran run(const std::vector<std::string>& arguments, const std::string& input = "") {
    const MemoryFile in(input);
    const MemoryFile out;
    const MemoryFile err;
    Io own = io;
    own.in = in.get();
    own.out = out.get();
    own.err = err.get();
    const int exit = leger::run(arguments, own);
    return {exit, out.content(), err.content()};
  }

  std::string write_file(const std::string& name, const std::string& content) const {
    const std::string path = folder / name;
    const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
      throw std::runtime_error("a file cannot be written");
    }
    return path;
  }

  TemporaryFolder folder;
  Io io;
  std::optional<FakeApi> api;
};

// What legerd sends.
inline std::string success(const std::string& data) { return R"({"success":true,"data":)" + data + "}"; }
inline std::string failure(const std::string& error) { return R"({"success":false,"error":)" + error + "}"; }

}  // namespace leger::test
