#pragma once

// What Leger asks of Podman: a seam with the real client over the libpod API socket. Never the podman command
// (it cannot run inside legerd's sandbox). Loop thread; every answer is bounded in size and time.

#include <cstdint>
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
};

struct PodmanContainer {
  std::string id;
  std::string name;
  std::string image;
  std::string state;                  // running, exited, …
  std::string unit;                   // label PODMAN_SYSTEMD_UNIT; empty where it has none
  std::optional<std::string> health;  // healthy, unhealthy, starting; nothing without a health check
  std::vector<std::string> ports;     // 127.0.0.1:8080->80/tcp
};

class Podman {
 public:
  virtual ~Podman() = default;
  // upstream_failed where Podman does not answer, with how to start its socket.
  virtual Task<Result<void>> ping() = 0;
  virtual Task<Result<std::vector<PodmanSecret>>> secrets() = 0;
  // Makes or replaces; reads back that the labels are there.
  virtual Task<Result<void>> put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) = 0;
  // An absent one is no error. Only the one of exactly this name is removed, here and below: Podman itself takes the
  // beginning of an id, and of a volume's name, for the whole (a DELETE of `data` removed `data2`, Podman 5.4.2).
  virtual Task<Result<void>> remove_secret(std::string name) = 0;
  // All of them, stopped ones too.
  virtual Task<Result<std::vector<PodmanContainer>>> containers() = 0;
  // An absent one is no error; one in use is.
  virtual Task<Result<void>> remove_network(std::string name) = 0;
  virtual Task<Result<void>> remove_volume(std::string name) = 0;
};

class PodmanApi final : public Podman {
 public:
  // `socket` is the path of podman.socket, usually $XDG_RUNTIME_DIR/podman/podman.sock. `http` outlives this. Each of
  // the exchanges that a call consists of may take `timeout_ms`.
  PodmanApi(HttpClient& http, std::string socket, std::uint64_t timeout_ms = 10'000);
  Task<Result<void>> ping() override;
  Task<Result<std::vector<PodmanSecret>>> secrets() override;
  Task<Result<void>> put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) override;
  Task<Result<void>> remove_secret(std::string name) override;
  Task<Result<std::vector<PodmanContainer>>> containers() override;
  Task<Result<void>> remove_network(std::string name) override;
  Task<Result<void>> remove_volume(std::string name) override;

 private:
  Task<Result<HttpResponse>> call(std::string method, std::string path, std::optional<std::string> body);
  // The object at `path` where its `name_field` is exactly `name`; null where there is none.
  Task<Result<Json>> inspect(std::string path, std::string name, std::string name_field);
  Task<Result<void>> remove(std::string kind, std::string name, std::string name_field);

  HttpClient& http_;
  std::string socket_;
  std::uint64_t timeout_ms_;
};

}  // namespace leger
