"""Events of real deployments, and what a failed one has to tell: journal, health log, generator; never a secret."""

import json
import unittest

from leger_host import Example, HostCase, must, pack, wait_until

SECRET = "hunter2-and-more"
SOCKET = "curl -sS -N --max-time 60 --unix-socket $XDG_RUNTIME_DIR/leger/legerd.sock"


def events_of(text):
    """(id, kind, data) of each event of a stream."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            events.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return events


def bundle(name, container):
    manifest = {"version": 1, "deployment_name": name, "created_at": "2026-11-22T00:00:00Z", "files": [f"{name}.container"],
                "services": [{"name": name, "type": "container", "image": "localhost/leger-hello:latest"}],
                "secrets_required": ["test_key"] if "Secret=" in container else []}
    return pack({"manifest.json": json.dumps(manifest), f"{name}.container": container})


def container(command, *lines):
    return "\n".join(["[Container]", "Image=localhost/leger-hello:latest", "Pull=never", "Secret=test_key",
                      f"Exec=sh -c '{command}'", *lines, ""])


class Events(HostCase):
    @classmethod
    def prepare(cls):
        cls.example = Example()
        cls.host.build_image()
        for name in {"test_key", *cls.example.secrets}:
            must(cls.host.sh(f"echo {SECRET} | leger secrets set {name} -"))

    def upload(self, name, text):
        self.host.write(f"{name}.tar.gz", bundle(name, text))
        must(self.host.leger("releases", "upload", f"{name}.tar.gz"))

    def newest(self, name):
        return self.host.leger_data("deploy", "list", "--name", name)["deployments"][0]

    def stream(self, deployment, *headers):
        wanted = " ".join(f"-H '{header}'" for header in headers)
        return must(self.host.sh(f"{SOCKET} {wanted} http://h/api/deployments/{deployment}/events"))

    def report_of(self, name, text):
        self.upload(name, text)
        outcome = self.host.leger("deploy", "install", name)
        self.assertEqual(outcome.code, 1, outcome)
        row = self.newest(name)
        self.assertEqual(row["state"], "rolled_back")
        self.assertEqual(row["error"]["unit"], f"{name}.service")
        self.assertNotIn(SECRET, json.dumps(row))
        self.assertNotIn(SECRET, outcome.out + outcome.err)
        return row["error"], outcome

    def test_events_arrive_live_in_order_and_again(self):
        must(self.host.sh("leger releases upload hello"))
        started = json.loads(must(self.host.sh(
            f"{SOCKET} -H 'Content-Type: application/json' -d \"{{\\\"version\\\":$(leger --json releases show hello | "
            "sed 's/.*\"version\":\\([0-9]*\\).*/\\1/')}\" http://h/api/deployments")))
        self.assertTrue(started["success"], started)
        deployment = started["data"]["id"]
        live = events_of(self.stream(deployment))
        states = [data["state"] for _, kind, data in live if kind == "state"]
        self.assertEqual(states[-4:], ["switching", "starting", "checking", "deployed"])
        self.assertEqual(live[-1][1:], ("end", {"state": "deployed"}))
        self.assertIn({"step": "starting", "unit": "hello.service", "text": "started"},
                      [data for _, kind, data in live if kind == "progress"])
        self.assertEqual(events_of(self.stream(deployment)), live, "replayed")
        after = live[2][0]
        self.assertEqual(events_of(self.stream(deployment, f"Last-Event-ID: {after}")), live[3:])
        must(self.host.sh("systemctl --user restart legerd.service"))

        def answers():
            return self.host.sh("leger status").code == 0
        wait_until(answers)
        past = [event[1:] for event in events_of(self.stream(deployment))]
        self.assertEqual(past, [("state", {"state": "deployed"}), ("end", {"state": "deployed"})], "of an earlier process")
        told = must(self.host.leger("deploy", "status"))
        self.assertIn("hello.service  running", told)
        self.assertIn("secret  test_key v", told)
        self.assertIn("deployed", must(self.host.leger("deploy", "history", "hello")))
        must(self.host.leger("deploy", "remove", "hello"))

    def test_a_pipe_gets_lines_of_units(self):
        self.upload("calm", container("exec sleep 1000"))
        out = self.succeeds(self.host.leger("deploy", "install", "calm"))
        self.assertIn("starting…\n  calm.service: starting\n  calm.service: started\n", out)
        must(self.host.leger("deploy", "remove", "calm"))

    def test_lines_of_a_container_that_crashes_are_in_the_report(self):
        report, outcome = self.report_of("crashy", container(
            "echo the port is taken; cat /run/secrets/test_key; echo; exit 3", "[Service]", "Restart=always", "RestartSec=1"))
        self.assertIn("the port is taken", report["journal"])
        self.assertIn("[secret test_key]", "".join(report["journal"]))
        self.assertIn("    the port is taken\n", outcome.err)
        self.assertIn("unit: crashy.service", outcome.err)

    def test_the_health_log_of_an_unhealthy_container_is_in_the_report(self):
        report, outcome = self.report_of("sick", container(
            "exec sleep 1000", "HealthCmd=echo no page from $(cat /run/secrets/test_key); exit 1", "HealthInterval=1s",
            "HealthRetries=1", "[Service]", "Restart=no"))
        self.assertTrue(report["health"], report)
        self.assertEqual(report["health"][-1]["exit_code"], 1)
        self.assertIn("no page from [secret test_key]", report["health"][-1]["output"])
        self.assertIn("no page from", outcome.err)

    def test_legerd_killed_in_the_middle_is_followed_on(self):
        self.upload("slow", container("exec sleep 1000", "HealthCmd=false", "HealthInterval=1s", "HealthStartPeriod=100s",
                                      "HealthRetries=100"))
        outcome = self.host.sh("""
            leger deploy install slow >out 2>err & leger=$!
            for _ in $(seq 300); do grep -q 'until it is healthy' out && break; sleep 0.1; done
            kill -9 "$(systemctl --user show -P MainPID legerd.service)"
            wait $leger; code=$?
            cat out err; exit $code""")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("slow.service: waiting until it is healthy", outcome.out)
        self.assertIn("slow v", outcome.out)
        self.assertIn("was not deployed; what ran before runs again: legerd was interrupted", outcome.out)
        self.assertEqual(self.newest("slow")["state"], "rolled_back")


if __name__ == "__main__":
    unittest.main()
