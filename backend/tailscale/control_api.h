#pragma once

// The client of the control API, for hosts without tailscaled where the configuration names a key for it. It knows
// devices and login names, never numeric user ids. Loop thread.

#include <cstdint>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/http_client.h"
#include "backend/base/task.h"

namespace leger {

struct Device {
  std::string id;       // `id`
  std::string node_id;  // `nodeId`, the stable one; empty where the server gives none: compare no empty claim with it
  std::string user;     // login name
  std::string name;     // MagicDNS name without its final dot
  std::string hostname;
  std::vector<std::string> addresses;  // in the usual form
  std::vector<std::string> tags;
  bool is_authorized = false;
  bool is_external = false;
  bool is_expired = false;
};

struct ControlApiSettings {
  std::string url;      // https://api.tailscale.com
  std::string tailnet;  // `-` for the key's own
  std::string
      key_file;  // read anew for each request, so that it can be replaced; at most 4 KiB, not readable by others
};

class ControlApi {
 public:
  // `http` outlives this.
  ControlApi(HttpClient& http, ControlApiSettings settings);

  // Every device of the tailnet; `now` in seconds since 1970 judges expiry. unavailable where the API is silent for
  // 5 s, garbled or refuses the key, or where the key cannot be read.
  Task<Result<std::vector<Device>>> devices(std::int64_t now);

 private:
  HttpClient& http_;
  const ControlApiSettings settings_;
};

// The one device that holds `ip`, if a person stands behind it: authorized, neither expired nor external nor tagged.
// tailscale_verification_failed, "Device not found in tailnet", otherwise. Pure.
Result<Device> device_at(const std::vector<Device>& devices, const std::string& ip);

}  // namespace leger
