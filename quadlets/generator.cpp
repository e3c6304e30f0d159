#include "quadlets/generator.h"

#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "quadlets/unit_file.h"

namespace leger {
namespace {

constexpr std::size_t kMostBytes = 8 << 20;
constexpr std::array<const char*, 2> kUsualPlaces = {"/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet"};
constexpr std::array<const char*, 3> kPassedOn = {"PATH", "HOME", "XDG_RUNTIME_DIR"};

enum class Ending { exited, too_large, timed_out };

struct Finished {
  Ending ending = Ending::exited;
  std::int64_t exit_status = 0;
  int signal = 0;
  std::string output;
  std::string diagnostics;
};

// One run of the program. It owns itself and is gone after the last close callback of its handles, which after cut() is
// later than the moment at which the waiter has its answer. Before the answer it is there for certain.
class Run {
 public:
  explicit Run(OneShot<Finished> done) : done_(std::move(done)) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // 0, or libuv's error; then the run ends by itself and gives no answer of use.
  int start(uv_loop_t* loop, const std::string& program, std::vector<std::string> environment) {
    std::array<std::string, 3> arguments = {program, "-dryrun", "-user"};
    std::array<char*, 4> argv = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
    std::vector<char*> env;
    env.reserve(environment.size() + 1);
    for (std::string& variable : environment) env.push_back(variable.data());
    env.push_back(nullptr);
    std::array<uv_stdio_container_t, 3> stdio{};
    stdio[0].flags = UV_IGNORE;
    open_pipe(loop, output_, stdio[1]);
    open_pipe(loop, diagnostics_, stdio[2]);
    uv_process_options_t options{};
    options.file = argv[0];
    options.args = argv.data();
    options.env = env.data();
    options.cwd = "/";
    options.stdio = stdio.data();
    options.stdio_count = static_cast<int>(stdio.size());
    options.exit_cb = on_exit;
    process_.data = this;
    ++open_handles_;
    const int problem = uv_spawn(loop, &process_, &options);
    if (problem != 0) {
      // libuv wants the handle closed even where there is no process.
      uv_close(reinterpret_cast<uv_handle_t*>(&process_), on_closed);
      close_pipes();
      return problem;
    }
    running_ = true;
    uv_read_start(reinterpret_cast<uv_stream_t*>(&output_.handle), on_wanted, on_read);
    uv_read_start(reinterpret_cast<uv_stream_t*>(&diagnostics_.handle), on_wanted, on_read);
    return 0;
  }

  // Kills the program and answers at once: what it would still say is of no interest.
  void cut(Ending why) {
    if (running_) uv_process_kill(&process_, SIGKILL);
    close_pipes();
    finished_.ending = why;
    done_.set(std::move(finished_));
  }

 private:
  struct Pipe {
    uv_pipe_t handle{};
    std::string* bytes = nullptr;
  };

  void open_pipe(uv_loop_t* loop, Pipe& pipe, uv_stdio_container_t& stdio) {
    uv_pipe_init(loop, &pipe.handle, 0);
    ++open_handles_;
    pipe.handle.data = this;
    pipe.bytes = &pipe == &output_ ? &finished_.output : &finished_.diagnostics;
    stdio.flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
    stdio.data.stream = reinterpret_cast<uv_stream_t*>(&pipe.handle);
  }

  void close_pipes() {
    for (uv_pipe_t* pipe : {&output_.handle, &diagnostics_.handle}) {
      auto* handle = reinterpret_cast<uv_handle_t*>(pipe);
      if (uv_is_closing(handle) == 0) uv_close(handle, on_closed);
    }
  }

  static void on_wanted(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto& run = *static_cast<Run*>(handle->data);
    *buffer = uv_buf_init(run.block_.data(), static_cast<unsigned>(run.block_.size()));
  }

  static void on_read(uv_stream_t* stream, ssize_t length, const uv_buf_t* buffer) {
    auto& run = *static_cast<Run*>(stream->data);
    if (length < 0) {
      uv_close(reinterpret_cast<uv_handle_t*>(stream), on_closed);
      return;
    }
    const bool is_output = stream == reinterpret_cast<uv_stream_t*>(&run.output_.handle);
    (is_output ? run.output_ : run.diagnostics_).bytes->append(buffer->base, static_cast<std::size_t>(length));
    if (run.finished_.output.size() + run.finished_.diagnostics.size() > kMostBytes) run.cut(Ending::too_large);
  }

  static void on_exit(uv_process_t* process, std::int64_t exit_status, int signal) {
    auto& run = *static_cast<Run*>(process->data);
    run.running_ = false;
    run.finished_.exit_status = exit_status;
    run.finished_.signal = signal;
    uv_close(reinterpret_cast<uv_handle_t*>(process), on_closed);
  }

  static void on_closed(uv_handle_t* handle) {
    auto* run = static_cast<Run*>(handle->data);
    if (--run->open_handles_ > 0) return;
    if (!run->done_.is_set()) run->done_.set(std::move(run->finished_));
    delete run;
  }

  OneShot<Finished> done_;
  Finished finished_;
  uv_process_t process_{};
  Pipe output_;
  Pipe diagnostics_;
  std::array<char, 64 << 10> block_{};
  int open_handles_ = 0;
  bool running_ = false;
};

Result<std::string> find_program(const std::string& program) {
  if (!program.empty() && ::access(program.c_str(), X_OK) == 0) return program;
  if (program.empty()) {
    for (const char* place : kUsualPlaces) {
      if (::access(place, X_OK) == 0) return std::string(place);
    }
  }
  const std::string where = program.empty() ? "in /usr/libexec/podman and /usr/lib/podman" : "at " + program;
  return Fail({Code::unavailable,
               "Podman's Quadlet generator is not there (looked " + where + ").",
               "Install Podman 4.4 or later, on Debian 13: apt-get install podman",
               {}});
}

Result<std::vector<std::string>> environment_for(const std::vector<std::string>& folders) {
  std::string list;
  for (const std::string& folder : folders) {
    if (!folder.starts_with('/') || folder.find(':') != std::string::npos) {
      return Fail({Code::unavailable,
                   "The folder \"" + escape_controls(folder) + "\" cannot be handed to Quadlet.",
                   "Choose an absolute folder without a colon in its name as quadlet_dir.",
                   {}});
    }
    if (!list.empty()) list += ':';
    list += folder;
  }
  std::vector<std::string> environment = {"QUADLET_UNIT_DIRS=" + list};
  for (const char* name : kPassedOn) {
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  }
  return environment;
}

Fail failed(const std::string& program, const std::string& why) {
  return Fail({Code::upstream_failed,
               "Podman's Quadlet generator " + program + " " + why + ".",
               "Run it by hand to see what it says: " + program + " -dryrun -user",
               {}});
}

std::string_view last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t line = text.rfind('\n');
  return line == std::string_view::npos ? text : text.substr(line + 1);
}

// Exit 1 only says that some unit is bad; the others are printed, and the diagnostics name the bad ones.
Result<DryRun> read_dry_run(const std::string& program, const Finished& finished, std::uint64_t timeout_ms) {
  if (finished.ending == Ending::timed_out) {
    return failed(program, "took longer than " + std::to_string(timeout_ms) + " ms");
  }
  if (finished.ending == Ending::too_large) {
    return failed(program, "wrote more than " + std::to_string(kMostBytes) + " bytes");
  }
  if (finished.signal != 0) return failed(program, "was ended by signal " + std::to_string(finished.signal));
  DryRun result = parse_dry_run(finished.output, finished.diagnostics);
  const bool explained = finished.exit_status == 0 || (finished.exit_status == 1 && !result.problems.empty());
  if (!explained) {
    const std::string said = escape_controls(last_line(finished.diagnostics).substr(0, 300));
    return failed(program,
                  "ended with status " + std::to_string(finished.exit_status) + (said.empty() ? "" : ": " + said));
  }
  return result;
}

// Letters, digits and `:_.\@-`, with an ending: what no `key=value` line of a unit can be.
bool is_unit_name(std::string_view name) {
  const auto allowed = [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || std::string_view(":_.\\@-").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.find('.') != std::string_view::npos && std::ranges::all_of(name, allowed);
}

// The unit's name in a line `---hello.service---`.
std::optional<std::string_view> block_name(std::string_view line) {
  if (line.size() <= 6 || !line.starts_with("---") || !line.ends_with("---")) return std::nullopt;
  const std::string_view name = line.substr(3, line.size() - 6);
  return is_unit_name(name) ? std::optional(name) : std::nullopt;
}

std::string source_path(std::string_view text) {
  std::string path;
  for (const UnitEntry& entry : parse_unit_file(text)) {
    // A unit may bring a SourcePath of its own; the generator writes its behind it, and the last one counts.
    if (entry.section == "Unit" && entry.key == "SourcePath") path = entry.value;
  }
  return path;
}

// A diagnostics line without `quadlet-generator[PID]: `, which only the first line of a message has.
std::string_view without_prefix(std::string_view line) {
  if (!line.starts_with("quadlet-generator[")) return line;
  const std::size_t end = line.find("]: ");
  return end == std::string_view::npos ? line : line.substr(end + 3);
}

}  // namespace

DryRun parse_dry_run(std::string_view output, std::string_view diagnostics) {
  DryRun result;
  bool after_blank = true;
  for (const std::string_view line : split(output, '\n')) {
    // The generator writes an empty line before each block.
    const auto name = after_blank ? block_name(line) : std::nullopt;
    after_blank = line.empty();
    if (name) {
      result.units.push_back({std::string(*name), {}, {}});
    } else if (!result.units.empty()) {
      result.units.back().text += line;
      result.units.back().text += '\n';
    }
  }
  for (GeneratedUnit& unit : result.units) {
    while (unit.text.ends_with("\n\n")) unit.text.pop_back();
    unit.source_path = source_path(unit.text);
  }
  for (const std::string_view line : split(diagnostics, '\n')) {
    const std::string_view message = without_prefix(line);
    if (message.starts_with("converting ") || message.starts_with("error ")) result.problems.emplace_back(message);
  }
  return result;
}

Task<Result<DryRun>> Generator::dry_run(std::vector<std::string> folders, std::uint64_t timeout_ms) {
  const auto program = find_program(program_);
  if (!program) co_return Fail(program.error());
  auto environment = environment_for(folders);
  if (!environment) co_return Fail(environment.error());
  const OneShot<Finished> done(loop_);
  auto* run = new Run(done);
  if (const int problem = run->start(loop_.uv(), *program, std::move(*environment)); problem != 0) {
    co_return failed(*program, std::string("cannot be started: ") + uv_strerror(problem));
  }
  Timer deadline(loop_.timers(), [run, done] {
    if (!done.is_set()) run->cut(Ending::timed_out);
  });
  deadline.set_in(timeout_ms);
  const Finished finished = co_await done;
  deadline.clear();
  co_return read_dry_run(*program, finished, timeout_ms);
}

}  // namespace leger
