#include "quadlets/policy.h"

#include <doctest/doctest.h>

#include "quadlets/policy_paths.h"
#include "tests/quadlets/policy_cases.h"

namespace leger::test {
namespace {

using Verdicts = std::set<std::string>;

const std::string kFolder = "/home/alice/.config/containers/leger-staging/1";

// What Podman 5.4.2 makes of a container `web`, with further options and lines.
GeneratedUnit container(const std::string& options, const std::string& service = {}, const std::string& name = "web") {
  return {name + ".service", kFolder + "/" + name + ".container",
          "[X-Container]\nImage=localhost/x:1\n\n[Service]\n" + service +
              "Environment=PODMAN_SYSTEMD_UNIT=%n\nKillMode=mixed\n"
              "ExecStop=/usr/bin/podman rm -v -f -i --cidfile=%t/%N.cid\n"
              "ExecStopPost=-/usr/bin/podman rm -v -f -i --cidfile=%t/%N.cid\n"
              "Delegate=yes\nType=notify\nNotifyAccess=all\nSyslogIdentifier=%N\n"
              "ExecStart=/usr/bin/podman run --name systemd-%N --cidfile=%t/%N.cid --replace --rm --cgroups=split "
              "--sdnotify=conmon -d " +
              options +
              " localhost/x:1\n\n[Unit]\nWants=podman-user-wait-network-online.service\n"
              "After=podman-user-wait-network-online.service\nSourcePath=" +
              kFolder + "/" + name + ".container\nRequiresMountsFor=%t/containers\n"};
}

std::vector<PolicyFinding> judge(const GeneratedUnit& unit) { return judge_units({unit}, places_of(kFolder)); }

// What Podman 5.4.2 makes of a .kube unit whose pods stand in `text`.
Verdicts judge_kube(const std::string& text) {
  PolicyPlaces places = places_of(kFolder);
  places.files = {{"pods.yaml", text}};
  const GeneratedUnit unit{
      "pods.service", kFolder + "/pods.kube",
      "[X-Kube]\nYaml=./pods.yaml\n\n[Service]\nKillMode=mixed\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\nType=notify\n"
      "NotifyAccess=all\nSyslogIdentifier=%N\nExecStart=/usr/bin/podman kube play --replace --service-container=true " +
          kFolder + "/pods.yaml\nExecStopPost=/usr/bin/podman kube down " + kFolder + "/pods.yaml\n\n[Unit]\n" +
          "Wants=podman-user-wait-network-online.service\nAfter=podman-user-wait-network-online.service\nSourcePath=" +
          kFolder + "/pods.kube\nRequiresMountsFor=%t/containers\n"};
  return verdicts(judge_units({unit}, places));
}

PolicyLevel level_of(std::string_view path, Access access = Access::reads) {
  const auto verdict = judge_path(path, access, places_of(kFolder));
  REQUIRE_MESSAGE(verdict.has_value(), path);
  return verdict->level;
}

bool is_fine(std::string_view path, Access access = Access::reads) {
  return !judge_path(path, access, places_of(kFolder)).has_value();
}

}  // namespace

TEST_CASE("What the generator makes of a plain container is harmless") {
  CHECK(judge(container("")).empty());
  CHECK(judge(container("-v " + kFolder + "/x.conf:/x:ro --label \"-v /:/x\"")).empty());
}

TEST_CASE("A finding names its rule, its file and what it is about") {
  const auto findings = judge(container("--privileged --device /dev/kvm --device /dev/fuse"));
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].id == "privileged:web.container");
  CHECK(findings[0].level == PolicyLevel::denied);
  CHECK(findings[0].file == "web.container");
  CHECK(findings[0].message.contains("--privileged"));
  CHECK(findings[1].id == "device:web.container");
  CHECK(findings[1].level == PolicyLevel::flagged);
  CHECK(findings[1].message.contains("/dev/kvm"));
  CHECK(findings[2].id == "device:web.container:2");
}

TEST_CASE("No message tells a password or a variable's value") {
  for (const auto& finding : judge(container("--creds alice:hunter2 --env A=hunter2", "Environment=B=hunter2\n"))) {
    CHECK_FALSE(finding.message.contains("hunter2"));
  }
  CHECK(judge(container("--creds alice:hunter2")).size() == 1);
}

TEST_CASE(
    "Control bytes of a bundle do not reach who reads the finding, and a thousand findings of a kind do not either") {
  const auto strange = judge(container("--device \"/dev/\\x1b[2J\""));
  REQUIRE(strange.size() == 1);
  CHECK(strange[0].message.contains("\\x1b"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "--device /dev/" + std::to_string(i) + " ";
  const auto findings = judge(container(many + "--privileged"));
  CHECK(findings.size() == 22);
  CHECK(findings[20].message == "and more of the same");
  CHECK(findings[21].rule == "privileged");
}

TEST_CASE("A command that is not the generator's is denied, whatever it runs") {
  CHECK(verdicts(judge(container("", "ExecStartPre=/bin/true\n"))) == Verdicts{"denied exec"});
  CHECK(verdicts(judge(container("", "ExecStop=/usr/bin/podman rm -v -f -i systemd-web\n"))) ==
        Verdicts{"denied exec"});
  CHECK(verdicts(judge(container("", "ExecReload=/usr/bin/podman kill --signal HUP systemd-web\n"))).empty());
  CHECK(verdicts(judge(container("", "ExecReload=/usr/bin/podman kill --signal HUP other\n"))) ==
        Verdicts{"denied exec"});
  CHECK(verdicts(judge(container("", "ExecReload=/usr/bin/podman exec --cidfile=%t/web.cid sh -c :\n"))).empty());
  CHECK(verdicts(judge(container("", "ExecReload=/usr/bin/podman exec --cidfile=%t/db.cid sh -c :\n"))) ==
        Verdicts{"denied exec"});
  GeneratedUnit unit = container("");
  const std::size_t podman = unit.text.find("/usr/bin/podman run");
  unit.text.replace(podman, 15, "/srv/bin/podman");
  CHECK(verdicts(judge(unit)) == Verdicts{"denied exec"});
}

TEST_CASE("A newer generator's command lines are known too") {
  GeneratedUnit unit = container("");
  const auto put = [&unit](const std::string& from, const std::string& to) {
    unit.text.replace(unit.text.find(from), from.size(), to);
  };
  put("ExecStop=/usr/bin/podman rm -v -f -i --cidfile=%t/%N.cid", "ExecStop=/usr/bin/podman rm -v -f -i systemd-%N");
  CHECK(judge(unit).empty());
}

TEST_CASE("Names of other apps are theirs") {
  PolicyPlaces places = places_of(kFolder);
  GeneratedUnit other = container("", "", "db");
  other.source_path = places.quadlet_dir + "/other/db.container";
  places.others = {other};
  CHECK(verdicts(judge_units({container("--name systemd-db")}, places)) == Verdicts{"denied foreign-name"});
  CHECK(verdicts(judge_units({container("--network container:systemd-db")}, places)) ==
        Verdicts{"denied foreign-namespace"});
  CHECK(
      judge_units({container("--network container:systemd-db"), container("", "", "db")}, places_of(kFolder)).empty());
}

TEST_CASE("Folders of the host, legerd and other apps are not for a unit") {
  for (const char* path :
       {"/", "/home", "/home/alice", "/home/alice/.", "/home/alice/.config", "/home/alice/.ssh/id", "/run/user/1000/x",
        "/var/run/x", "/proc/1", "/sys", "/home/alice/.local", "/home/alice/.local/state/leger/leger.db", "/srv/x.sock",
        "x", "/srv/\x02", "/home/alice/.config/containers/systemd/other/x", "/opt", "/opt/leger/bin/leger"}) {
    CAPTURE(path);
    CHECK(level_of(path) == PolicyLevel::denied);
  }
  for (const char* path : {"/tmp", "/tmp/", "/srv/../tmp", "/var/tmp", "/var", "/tmp/tmux-1000/default",
                           "/tmp/ssh-AbC/agent.7", "/tmp/.X11-unix/X0", "/tmp/./.ICE-unix"}) {
    CAPTURE(path);
    CHECK(level_of(path) == PolicyLevel::denied);
  }
  CHECK(level_of(kFolder + "/data", Access::writes) == PolicyLevel::denied);
  for (const char* path : {"/etc", "/usr/bin", "/home/alice/.bashrc", "/tmp/x", "/tmp/tmux", "/var/tmp/x"}) {
    CAPTURE(path);
    CHECK(level_of(path) == PolicyLevel::flagged);
  }
  CHECK(level_of("/etc/localtime", Access::writes) == PolicyLevel::flagged);
  for (const char* path : {"/srv", "/home/alice/data", "/home/alicex", "/tmpx", "/opt/leger/share", "/etc/localtime",
                           "/run/media/alice/disk"}) {
    CAPTURE(path);
    CHECK(is_fine(path));
  }
  CHECK(is_fine("/srv/data", Access::writes));
  CHECK(is_fine(kFolder + "/x/../x.conf"));
  CHECK(normal_path("//a/./b/../c/") == "/a/c");
  CHECK(normal_path("/../..") == "/");
}

TEST_CASE("Sockets in /tmp and legerd's own programs are not for a mount, however it is written") {
  for (const char* options :
       {"-v /tmp:/t", "-v /tmp/tmux-1000:/t", "-v /tmp/ssh-AbC:/t:ro", "--mount type=bind,src=/tmp/.X11-unix,dst=/t,ro",
        "--mount type=glob,src=/tmp/tm*,dst=/t", "-v /var/tmp/:/t", "-v /opt/leger/bin:/t", "-v /opt/leger:/t"}) {
    CAPTURE(options);
    CHECK(verdicts(judge(container(options))) == Verdicts{"denied host-path"});
  }
  CHECK(verdicts(judge(container("-v /tmp/mine:/t"))) == Verdicts{"flagged system-path"});
  CHECK(judge(container("-v /srv/data:/t")).empty());
}

TEST_CASE("A secret or mount with a variable is denied, which may hold a comma and another source") {
  for (const char* options : {"--secret ${X}a", "--secret token,target=${X}", "--secret %m",
                              "--secret token,target=/%m", "--mount type=bind,src=/srv,dst=${X}", "-v /srv:/x${X}"}) {
    CAPTURE(options);
    CHECK(verdicts(judge(container(options))) == Verdicts{"denied variable"});
  }
  CHECK(judge(container("--secret token,target=/a$$b%%c")).empty());
  CHECK(judge(container("-v ${HOME}/data:/x/%m")).empty());
}

TEST_CASE("A mount has one type, and where it has two the first counts") {
  CHECK(verdicts(judge(container("--mount type=bind,src=/,dst=/x,type=tmpfs"))) ==
        Verdicts{"denied host-path", "denied mount-type"});
  CHECK(verdicts(judge(container("--mount type=bind,src=/srv,dst=/x,\"TYPE=image\""))) ==
        Verdicts{"denied mount-type"});
  CHECK(verdicts(judge(container("--mount type=tmpfs,type=tmpfs,dst=/x"))) == Verdicts{"denied mount-type"});
  CHECK(judge(container("--mount type=bind,src=/srv/data,dst=/x,ro")).empty());
}

TEST_CASE("The pods' YAML has no tags, directives or letters that hide words") {
  for (const char* text :
       {"%TAG !e! tag:yaml.org,2002:\n---\n!e!binary aG9zdFBhdGg=: {path: /home}\n", "%YAML 1.1\n---\na: b\n",
        "\ufeff%TAG ! tag:yaml.org,2002:\n---\na: b\n", "a: b\r%TAG", "a: b\n\ufeff%TAG", "a: b\u2028!x y", "!x a: b\n",
        "a: !x b\n", "a:\n\t!x b\n", "[!x b]", "{!x b: c}", "{?!x b: c}", "[a,!x b]", "-!x", "a:!x b",
        "\ufeff\ufeff!x a: b\n", "ho\u017ftPath: {}", "a: \u212a"}) {
    CAPTURE(text);
    CHECK(judge_kube(text) == Verdicts{"flagged kube", "denied kube-file"});
  }
  for (const char* text : {"a: 100%\n", "a: b!\n", "a: b!!c\n", "a: 5 % 2 #!/bin/sh\n", "a: \"b!\"\n"}) {
    CAPTURE(text);
    CHECK(judge_kube(text) == Verdicts{"flagged kube"});
  }
}

TEST_CASE("Drop-ins may change the units of their own bundle only") {
  const auto files = [](const std::string& dropin) {
    return std::vector<std::string>{"web.container", "a-.pod", dropin};
  };
  CHECK(judge_dropins(files("web.container.d/10.conf")).empty());
  CHECK(judge_dropins(files("conf.d/nginx.conf")).empty());
  for (const char* dropin : {"container.d/10.conf", "web-.container.d/10.conf", "db.container.d/10.conf",
                             "units/volume.d/10.conf", "a-.pod.d/10.conf"}) {
    CAPTURE(dropin);
    const auto findings = judge_dropins(files(dropin));
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].id == std::string("foreign-dropin:") + dropin);
    CHECK(findings[0].level == PolicyLevel::denied);
  }
}

TEST_CASE("A denial is lifted by its rule, for every app or for one") {
  const auto lifted = [](const std::string& entry) {
    auto findings = judge(container("--privileged --pid host"));
    apply_allowances(findings, "shop", {entry});
    return verdicts(findings);
  };
  CHECK(lifted("privileged") == Verdicts{"flagged privileged", "denied host-pid"});
  CHECK(lifted("shop:host-pid") == Verdicts{"denied privileged", "flagged host-pid"});
  CHECK(lifted("other:host-pid") == Verdicts{"denied privileged", "denied host-pid"});
  CHECK(allowance_problem("privileged").empty());
  CHECK(allowance_problem("shop:privileged").empty());
  CHECK(allowance_problem("shop:privilege").contains("privileged"));
  CHECK(allowance_problem("Shop:privileged").contains("names no app"));
}

}  // namespace leger::test
