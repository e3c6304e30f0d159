#include "quadlets/run_arguments.h"

#include <doctest/doctest.h>

namespace leger::test {
namespace {

using Names = std::vector<std::string>;

std::string unit(const std::string& lines) { return "[Unit]\nAfter=x.service\n\n[Service]\n" + lines; }

Names ports(const std::string& lines, const std::string& image = "") {
  Names texts;
  for (const HostPorts& one : published_ports(unit(lines), image)) texts.push_back(one.text());
  return texts;
}

Names volumes(const std::string& lines, const std::string& image = "") { return mounted_volumes(unit(lines), image); }

TEST_CASE("each way to publish a port names the host's ports") {
  struct Line {
    std::string value;
    Names ports;
  };
  for (const Line& line : std::vector<Line>{{"8080:80", {"0.0.0.0:8080/tcp"}},
                                            {"127.0.0.1:8099:80", {"127.0.0.1:8099/tcp"}},
                                            {"127.0.0.1:53:53/UDP", {"127.0.0.1:53/udp"}},
                                            {"[::1]:8080:80/tcp", {"[::1]:8080/tcp"}},
                                            {":8080:80", {"0.0.0.0:8080/tcp"}},
                                            {"8000-8010:80-90", {"0.0.0.0:8000-8010/tcp"}},
                                            {"80", {}},
                                            {"127.0.0.1::80", {}},
                                            {"0:80", {}},
                                            {"65536:80", {}},
                                            {"9-8:80", {}},
                                            {"x:80", {}}}) {
    CAPTURE(line.value);
    CHECK(ports("ExecStart=podman run --publish " + line.value + " i\n") == line.ports);
    CHECK(ports("ExecStart=podman run --publish=" + line.value + " i\n") == line.ports);
    CHECK(ports("ExecStartPre=podman pod create -p \"" + line.value + "\"\n") == line.ports);
  }
}

TEST_CASE("only podman's own options of commands count, each port once") {
  CHECK(ports("ExecStart=podman run --publish 1:1 img serve --publish 2:2\n", "img") == Names{"0.0.0.0:1/tcp"});
  CHECK(ports("Environment=--publish 3:3\nExecStart=a --publish 1:1\nExecStop=b --publish 1:1\n") ==
        Names{"0.0.0.0:1/tcp"});
  CHECK(ports("ExecStart=podman run --publish\n").empty());
  CHECK(published_ports("[Container]\nExecStart=podman run --publish 1:1\n", "").empty());
}

TEST_CASE("volumes are told from folders, in order and once") {
  CHECK(volumes("ExecStart=podman run -v systemd-data:/data:Z -v /etc:/e:ro -v %h/x:/x -v ./a:/a -v /anonymous "
                "--volume=other:/o -v systemd-data:/again img -v no:/no\n",
                "img") == Names{"systemd-data", "other"});
  CHECK(volumes("ExecStart=podman run --mount type=volume,source=kept,destination=/k "
                "--mount type=bind,source=/etc,destination=/e --mount type=volume,src=also,target=/a "
                "--mount type=volume,target=/anonymous\n") == Names{"kept", "also"});
}

TEST_CASE("secrets are found however they are asked for, and not what the container's own command says") {
  const std::string text = unit(
      "ExecStart=/usr/bin/podman run --name x --secret token,type=env,target=T --secret \"key\" "
      "--secret=third,target=/x "
      "\"--secret=source=fourth,type=mount\" --secret token image --secret no\n");
  CHECK(asked_secrets(text, "image") == Names{"token", "key", "third", "fourth"});
  CHECK(asked_secrets(unit("ExecStart=/usr/bin/podman run image\n"), "image").empty());
}

TEST_CASE("units are named by the keys that are asked for") {
  const std::string text =
      "[Unit]\nAfter=a.service b.service\nRequires=c.service\nAfter=d.service\n[Service]\nAfter=no\n";
  CHECK(named_units(text, {"After"}) == Names{"a.service", "b.service", "d.service"});
  CHECK(named_units(text, {"Requires", "BindsTo"}) == Names{"c.service"});
}

}  // namespace
}  // namespace leger::test
