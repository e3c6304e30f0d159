#include "tests/daemon/tailnet_daemon.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace leger::test {
namespace {

std::string local_address(const Client& client) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(getsockname(client.fd(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

}  // namespace

TailnetDaemon::TailnetDaemon(DaemonSettings settings) : tailscaled(folder / "tailscaled.sock") {
  const FakeNode own{.user_id = 42,
                     .login_name = "olga@example.com",
                     .display_name = "Olga",
                     .node_id = 1,
                     .stable_id = "nCupboardCNTRL",
                     .hostname = "cupboard",
                     .ips = {"100.64.0.1"}};
  tailscaled.set_status(status_answer(own));
  tailscaled.set_whois("100.64.0.1", whois_answer(own));  // by which the node learns who its user is
  tailscaled.set_default_whois(whois_answer());
  settings.change = [more = std::move(settings.change), socket = tailscaled.path()](Config& config) {
    config.tailscale.socket = socket;
    config.tailscale.userspace = true;
    if (more) more(config);
  };
  daemon.emplace(settings);
}

Client TailnetDaemon::connect_as(const FakeNode& node) {
  Client client = daemon->tcp();
  tailscaled.set_whois(local_address(client), whois_answer(node));
  return client;
}

Json TailnetDaemon::data_of(const Answer& answer, int status) {
  INFO(answer.whole());
  REQUIRE(answer.status == status);
  const Json body = Json::parse(answer.body);
  CHECK(body.at("success") == true);
  return body.at("data");
}

std::string TailnetDaemon::code_of(const Answer& answer) {
  INFO(answer.whole());
  const Json body = Json::parse(answer.body, nullptr, false);
  REQUIRE(body.is_object());
  CHECK(body.at("success") == false);
  const Json& error = body.at("error");
  return error.is_object() ? error.at("code").get<std::string>() : error.get<std::string>();
}

std::string TailnetDaemon::token_on(Client& client) {
  client.send(request("POST", "/api/auth/web", "{}"));
  return data_of(client.read_answer()).at("token");
}

std::string TailnetDaemon::token() {
  Client client = connect();
  return token_on(client);
}

std::size_t TailnetDaemon::asked_about_peers() const {
  const auto seen = tailscaled.seen();
  return static_cast<std::size_t>(
      std::ranges::count_if(seen, [](const SeenRequest& one) { return one.target.contains("addr=127"); }));
}

std::int64_t TailnetDaemon::stored(const std::string& sql) const {
  sqlite3* database = nullptr;
  const std::string path = daemon->config().state_dir + "/leger.db";
  REQUIRE(sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  REQUIRE(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
  const std::int64_t number = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(database);
  return number;
}

std::string bearer(std::string_view token) { return "Authorization: Bearer " + std::string(token) + "\r\n"; }

}  // namespace leger::test
