#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "quadlets/image_names.h"
#include "quadlets/podman.h"

// The part of Podman's client that brings images and names them.

namespace leger {
namespace {

constexpr const char* kBase = "http://d/v5.0.0/libpod";
constexpr std::size_t kMostLine = 64 << 10;
constexpr std::size_t kMostReport = 64 << 20;
constexpr std::size_t kMostSaid = 500;

std::string shown(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return escape_controls(text.substr(0, kMostSaid));
}

// What Podman says while it pulls: a JSON object a line, cut anywhere between the parts that come.
class PullReport {
 public:
  explicit PullReport(PullWatcher watcher) : watcher_(std::move(watcher)) {}

  // False where no more of it is wanted: the watcher has had enough, or it is no report of Podman's.
  bool take(std::string_view part) {
    bytes_ += part.size();
    rest_.append(part);
    std::size_t from = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', from)) {
      read(std::string_view(rest_).substr(from, end - from));
      from = end + 1;
    }
    rest_.erase(0, from);
    return !is_given_up_ && bytes_ <= kMostReport && rest_.size() <= kMostLine;
  }

  void finish() { read(std::exchange(rest_, {})); }

  // Podman answers 200 before it knows how the pull ends.
  const std::string& problem() const { return problem_; }
  bool is_given_up() const { return is_given_up_; }
  bool is_whole() const { return has_image_; }

 private:
  void read(std::string_view line) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return;
    if (const auto problem = text_field(json, "error"); problem && !problem->empty()) problem_ = shown(*problem);
    if (const auto id = text_field(json, "id"); id && !id->empty()) has_image_ = true;
    const auto said = text_field(json, "stream");
    if (said && watcher_ && !watcher_(shown(*said))) is_given_up_ = true;
  }

  PullWatcher watcher_;
  std::string rest_;
  std::size_t bytes_ = 0;
  std::string problem_;
  bool has_image_ = false;
  bool is_given_up_ = false;
};

// Slashes and colons stand in a path as they are; libpod's routes want them so.
std::string in_path(std::string_view reference) {
  std::string path;
  for (const char byte : reference) {
    const bool is_plain = byte == '/' || byte == ':' || byte == '@';
    path += is_plain ? std::string(1, byte) : percent_encode(std::string_view(&byte, 1));
  }
  return path;
}

std::string name_query(const ImageName& name) {
  return "?repo=" + percent_encode(name.repository) + "&tag=" + percent_encode(name.tag);
}

Fail not_pulled(const std::string& reference, const std::string& why) {
  const std::string host = reference.substr(0, reference.find('/'));
  const std::string action =
      host == "localhost"
          ? "Build it on this host: podman build -t " + escape_controls(reference) + " FOLDER"
          : "Check its name, and sign in where the registry wants it: podman login " + escape_controls(host);
  return Fail(
      {Code::upstream_failed, "The image " + escape_controls(reference) + " cannot be pulled: " + why, action, {}});
}

}  // namespace

Task<Result<void>> PodmanApi::pull_image(std::string reference, std::string policy, PullWatcher watcher) {
  PullReport report(std::move(watcher));
  HttpRequest request;
  request.method = "POST";
  request.url = std::string(kBase) + "/images/pull?reference=" + percent_encode(reference) +
                "&policy=" + percent_encode(policy) + "&quiet=false";
  request.unix_socket = socket_;
  request.connect_timeout_ms = timeout_ms_;
  request.timeout_ms = pull_silence_ms_;
  request.on_part = [&report](std::string_view part) { return report.take(part); };
  const auto response = co_await http_.send(std::move(request));
  if (!response) co_return not_pulled(reference, response.error().message);
  if (response->status != 200) {
    const Json said = Json::parse(response->body, nullptr, false);
    const std::string why = shown(text_field(said, "message").value_or(""));
    co_return not_pulled(reference, why.empty() ? "Podman answers " + std::to_string(response->status) + "." : why);
  }
  report.finish();
  if (report.is_given_up()) co_return not_pulled(reference, "it took too long.");
  if (!report.problem().empty()) co_return not_pulled(reference, report.problem());
  if (!report.is_whole()) co_return not_pulled(reference, "Podman's report of it ends early.");
  co_return Result<void>();
}

Task<Result<void>> PodmanApi::tag_image(std::string image, std::string name) {
  const std::string query = name_query(split_image_name(name));
  const auto response = co_await call("POST", "/images/" + in_path(image) + "/tag" + query, std::nullopt);
  if (!response) co_return Fail(response.error());
  if (response->status >= 200 && response->status < 300) co_return Result<void>();
  co_return Fail({Code::upstream_failed,
                  "Podman refused to name the image " + escape_controls(image) + " " + escape_controls(name) +
                      " with status " + std::to_string(response->status) + ".",
                  "See which images there are: podman images --all --digests",
                  {}});
}

Task<Result<void>> PodmanApi::untag_image(std::string name) {
  const std::string query = name_query(split_image_name(name));
  const auto response = co_await call("POST", "/images/" + in_path(name) + "/untag" + query, std::nullopt);
  if (!response) co_return Fail(response.error());
  const bool is_gone = response->status == 404;
  if (is_gone || (response->status >= 200 && response->status < 300)) co_return Result<void>();
  co_return Fail({Code::upstream_failed,
                  "Podman refused to take the name " + escape_controls(name) + " away with status " +
                      std::to_string(response->status) + ".",
                  "See which images there are: podman images --all --digests",
                  {}});
}

}  // namespace leger
