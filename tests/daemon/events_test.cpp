// The events of a deployment as clients get them. There is no systemd here: the test writes the deployment's row and
// says its events.

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "daemon/client_connection.h"
#include "daemon/http_session.h"
#include "tests/daemon/running_daemon.h"
#include "tests/daemon/test_certificates.h"
#include "tests/daemon/tls_client.h"

namespace leger::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Puts the deployment `d1` on record, under way or ended.
void add_row(const RunningDaemon& daemon, const std::string& state, const std::string& finished_at) {
  sqlite3* database = nullptr;
  const std::string path = daemon.config().state_dir + "/leger.db";
  const std::string sql =
      "INSERT INTO deployments (id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, "
      "journal, live) SELECT 'd1', user_uuid, 'hello', 3, 'install', '" +
      state + "', '2026-11-22T04:05:06Z', " + finished_at + ", '', '', '', 0 FROM users";
  const bool opened = sqlite3_open(path.c_str(), &database) == SQLITE_OK;
  sqlite3_busy_timeout(database, 5000);
  const bool written = opened && sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  const std::string problem = written ? "" : sqlite3_errmsg(database);
  sqlite3_close(database);
  if (!written) throw std::runtime_error(problem);
}

// A daemon that has d1 under way.
struct Deploying {
  explicit Deploying(const DaemonSettings& settings = {}) : daemon(settings) {
    REQUIRE(ask_when_ready(daemon.unix_socket(), request("GET", "/api/deployments")).status == 200);
    add_row(daemon, "starting", "NULL");
    daemon.tell([](DeployEvents& events) { events.state("d1", "starting"); });
  }
  Client watch(const std::string& lines = {}) const {
    Client client = daemon.unix_socket();
    client.send(request("GET", "/api/deployments/d1/events", {}, lines));
    return client;
  }
  RunningDaemon daemon;
};

// A token of the host's own account, for its TCP door; verifier and challenge are those of RFC 7636, appendix B.
std::string local_token(const RunningDaemon& daemon, TlsClient& client) {
  const auto field = [](const std::string& body, const std::string& name) {
    const std::size_t start = body.find("\"" + name + "\":\"") + name.size() + 4;
    return body.substr(start, body.find('"', start) - start);
  };
  const Answer code =
      ask(daemon.unix_socket(),
          request("POST", "/api/auth/code", R"({"challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"})"));
  client.send(request(
      "POST", "/api/auth/exchange",
      R"({"code":")" + field(code.body, "code") + R"(","verifier":"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"})"));
  return field(client.read_answer().body, "token");
}

// Reads until `text` has come; all that came.
std::string read_until(Client& client, std::string_view text) {
  std::string all;
  while (!all.contains(text)) {
    const std::string some = client.read_some();
    if (some.empty()) break;
    all += some;
  }
  return all;
}

// The id of the event that has `data`.
std::string id_before(const std::string& text, std::string_view data) {
  const std::size_t start = text.rfind("id: ", text.find(data)) + 4;
  return text.substr(start, text.find('\n', start) - start);
}

}  // namespace

TEST_CASE("events come when they happen, each with an id, and the end ends the answer but not the connection") {
  Deploying host;
  Client client = host.watch();
  const std::string first = read_until(client, R"({"state":"starting"})");
  CHECK(first.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(first.contains("\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"));
  CHECK(first.contains("\r\nCache-Control: no-store\r\n"));
  CHECK(first.contains("\nevent: state\ndata: {\"state\":\"starting\"}\n\n"));
  CHECK(client.is_quiet());
  host.daemon.tell([](DeployEvents& events) { events.progress("starting", "web.service", "started"); });
  CHECK(read_until(client, "\n\n")
            .contains(
                "event: progress\ndata: {\"step\":\"starting\",\"unit\":\"web.service\",\"text\":\"started\"}\n\n"));
  host.daemon.tell([](DeployEvents& events) {
    events.state("d1", "deployed");
    events.end("d1");
  });
  CHECK(read_until(client, "0\r\n\r\n").contains("event: end\ndata: {\"state\":\"deployed\"}\n\n\r\n0\r\n\r\n"));
  client.send(request("GET", "/api/absent"));
  CHECK(client.read_answer().status == 404);
}

TEST_CASE("Last-Event-ID goes on after that event, and one of another process begins anew") {
  Deploying host;
  Client client = host.watch();
  const std::string all = read_until(client, "starting\"}\n\n");
  const std::string id = id_before(all, "{\"state\"");
  host.daemon.tell([](DeployEvents& events) {
    events.state("d1", "deployed");
    events.end("d1");
  });
  Client resumed = host.watch("Last-Event-ID: " + id + "\r\n");
  const std::string rest = read_until(resumed, "0\r\n\r\n");
  CHECK_FALSE(rest.contains("starting"));
  CHECK(rest.contains("{\"state\":\"deployed\"}"));
  Client other = host.watch("Last-Event-ID: 00000000-1\r\n");
  CHECK(read_until(other, "0\r\n\r\n").contains("{\"state\":\"starting\"}"));
}

TEST_CASE("of a deployment that this process knows nothing of, its state and the end are told") {
  RunningDaemon daemon;
  REQUIRE(ask_when_ready(daemon.unix_socket(), request("GET", "/api/deployments")).status == 200);
  add_row(daemon, "rolled_back", "'2026-11-22T04:05:07Z'");
  const Answer answer = ask(daemon.unix_socket(), request("GET", "/api/deployments/d1/events"));
  CHECK(answer.status == 200);
  CHECK(answer.body.contains("event: state\ndata: {\"state\":\"rolled_back\"}\n\n"));
  CHECK(answer.body.ends_with("event: end\ndata: {\"state\":\"rolled_back\"}\n\n"));
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/deployments/d2/events")).status == 404);
  CHECK(ask(daemon.tcp(), request("GET", "/api/deployments/d1/events")).status == 401);
}

TEST_CASE("HEAD has the head alone, and HTTP/1.0 a body that ends with the connection") {
  Deploying host;
  Client head = host.daemon.unix_socket();
  head.send(request("HEAD", "/api/deployments/d1/events"));
  CHECK(head.read_answer(Client::Body::none).has("Content-Type: text/event-stream"));
  CHECK(head.is_quiet());
  Client old = host.daemon.unix_socket();
  old.send("GET /api/deployments/d1/events HTTP/1.0\r\nHost: h\r\n\r\n");
  CHECK(read_until(old, "starting").size() > 0);
  host.daemon.tell([](DeployEvents& events) { events.end("d1"); });
  const std::string rest = old.read_to_end();
  CHECK(rest.ends_with("event: end\ndata: {\"state\":\"starting\"}\n\n"));
  CHECK_FALSE(rest.contains("\r\n"));
}

TEST_CASE("a quiet stream says every 15 s that it is there, for hours") {
  Deploying host;
  Client client = host.watch();
  read_until(client, "starting");
  host.daemon.advance(kLiveSilenceMs - 1);
  CHECK(client.is_quiet());
  host.daemon.advance(1);
  CHECK(read_until(client, ":\n\n") == "3\r\n:\n\n\r\n");
  for (int i = 0; i < 20; ++i) host.daemon.advance(kLiveSilenceMs);
  CHECK_FALSE(client.is_cut());
}

TEST_CASE("each of two clients gets all, and one that goes away ends its own stream only") {
  Deploying host;
  Client stays = host.watch();
  read_until(stays, "starting");
  {
    Client leaves = host.watch();
    read_until(leaves, "starting");
  }
  host.daemon.settle();
  host.daemon.tell([](DeployEvents& events) { events.state("d1", "checking"); });
  CHECK(read_until(stays, "checking").contains("checking"));
}

TEST_CASE("a client that reads no events costs no memory, holds up nobody, and is cut off after 30 s") {
  Deploying host;
  Client stuck = host.watch();
  Client reads = host.watch();
  read_until(reads, "starting");
  const std::size_t before = resident_bytes(getpid());
  const std::string text(900, 'x');
  for (int i = 0; i < 20; ++i) {
    host.daemon.tell([&](DeployEvents& events) {
      for (int j = 0; j < 250; ++j) events.progress("pulling", "", text);
    });
    CHECK(read_until(reads, text).contains(text));
  }
  CHECK(resident_bytes(getpid()) < before + 6 * kMiB + kSanitizerBytes);
  host.daemon.advance(ClientConnection::kWriteStallMs);
  CHECK(stuck.is_cut());
  CHECK(ask(host.daemon.unix_socket(), request("GET", "/api/absent")).status == 404);
}

TEST_CASE("events come over TLS, too") {
  Deploying host(with_tls());
  TlsClient client(host.daemon.tcp());
  REQUIRE(client.shake_hands());
  const std::string token = local_token(host.daemon, client);
  client.send(request("GET", "/api/deployments/d1/events", {}, "Authorization: Bearer " + token + "\r\n"));
  host.daemon.settle();
  host.daemon.tell([](DeployEvents& events) { events.end("d1"); });
  const Answer answer = client.read_answer();
  CHECK(answer.status == 200);
  CHECK(answer.body.contains("event: state\ndata: {\"state\":\"starting\"}\n\n"));
  CHECK(answer.body.contains("event: end\ndata: {\"state\":\"starting\"}\n\n"));
}

TEST_CASE("a stop ends the streams at once, in order") {
  Deploying host;
  Client client = host.watch();
  read_until(client, "starting");
  host.daemon.begin_stop();
  CHECK(client.read_to_end().ends_with("0\r\n\r\n"));  // without the daemon's clock moving
  CHECK_FALSE(client.reset_seen());
}

}  // namespace leger::test
