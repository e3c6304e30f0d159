#include "tests/fakes/fake_tailscaled.h"

#include <string_view>

#include "backend/base/text.h"

namespace leger::test {
namespace {

constexpr std::string_view kRoot = "/localapi/v0/";

std::string percent_decode(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      result += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

// `100.64.0.2` of `100.64.0.2:1234`, `fd7a::1` of `[fd7a::1]:1234`.
std::string without_port(const std::string& address) {
  if (address.starts_with('[')) return address.substr(1, address.find(']') - 1);
  return address.substr(0, address.rfind(':'));
}

// Every number a text and every text a number.
Json with_wrong_types(const Json& json) {
  if (json.is_number()) return dump(json);
  if (json.is_string()) return 7;
  if (!json.is_structured()) return json;
  Json result = json;
  for (Json& part : result) part = with_wrong_types(part);
  return result;
}

}  // namespace

Json whois_answer(const FakeNode& node) {
  Json addresses = Json::array();
  for (const std::string& ip : node.ips) addresses.push_back(ip + (ip.find(':') == std::string::npos ? "/32" : "/128"));
  Json answer = {
      {"Node",
       {{"ID", node.node_id},
        {"StableID", node.stable_id},
        {"Name", node.hostname + ".tail-test.ts.net."},
        {"User", node.user_id},
        {"Key", "nodekey:596fb0812c321dbd923d325a1dc5a6c86a54258e32c8c3fca976215f5c0fd541"},
        {"Addresses", addresses},
        {"AllowedIPs", addresses},
        {"HomeDERP", 1},
        {"Hostinfo", {{"OS", "linux"}, {"Hostname", node.hostname}}},
        {"Cap", 138},
        {"Online", true}}},
      {"UserProfile", {{"ID", node.user_id}, {"LoginName", node.login_name}, {"DisplayName", node.display_name}}},
      {"CapMap", {{"https://tailscale.com/cap/ingress", nullptr}}}};
  // What Go leaves out where it is empty.
  Json& fields = answer["Node"];
  if (node.is_authorized) fields["MachineAuthorized"] = true;
  if (!node.tags.empty()) fields["Tags"] = node.tags;
  if (node.sharer != 0) fields["Sharer"] = node.sharer;
  if (!node.key_expiry.empty()) fields["KeyExpiry"] = node.key_expiry;
  if (!node.roles.empty()) answer["CapMap"]["leger.run/cap/legerd"] = Json::array({{{"roles", node.roles}}});
  return answer;
}

Json status_answer(const FakeNode& node) {
  Json answer = {
      {"Version", "1.98.10"},
      {"BackendState", "Running"},
      {"TailscaleIPs", node.ips},
      {"Self",
       {{"ID", node.stable_id},
        {"HostName", node.hostname},
        {"DNSName", node.hostname + ".tail-test.ts.net."},
        {"UserID", node.user_id},
        {"TailscaleIPs", node.ips}}},
      {"CurrentTailnet", {{"Name", "example.com"}, {"MagicDNSSuffix", "tail-test.ts.net"}, {"MagicDNSEnabled", true}}},
      {"CertDomains", {node.hostname + ".tail-test.ts.net"}},
      {"Peer", nullptr},
      {"User", nullptr}};
  if (!node.tags.empty()) answer["Self"]["Tags"] = node.tags;
  return answer;
}

FakeTailscaled::FakeTailscaled(const std::string& path)
    : path_(path),
      status_({{"BackendState", "NeedsLogin"}, {"Self", nullptr}}),
      certificate_(500, "your Tailscale account does not support getting TLS certs\n"),
      server_(path, [this](const SeenRequest& request) { return answer_to(request); }) {}

void FakeTailscaled::set_whois(const std::string& address, const Json& answer) {
  const std::scoped_lock lock(mutex_);
  whois_[address] = answer;
}

void FakeTailscaled::forget_whois(const std::string& address) {
  const std::scoped_lock lock(mutex_);
  whois_.erase(address);
}

void FakeTailscaled::set_default_whois(const Json& answer) { set_whois("", answer); }

void FakeTailscaled::set_status(const Json& answer) {
  const std::scoped_lock lock(mutex_);
  status_ = answer;
}

void FakeTailscaled::set_certificate(int status, const std::string& body) {
  const std::scoped_lock lock(mutex_);
  certificate_ = {status, body};
}

void FakeTailscaled::set_fault(Fault fault) {
  const std::scoped_lock lock(mutex_);
  fault_ = fault;
  refusal_ = {500, "scripted refusal\n"};
}

void FakeTailscaled::refuse_with(int status, const std::string& words) {
  const std::scoped_lock lock(mutex_);
  fault_ = Fault::refuse;
  refusal_ = {status, words};
}

std::size_t FakeTailscaled::count(const std::string& question) const {
  std::size_t count = 0;
  const std::vector<SeenRequest> requests = seen();
  for (const SeenRequest& request : requests) {
    if (request.target.starts_with(std::string(kRoot) + question)) ++count;
  }
  return count;
}

FakeTailscaled::Answer FakeTailscaled::whois_of(const std::string& address) const {
  for (const std::string& key : {address, without_port(address), std::string()}) {
    const auto found = whois_.find(key);
    if (found != whois_.end()) return {200, dump(found->second)};
  }
  return {404, "no match for IP:port\n"};
}

FakeTailscaled::Answer FakeTailscaled::right_answer(const std::string& target) const {
  constexpr std::string_view kWhois = "whois?proto=tcp&addr=";
  if (!target.starts_with(kRoot)) return {404, "404 page not found\n"};
  const std::string_view question = std::string_view(target).substr(kRoot.size());
  if (question.starts_with(kWhois)) return whois_of(percent_decode(question.substr(kWhois.size())));
  if (question == "status?peers=false") return {200, dump(status_)};
  if (question.starts_with("cert/") && question.ends_with("?type=pair")) return certificate_;
  return {400, "not among the questions that legerd has\n"};
}

Reply FakeTailscaled::answer_to(const SeenRequest& request) {
  const std::scoped_lock lock(mutex_);
  const auto [status, body] = right_answer(request.target);
  const std::string whole = http_answer(status, body);
  switch (fault_) {
    case Fault::none:
      return {.bytes = whole};
    case Fault::hang:
      return {.pace = Reply::Pace::never};
    case Fault::byte_by_byte:
      return {.bytes = whole, .pace = Reply::Pace::byte_by_byte};
    case Fault::garbage:
      return {.bytes = std::string("\x16\x03\x01 this is \0 not HTTP\r\n\r\n", 26)};
    case Fault::huge:
      return {.bytes = http_answer(200, R"({"Node":")" + std::string(std::size_t{9} << 20, 'x') + R"("})")};
    case Fault::close:
      return {};
    case Fault::refuse:
      return {.bytes = http_answer(refusal_.first, refusal_.second)};
    case Fault::wrong_types:
      return {.bytes = http_answer(status, dump(with_wrong_types(Json::parse(body, nullptr, false))))};
    case Fault::truncated_json:
      return {.bytes = http_answer(status, body.substr(0, body.size() / 2))};
    case Fault::cut_off:
      return {.bytes = whole.substr(0, whole.size() - body.size() / 2)};
  }
  return {};
}

}  // namespace leger::test
