#include "daemon/origin_rules.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace leger::test {
namespace {

const Peer kTailnet{.ip = "100.64.0.2", .port = 40000, .local_ip = "100.64.0.1", .local_port = 8787};
const Peer kLoopback{.ip = "127.0.0.1", .port = 40000, .local_ip = "127.0.0.1", .local_port = 8787};
const Peer kLoopback6{.ip = "::1", .port = 40000, .local_ip = "::1", .local_port = 8787};

const NodeStatus kNode{.dns_name = "cupboard.tail-test.ts.net", .ips = {"100.64.0.1", "fd7a:115c:a1e0::1"}};

bool is_known(std::string_view host, const Peer& peer, const NodeStatus* node = &kNode,
              const std::vector<std::string>& hosts = {}) {
  const auto checked = check_host(host, peer, node, hosts);
  if (!checked) {
    CHECK(checked.error().code == Code::unknown_host);
    CHECK_FALSE(checked.error().action.empty());
  }
  return checked.has_value();
}

Code origin_code(Method method, const std::vector<Header>& headers, bool is_tls = false) {
  Peer peer = kTailnet;
  peer.is_tls = is_tls;
  Head head{.method = method, .headers = headers};
  head.headers.push_back({"Host", "cupboard:8787"});
  const auto checked = check_origin(head, peer);
  return checked ? Code::not_found : checked.error().code;  // not_found stands for "let through"
}

}  // namespace

TEST_CASE("a host is known by its tailnet names and addresses, on the connection's port only") {
  for (const char* host : {"cupboard.tail-test.ts.net:8787", "cupboard:8787", "CUPBOARD:8787",
                           "Cupboard.Tail-Test.TS.net:8787", "100.64.0.1:8787", "[fd7a:115c:a1e0::1]:8787"}) {
    CAPTURE(host);
    CHECK(is_known(host, kTailnet));
    CHECK(is_known(host, kLoopback));  // where tailscaled carries it here
  }
}

TEST_CASE("spellings that only resemble the host are not known") {
  for (const char* host : {"",
                           ":8787",
                           "cupboard",
                           "cupboard:80",
                           "cupboard:08787x",
                           "cupboard:",
                           "cupboard:0",
                           "cupboard:8788",
                           "cupboard:18787",
                           "cupboard:87870",
                           "cupboard:8787:8787",
                           "cupboard.:8787",
                           "cupboard.tail-test.ts.net.:8787",
                           "cupboard.tail-test.ts.net",
                           "evil.com",
                           "evil.com:8787",
                           "cupboard.evil.com:8787",
                           "tail-test.ts.net:8787",
                           "xcupboard:8787",
                           "user@cupboard:8787",
                           "user:pw@cupboard:8787",
                           "cupboard:8787@evil.com",
                           "cupboard:8787/",
                           "http://cupboard:8787",
                           "cupboard,evil.com:8787",
                           "cupboard evil.com:8787",
                           "100.64.0.2:8787",
                           "100.64.0.1",
                           "1.100.64.0.1:8787",
                           "0x64.64.0.1:8787",
                           "1681915905:8787",
                           "100.64.1:8787",
                           "[100.64.0.1]:8788",
                           "[fd7a:115c:a1e0::1]",
                           "[fd7a:115c:a1e0::1%25eth0]:8787",
                           "[fd7a:115c:a1e0::2]:8787",
                           "fd7a:115c:a1e0::1:8787",
                           "[::1]:8787",
                           "[",
                           "[]:8787",
                           "[cupboard:8787",
                           "127.0.0.1:8787",
                           "0.0.0.0:8787",
                           "localhost:8787",
                           "LOCALHOST:8787",
                           "localhost",
                           "cupboard:8787\t",
                           "\xff\xfe:8787"}) {
    CAPTURE(host);
    CHECK_FALSE(is_known(host, kTailnet));
  }
}

TEST_CASE("localhost is known where the connection came to loopback") {
  CHECK(is_known("localhost:8787", kLoopback));
  CHECK(is_known("LocalHost:8787", kLoopback));
  CHECK(is_known("127.0.0.1:8787", kLoopback));
  CHECK(is_known("localhost:8787", kLoopback6));
  CHECK(is_known("[::1]:8787", kLoopback6));
  CHECK_FALSE(is_known("127.0.0.2:8787", kLoopback));
  CHECK_FALSE(is_known("localhost.evil.com:8787", kLoopback));
  CHECK_FALSE(is_known("localhost:8788", kLoopback));
}

TEST_CASE("without tailscaled the connection's own address is what is known") {
  CHECK(is_known("100.64.0.1:8787", kTailnet, nullptr));
  CHECK_FALSE(is_known("cupboard:8787", kTailnet, nullptr));
}

TEST_CASE("a node without a MagicDNS name is known by no empty one") {
  const NodeStatus nameless{.ips = {"100.64.0.1"}};
  CHECK_FALSE(is_known(":8787", kTailnet, &nameless));
  CHECK_FALSE(is_known(".:8787", kTailnet, &nameless));
}

TEST_CASE("configured names are known, on the connection's port or on their own") {
  const std::vector<std::string> hosts{"leger.example.com", "front.example.com:443"};
  CHECK(is_known("leger.example.com:8787", kTailnet, nullptr, hosts));
  CHECK(is_known("LEGER.example.com:8787", kTailnet, nullptr, hosts));
  CHECK_FALSE(is_known("leger.example.com", kTailnet, nullptr, hosts));
  CHECK(is_known("front.example.com:443", kTailnet, nullptr, hosts));
  CHECK_FALSE(is_known("front.example.com:8787", kTailnet, nullptr, hosts));
}

TEST_CASE("the port may be left out where it is the scheme's own") {
  Peer plain = kTailnet;
  plain.local_port = 80;
  CHECK(is_known("cupboard", plain));
  CHECK(is_known("cupboard:80", plain));
  CHECK_FALSE(is_known("cupboard:443", plain));
  Peer tls = kTailnet;
  tls.local_port = 443;
  CHECK_FALSE(is_known("cupboard", tls));
  tls.is_tls = true;
  CHECK(is_known("cupboard", tls));
}

TEST_CASE("over the Unix socket any host is fine") {
  CHECK(is_known("evil.com", {.is_unix = true, .is_own_account = true}, nullptr));
}

TEST_CASE("only legal cells of origin and site pass, for each method") {
  struct Case {
    const char* origin;  // null: absent
    bool is_own;
  };
  constexpr std::array kOrigins{Case{nullptr, true},
                                Case{"http://cupboard:8787", true},
                                Case{"http://cupboard:3000", false},
                                Case{"https://cupboard:8787", false},
                                Case{"http://evil.com", false},
                                Case{"null", false}};
  constexpr std::array kSites{Case{nullptr, true}, Case{"same-origin", true}, Case{"none", true},
                              Case{"same-site", false}, Case{"cross-site", false}};
  for (const Method method :
       {Method::get, Method::head, Method::options, Method::post, Method::put, Method::del, Method::other}) {
    const bool is_safe = method == Method::get || method == Method::head || method == Method::options;
    for (const Case& origin : kOrigins) {
      for (const Case& site : kSites) {
        std::vector<Header> headers;
        if (origin.origin != nullptr) headers.push_back({"Origin", origin.origin});
        if (site.origin != nullptr) headers.push_back({"Sec-Fetch-Site", site.origin});
        const bool passes = origin.is_own && (site.is_own || is_safe);
        CAPTURE(static_cast<int>(method));
        CAPTURE((origin.origin == nullptr ? "" : origin.origin));
        CAPTURE((site.origin == nullptr ? "" : site.origin));
        CHECK(origin_code(method, headers) == (passes ? Code::not_found : Code::forbidden_origin));
      }
    }
  }
}

TEST_CASE("an own origin beside a foreign one does not pass") {
  CHECK(origin_code(Method::post, {{"Origin", "http://cupboard:8787"}, {"origin", "http://evil.com"}}) ==
        Code::forbidden_origin);
  CHECK(origin_code(Method::post, {{"Sec-Fetch-Site", "same-origin"}, {"SEC-FETCH-SITE", "cross-site"}}) ==
        Code::forbidden_origin);
}

TEST_CASE("the origin of a TLS connection is https") {
  CHECK(origin_code(Method::post, {{"Origin", "https://cupboard:8787"}}, true) == Code::not_found);
  CHECK(origin_code(Method::post, {{"Origin", "http://cupboard:8787"}}, true) == Code::forbidden_origin);
}

}  // namespace leger::test
