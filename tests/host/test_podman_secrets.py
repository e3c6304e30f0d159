"""podman_secrets = "legerd" on a real host: Podman keeps no value and asks at each start of a container."""

import base64
import json
import unittest

from leger_host import HostCase, LegerHost, must, wait_until
from secret_apps import containers, install, set_secret, value_in

CANARY = "canary-that-podman-must-not-keep"


class AskingHost(LegerHost):
    def configuration(self):
        return 'podman_secrets = "legerd"\n' + super().configuration()


class Asking(HostCase):
    host_type = AskingHost

    @classmethod
    def prepare(cls):
        cls.host.build_image()
        must(set_secret(cls.host, "shared", CANARY))
        install(cls.host, "one", {"a": ["shared"]})

    def setUp(self):
        self.configure("legerd")
        must(set_secret(self.host, "shared", CANARY))
        must(self.host.leger("secrets", "sync"))

    def configure(self, keeper):
        if self.driver_is(keeper):
            return
        self.host.write(".config/leger/legerd.toml", f'podman_secrets = "{keeper}"\n[deploy]\nsettle_s = 2\n')
        must(self.host.sh("systemctl --user restart legerd.service"))
        wait_until(lambda: self.driver_is(keeper), 30)

    def driver_is(self, keeper):
        driver = self.host.sh("podman secret inspect shared --format '{{.Spec.Driver.Name}}'").out.strip()
        return driver == {"legerd": "shell", "file": "file"}[keeper]

    def kept(self):
        """Podman's files that hold the value, plain or encoded."""
        encoded = [CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("=")[:-1], CANARY.encode().hex()]
        patterns = " ".join(f"-e {pattern}" for pattern in encoded)
        return self.host.sh(f"grep -r -a -l -i -F {patterns} ~/.local/share/containers").out.splitlines()

    def lookups(self):
        return self.host.leger_data("audit", "--action", "secret.lookup", "--limit", "100")["entries"]

    def test_a_container_gets_the_value_and_it_is_on_record(self):
        before = len(self.lookups())
        must(self.host.sh("systemctl --user restart a.service"))
        self.assertEqual(value_in(self.host, "a", "shared"), CANARY)
        entries = self.lookups()
        self.assertEqual(len(entries), before + 1)
        self.assertEqual((entries[0]["object"], entries[0]["source"], entries[0]["outcome"]), ("shared", "podman", "ok"))

    def test_podman_keeps_it_nowhere_but_in_the_container_that_runs(self):
        # Podman itself gives a container its secrets as files of its own folder, which goes with the container.
        own = [path for path in self.kept() if "/userdata/secrets/" not in path]
        self.assertEqual(own, [])
        self.assertNotIn(CANARY, must(self.host.sh("podman secret inspect --showsecret=false shared")))
        must(self.host.sh("systemctl --user stop a.service"))
        self.assertEqual(self.kept(), [])
        must(self.host.sh("systemctl --user start a.service"))
        self.assertEqual(self.host.traces(CANARY), "")

    def test_a_restart_gets_the_deployed_version_and_a_sync_the_newest(self):
        must(set_secret(self.host, "shared", "newer"))
        must(self.host.sh("systemctl --user restart a.service"))
        self.assertEqual(value_in(self.host, "a", "shared"), CANARY)
        before = containers(self.host)
        self.succeeds(self.host.leger("secrets", "sync"))
        self.assertNotEqual(containers(self.host)["a"], before["a"])
        self.assertEqual(value_in(self.host, "a", "shared"), "newer")

    def test_a_bad_value_is_taken_back(self):
        outcome = set_secret(self.host, "shared", "bad", "--apply")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(value_in(self.host, "a", "shared"), CANARY)

    def test_any_bytes_arrive_as_they_are(self):
        value = bytes(range(256)) * 40
        must(self.host.sh("leger secrets set shared - --raw --apply", stdin=value))
        self.assertEqual(must(self.host.sh("podman exec systemd-a cat /run/secrets/shared | base64 -w0")), base64.b64encode(value).decode())

    def test_only_what_is_deployed_is_answered(self):
        uuid = json.loads(must(self.host.sh("podman secret inspect shared")))[0]["Spec"]["Labels"]["leger.user"]
        must(set_secret(self.host, "unused", "x"))
        for name, version in (("unused", "1"), ("shared", "99999"), ("absent", "1")):
            refused = self.host.leger("podman-secret", "lookup", uuid, name, version)
            self.assertEqual((refused.code, refused.out), (1, ""), refused)

    def test_other_secrets_of_podman_outlive_ours(self):
        must(self.host.sh("printf theirs | podman secret create theirs -"))
        must(set_secret(self.host, "fresh", "y"))
        install(self.host, "two", {"f": ["fresh"]})
        self.succeeds(self.host.leger("deploy", "remove", "two"))
        self.assertEqual(must(self.host.sh("podman secret ls --format '{{.Name}}' | sort")).split(), ["shared", "theirs"])
        must(self.host.sh("podman secret rm theirs"))

    def test_the_setting_is_changed_back_and_forth(self):
        before = containers(self.host)
        self.configure("file")
        self.assertTrue([path for path in self.kept() if "/storage/secrets/" in path])
        must(self.host.sh("systemctl --user restart a.service"))
        self.assertEqual(value_in(self.host, "a", "shared"), CANARY)
        self.configure("legerd")
        self.assertFalse([path for path in self.kept() if "/storage/secrets/" in path])
        self.assertEqual(containers(self.host).keys(), before.keys())

    def test_after_a_reboot_and_a_power_cut(self):
        for how in ("off", "cut"):
            getattr(self.host, how)()
            self.host.boot()
            self.host.wait_active("a.service")
            self.assertEqual(value_in(self.host, "a", "shared"), CANARY)

    def test_an_app_that_comes_before_legerd_waits_for_it(self):
        must(self.host.sh("systemctl --user disable legerd.service legerd.socket legerd-tcp.socket"))
        self.host.off()
        self.host.boot()

        def is_waiting():
            """the container's start waits for its secret"""
            running = self.host.sh("systemctl --user is-active a.service").out.strip()
            return running == "activating" and "podman-secret" in self.host.sh("ps -e -o args").out
        wait_until(is_waiting, 30)
        self.assertNotEqual(self.host.sh("systemctl --user is-active legerd.service").out.strip(), "active")
        must(self.host.sh("systemctl --user enable --now legerd.socket legerd.service"))
        self.host.wait_active("a.service")
        self.assertEqual(value_in(self.host, "a", "shared"), CANARY)


if __name__ == "__main__":
    unittest.main()
