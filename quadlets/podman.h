#pragma once

// What Leger asks of Podman: a seam with the real client over the libpod API socket. Never the podman command
// (it cannot run inside legerd's sandbox). Loop thread; every answer is bounded in size and time.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/http_client.h"
#include "backend/base/json.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"

namespace leger {

struct PodmanSecret {
  std::string id;
  std::string name;
  std::map<std::string, std::string> labels;
  bool is_as_put = true;  // kept as put_secret() would have it kept now, by the same driver
};

// Who keeps the values of Podman's secrets. Podman's own driver has them in the clear in one file; with `program`, the
// absolute path of leger, Podman runs it at each start of a container, and it asks legerd at `socket`.
struct SecretKeeper {
  std::string program;  // empty: Podman's own driver
  std::string socket;
};

struct PodmanContainer {
  std::string id;
  std::string name;
  std::string image;
  std::string state;                  // running, exited, …
  std::string unit;                   // label PODMAN_SYSTEMD_UNIT; empty where it has none
  std::optional<std::string> health;  // healthy, unhealthy, starting; nothing without a health check
  std::vector<std::string> ports;     // 127.0.0.1:8080->80/tcp
  std::string pod = {};               // name of the pod that it is in; empty where it is in none
  std::string pod_id = {};
};

struct PodmanImage {
  std::string id;                  // hexadecimal, without `sha256:`
  std::vector<std::string> names;  // localhost/web:1 and localhost/web@sha256:…
};

// A network or a volume.
struct PodmanObject {
  std::string name;
  std::optional<std::int64_t> made_at;  // seconds since 1970; nothing where Podman's time cannot be read
};

// One run of a container's health check.
struct HealthProbe {
  std::string started;  // Podman's time
  std::int64_t exit_code = 0;
  std::string output;
};

// Gets each line that Podman says while it pulls; false ends the pull.
using PullWatcher = std::function<bool(std::string line)>;

class Podman {
 public:
  virtual ~Podman() = default;
  // upstream_failed where Podman does not answer, with how to start its socket.
  virtual Task<Result<void>> ping() = 0;
  virtual Task<Result<std::vector<PodmanSecret>>> secrets() = 0;
  // Whether put_secret() hands the value to Podman; where not, the labels say whom Podman's question is about.
  virtual bool keeps_values() const { return true; }
  // Makes or replaces; reads back that the labels are there.
  virtual Task<Result<void>> put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) = 0;
  // An absent one is no error. Only the one of exactly this name is removed, here and below: Podman itself takes the
  // beginning of an id, and of a volume's name, for the whole (a DELETE of `data` removed `data2`, Podman 5.4.2).
  virtual Task<Result<void>> remove_secret(std::string name) = 0;
  // All of them, stopped ones too.
  virtual Task<Result<std::vector<PodmanContainer>>> containers() = 0;
  // Those that are on this host, with all their names; one without a name is listed too.
  virtual Task<Result<std::vector<PodmanImage>>> images() = 0;
  // The last runs of a container's health check, oldest first; none where there is no check or no such container.
  virtual Task<Result<std::vector<HealthProbe>>> health_log(std::string container) = 0;
  // `policy` is missing, newer or always. Signs in as the user's own auth.json says, which Podman reads itself. The
  // error, upstream_failed, names the image and what the registry said.
  virtual Task<Result<void>> pull_image(std::string reference, std::string policy, PullWatcher watcher) = 0;
  // Gives the image of this id one more name, `repository:tag`; the one that had the name loses it.
  virtual Task<Result<void>> tag_image(std::string image, std::string name) = 0;
  // Takes a name away and leaves the image; an absent one is no error.
  virtual Task<Result<void>> untag_image(std::string name) = 0;
  // All of them, whoever made them.
  virtual Task<Result<std::vector<PodmanObject>>> list_networks() = 0;
  virtual Task<Result<std::vector<PodmanObject>>> list_volumes() = 0;
  // An absent one is no error; one in use is.
  virtual Task<Result<void>> remove_network(std::string name) = 0;
  virtual Task<Result<void>> remove_volume(std::string name) = 0;
};

class PodmanApi final : public Podman {
 public:
  // `socket` is the path of podman.socket, usually $XDG_RUNTIME_DIR/podman/podman.sock. `http` outlives this. Each of
  // the exchanges that a call consists of may take `timeout_ms`.
  PodmanApi(HttpClient& http, std::string socket, std::uint64_t timeout_ms = 10'000, SecretKeeper keeper = {});
  bool keeps_values() const override { return keeper_.program.empty(); }
  Task<Result<void>> ping() override;
  Task<Result<std::vector<PodmanSecret>>> secrets() override;
  Task<Result<void>> put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) override;
  Task<Result<void>> remove_secret(std::string name) override;
  Task<Result<std::vector<PodmanContainer>>> containers() override;
  Task<Result<std::vector<PodmanImage>>> images() override;
  Task<Result<std::vector<HealthProbe>>> health_log(std::string container) override;
  Task<Result<void>> pull_image(std::string reference, std::string policy, PullWatcher watcher) override;
  Task<Result<void>> tag_image(std::string image, std::string name) override;
  Task<Result<void>> untag_image(std::string name) override;
  Task<Result<std::vector<PodmanObject>>> list_networks() override;
  Task<Result<std::vector<PodmanObject>>> list_volumes() override;

  // The longest silence during a pull: Podman says when it begins with a layer, and nothing more until it has it.
  void set_pull_silence(std::uint64_t milliseconds) { pull_silence_ms_ = milliseconds; }
  Task<Result<void>> remove_network(std::string name) override;
  Task<Result<void>> remove_volume(std::string name) override;

 private:
  Task<Result<HttpResponse>> call(std::string method, std::string path, std::optional<std::string> body);
  // The object at `path` where its `name_field` is exactly `name`; null where there is none.
  Task<Result<Json>> inspect(std::string path, std::string name, std::string name_field);
  Task<Result<void>> remove(std::string kind, std::string name, std::string name_field);
  // `kind` is networks or volumes; Podman spells the fields of each its own way.
  Task<Result<std::vector<PodmanObject>>> objects(std::string kind, std::string name_field, std::string time_field);

  HttpClient& http_;
  std::string socket_;
  std::uint64_t timeout_ms_;
  std::uint64_t pull_silence_ms_ = 600'000;
  SecretKeeper keeper_;
};

}  // namespace leger
