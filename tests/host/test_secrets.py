"""The vault on a real host: what a deployed app holds on to, what is on record, and both kinds of keys changed beneath
it, by a legerd in the sandbox of its unit."""

import json

from leger_host import Example, HostCase, must, wait_until

VALUE = "canary-of-the-vault"


class Secrets(HostCase):
    @classmethod
    def prepare(cls):
        cls.example = Example()
        cls.host.build_image()
        for name in cls.example.secrets:
            must(cls.host.sh(f"printf %s {VALUE} | leger secrets set {name} -"))
        must(cls.host.sh("tar -czf hello.tar.gz -C hello . && leger releases upload hello.tar.gz && leger deploy install latest"))

    @property
    def name(self):
        return self.example.secrets[0]

    def entries(self, *words):
        return self.host.leger_data("audit", *words)["entries"]

    def audit_is_whole(self):
        self.assertIn("The audit is whole", self.succeeds(self.host.leger("audit", "verify")))

    def test_a_secret_of_a_deployed_app_stays_and_its_reading_is_on_record(self):
        refused = self.host.leger("secrets", "delete", self.name, "--force")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn(self.example.name, refused.err)
        self.assertEqual(self.succeeds(self.host.leger("secrets", "get", self.name)), VALUE)
        reads = self.entries("--object", self.name, "--action", "secret.read")
        self.assertEqual(reads[0]["source"], "socket")
        self.assertTrue([read for read in reads if read["source"].startswith("deployment ")], reads)
        ends = [entry["outcome"] for entry in self.entries("--action", "deployment.install")]
        self.assertEqual(ends[:2], ["deployed", "started"])
        self.assertNotIn(VALUE, json.dumps(self.entries("--limit", "1000")))
        self.audit_is_whole()

    def test_a_command_gets_secrets_in_its_environment_and_nobody_else_sees_them(self):
        shown = self.host.sh(f"leger run --secret {self.name}=KEY -- sh -c 'printf %s \"$KEY\"; tr \"\\0\" \" \" </proc/$$/cmdline >&2'")
        self.assertEqual((shown.code, shown.out), (0, VALUE), shown)
        self.assertNotIn(VALUE, shown.err)
        self.assertEqual(self.host.sh(f"leger run --secret {self.name}=KEY -- sh -c 'exit 7'").code, 7)

    def test_both_kinds_of_keys_change_beneath_running_apps_and_survive_a_kill_and_a_restart(self):
        self.assertIn("in use", self.succeeds(self.host.leger("admin", "rotate-key")))
        must(self.host.sh("umask 277 && head -c 32 /dev/urandom >~/new.kek"))
        self.succeeds(self.host.leger("admin", "rotate-kek", "--new-key", "new.kek"))
        must(self.host.sh(f"kill -9 {self.host.main_pid()}"))

        def value():
            return self.host.leger("secrets", "get", self.name).out
        # Before the new file stands in the place of the old one, and afterwards.
        self.assertEqual(wait_until(value), VALUE)
        must(self.host.sh("install -m 400 ~/new.kek ~/.config/leger/leger.kek && rm -f ~/new.kek && systemctl --user restart legerd.service"))
        self.assertEqual(wait_until(value), VALUE)
        self.assertEqual(self.host.traces(VALUE), "")
        self.audit_is_whole()
        actions = {entry["action"] for entry in self.entries("--limit", "1000")}
        self.assertLessEqual({"key.rotate_data", "key.drop_older", "key.rotate_kek"}, actions)
