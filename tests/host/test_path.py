"""The first path through the whole house, on a real host: secret, release, deployment, removal, and after a crash, a
reboot and a power cut."""

import hashlib
import json
import unittest

from leger_host import Example, HostCase, must, wait_until

SECRET = "test123"


class Path(HostCase):
    """The four steps, as methods that the scenarios below put together."""

    @classmethod
    def prepare(cls):
        cls.example = Example()
        cls.host.build_image()

    def secret(self):
        for name in {"test_key", *self.example.secrets}:
            self.succeeds(self.host.sh(f"echo {SECRET} | leger secrets set {name} -"))
            self.assertEqual(self.succeeds(self.host.leger("secrets", "get", name)), SECRET, "without a newline")
        self.assertEqual(self.host.traces(SECRET), "")

    def upload(self):
        must(self.host.sh("tar -czf hello.tar.gz -C hello ."))
        self.succeeds(self.host.leger("releases", "upload", "hello.tar.gz"))

    def install(self):
        def outcome():
            """legerd, started again after a crash, has looked for what was interrupted"""
            tried = self.host.leger("deploy", "install", "latest")
            return None if "is finishing what was interrupted" in tried.err else tried
        self.succeeds(wait_until(outcome, 60))
        self.app_answers()

    def app_answers(self):
        """The page holds the secret's hash and a line of the bundled file: the container got both."""
        page = self.host.get(self.example.url, limit=60)
        self.assertIn(hashlib.sha256(SECRET.encode()).hexdigest(), page)
        lines = [line.strip() for line in self.example.side_file().splitlines()]
        self.assertTrue([line for line in lines if line and not line.startswith("#") and line in page], page)

    def status_says_running(self):
        out = self.succeeds(self.host.leger("status"))
        lines = [line for line in out.splitlines() if "running" in line]
        self.assertTrue([line for line in lines if self.example.name in line], out)
        self.assertNotIn("failed", out)

    def remove(self, before):
        self.succeeds(self.host.leger("deploy", "remove"))
        self.assertEqual(self.host.leavings(), before)
        self.assertNotEqual(self.host.sh(f"curl -fsS --max-time 5 {self.example.url}").code, 0)
        # Data outlives its app.
        self.assertIn(self.example.name, must(self.host.sh("podman volume ls --format '{{.Name}}'")))


class FourSteps(Path):
    def test_the_path_twice_and_the_app_is_installed_where_the_design_says(self):
        before = self.host.leavings()
        for _ in range(2):
            self.secret()
            self.upload()
            self.install()
            folder = f"~/.config/containers/systemd/{self.example.name}"
            self.assertEqual(self.host.sh(f"find {folder} -type f ! -perm 600").out, "")
            for path in self.example.manifest["files"]:
                self.assertEqual(self.host.sh(f"cmp hello/{path} {folder}/{path}").code, 0, path)
            self.status_says_running()
            self.remove(before)
        self.assertEqual(self.host.traces(SECRET), "")

    def test_json_prints_data_alone(self):
        self.secret()
        data = self.host.leger_data("secrets", "get", "test_key")
        self.assertEqual((data["name"], data["value"]), ("test_key", SECRET))
        listed = self.host.leger_data("secrets", "list")
        self.assertIn("test_key", [secret["name"] for secret in listed["secrets"]])
        self.assertNotIn(SECRET, json.dumps(listed))


class Crash(Path):
    def test_kill_9_between_upload_and_install(self):
        before = self.host.leavings()
        self.secret()
        self.upload()
        killed = self.host.main_pid()
        must(self.host.sh(f"kill -9 {killed}"))
        self.install()
        self.assertNotIn(self.host.main_pid(), (0, killed))
        self.status_says_running()
        self.assertEqual(self.succeeds(self.host.leger("secrets", "get", "test_key")), SECRET)
        self.remove(before)

    def test_clients_wait_at_the_socket_while_legerd_is_off(self):
        self.secret()
        must(self.host.sh("systemctl --user stop legerd.service"))
        self.assertEqual(self.succeeds(self.host.leger("secrets", "get", "test_key")), SECRET)
        self.host.wait_active("legerd.service")


class Reboot(Path):
    def comes_back(self, how):
        """legerd and the app are there again, before anyone asks for them, and the path goes on to its end."""
        before = self.host.leavings()
        self.secret()
        self.upload()
        self.install()
        getattr(self.host, how)()
        self.host.boot()
        self.host.wait_active("legerd.service")
        self.app_answers()
        self.status_says_running()
        self.assertEqual(self.succeeds(self.host.leger("secrets", "get", "test_key")), SECRET)
        self.assertEqual(self.host.traces(SECRET), "")
        self.remove(before)

    def test_after_a_reboot(self):
        self.comes_back("off")

    def test_after_a_power_cut(self):
        self.comes_back("cut")

    def test_a_power_cut_between_upload_and_install(self):
        before = self.host.leavings()
        self.secret()
        self.upload()
        self.host.cut()
        self.host.boot()
        self.install()
        self.remove(before)


class Units(HostCase):
    """The installed units, and the doors and files that legerd makes."""

    def test_systemd_finds_nothing_wrong_with_the_units(self):
        outcome = self.host.sh("systemd-analyze --user verify /etc/systemd/user/legerd*")
        self.assertEqual((outcome.code, outcome.out, outcome.err), (0, "", ""))

    def test_the_service_notifies_and_is_watched(self):
        shown = dict(line.split("=", 1) for line in must(self.host.sh(
            "systemctl --user show legerd.service -p Type -p WatchdogUSec -p ActiveState -p SubState -p NRestarts")).splitlines())
        self.assertEqual((shown["Type"], shown["ActiveState"], shown["SubState"], shown["NRestarts"]), ("notify", "active", "running", "0"))
        self.assertNotIn(shown["WatchdogUSec"], ("0", "infinity"))

    def test_a_start_at_boot_and_by_the_sockets(self):
        self.assertEqual(must(self.host.sh("systemctl --user is-enabled legerd.service legerd.socket legerd-tcp.socket")), "enabled\n" * 3)
        self.assertIn("default.target", must(self.host.sh("systemctl --user show -P WantedBy legerd.service")))

    def test_sigterm_ends_it_cleanly(self):
        must(self.host.sh("systemctl --user restart legerd.service"))
        self.host.wait_active("legerd.service")
        must(self.host.sh("systemctl --user stop legerd.service"))
        self.assertEqual(must(self.host.sh("systemctl --user show -P Result legerd.service")), "success\n")
        must(self.host.sh("systemctl --user start legerd.service"))

    def test_only_the_user_reaches_the_socket_and_the_files(self):
        must(self.host.leger("secrets", "set", "test_key", "-", stdin="x\n"))
        modes = must(self.host.sh('stat -c %a "$XDG_RUNTIME_DIR/leger" "$XDG_RUNTIME_DIR/leger/legerd.sock"')).split()
        self.assertEqual(modes, ["700", "600"])
        for folder in ("~/.local/state/leger", "~/.config/leger"):
            found = self.host.sh(f"[ ! -d {folder} ] || find {folder} -perm /077")
            self.assertEqual((found.out, found.err), ("", ""))
        self.assertNotEqual(self.host.run("mallory", "ls", "/run/user/1000/leger").code, 0)

    def test_over_tcp_health_alone_answers(self):
        health = json.loads(self.host.get("http://127.0.0.1:8787/health"))
        self.assertEqual((health["status"], health["service"]), ("healthy", "legerd"))
        codes = must(self.host.sh(
            "for path in /health /api/health /api/secrets /api/releases /api/services /api/deployments /api/absent; do "
            "curl -s -o /dev/null -w '%{http_code} ' http://127.0.0.1:8787$path; done")).split()
        self.assertEqual(codes, ["200", "200", "401", "401", "401", "401", "401"])

    def test_one_legerd_a_state_folder(self):
        wait_until(lambda: self.host.main_pid())
        outcome = self.host.sh("timeout 20 legerd --socket '' --listen 127.0.0.1:8799")
        self.assertNotIn(outcome.code, (0, 124), outcome)
        self.assertTrue(outcome.err)

    def test_wrong_usage_is_2_and_help_is_0(self):
        for arguments in ([], ["no-such-command"], ["secrets", "set"], ["--no-such-flag"], ["releases", "upload"],
                          ["--server", "http://127.0.0.1:8787", "--socket", "/x", "status"]):
            with self.subTest(arguments=arguments):
                outcome = self.host.leger(*arguments)
                self.assertEqual(outcome.code, 2, outcome)
                self.assertTrue(outcome.err)
                self.assertEqual(outcome.out, "")
        self.assertEqual(self.host.leger("--help").code, 0)


if __name__ == "__main__":
    unittest.main()
