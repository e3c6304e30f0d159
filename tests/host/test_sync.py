"""Secrets that change while apps run, on a real host: exactly their users are restarted, and come back together."""

import subprocess
import unittest

from leger_host import SCRIPT, HostCase, must, wait_until
from secret_apps import containers, install, restarted, set_secret, value_in


class Sync(HostCase):
    """The app `one` has a user of the secret `shared` and one of `own`, the app `two` another user of `shared`."""

    @classmethod
    def prepare(cls):
        cls.host.build_image()
        must(set_secret(cls.host, "shared", "first"))
        must(set_secret(cls.host, "own", "mine"))
        install(cls.host, "one", {"a": ["shared"], "b": ["own"]})
        install(cls.host, "two", {"c": ["shared"]})

    def setUp(self):
        must(set_secret(self.host, "shared", "first"))
        must(self.host.leger("secrets", "sync"))
        self.before = containers(self.host)

    def restarted(self):
        return restarted(self.before, containers(self.host))

    def values(self):
        return {value_in(self.host, unit, "shared") for unit in ("a", "c")}

    def last(self):
        return self.host.leger_data("deploy", "list")["deployments"][0]

    def test_a_sync_restarts_exactly_the_users_of_what_changed(self):
        self.succeeds(set_secret(self.host, "shared", "second"))
        self.assertEqual(self.values(), {"first"})
        self.assertEqual(self.restarted(), set())
        out = self.succeeds(self.host.leger("secrets", "sync"))
        self.assertIn("a.service", out)
        self.assertIn("secret shared", out)
        self.assertEqual(self.values(), {"second"})
        self.assertEqual(self.restarted(), {"a", "c"})
        self.before = containers(self.host)
        self.assertIn("Nothing to restart", self.succeeds(self.host.leger("secrets", "sync")))
        self.assertEqual(self.restarted(), set())

    def test_set_and_rollback_with_apply(self):
        out = self.succeeds(set_secret(self.host, "own", "other", "--apply"))
        self.assertIn("Running apps are up to date", out)
        self.assertEqual(self.restarted(), {"b"})
        self.assertEqual(value_in(self.host, "b", "own"), "other")
        self.succeeds(self.host.leger("secrets", "rollback", "own", "--apply"))
        self.assertEqual(value_in(self.host, "b", "own"), "mine")
        self.assertEqual(self.values(), {"first"})

    def test_a_value_with_which_one_app_fails_is_taken_back_from_all(self):
        outcome = set_secret(self.host, "shared", "bad", "--apply")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("they run with the values before", outcome.err)
        self.assertIn(".service", outcome.err)
        self.assertEqual(self.values(), {"first"})
        self.assertEqual(self.last()["state"], "rolled_back")
        self.assertEqual(value_in(self.host, "b", "own"), "mine")
        self.assertNotIn("b", self.restarted())

    def test_an_install_with_a_newer_value_takes_the_other_apps_along(self):
        self.succeeds(set_secret(self.host, "shared", "third"))
        install(self.host, "three", {"d": ["shared"]})
        self.assertEqual(self.values(), {"third"})
        self.assertEqual(self.restarted(), {"a", "c", "d"})
        self.succeeds(self.host.leger("deploy", "remove", "three"))
        self.assertEqual(self.values(), {"third"})

    def test_kill_9_in_the_middle(self):
        for state in ("starting", "checking"):
            with self.subTest(state=state):
                self.setUp()
                known = self.last()["id"]
                self.succeeds(set_secret(self.host, "shared", "fourth"))
                client = subprocess.Popen([*SCRIPT, "run", self.host.folder, "alice", "leger", "secrets", "sync"],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

                def is_there():
                    """the sync is in the state"""
                    row = self.last()
                    return row["id"] != known and row["state"] == state
                wait_until(is_there, 30, every=0)
                must(self.host.sh(f"kill -9 {self.host.main_pid()}"))
                client.communicate(timeout=120)

                def ended():
                    """the row of the sync has an end"""
                    row = self.last()
                    return row if row["finished_at"] else None
                self.assertEqual(wait_until(ended, 90)["state"], "rolled_back")
                self.assertEqual(self.values(), {"first"})
                self.succeeds(self.host.leger("secrets", "sync"))
                self.assertEqual(self.values(), {"fourth"})

    def test_a_secret_that_podman_lost_is_there_again_after_a_start(self):
        must(self.host.sh("podman secret rm shared"))
        must(self.host.sh("systemctl --user restart legerd.service"))

        def is_back():
            return "shared" in must(self.host.sh("podman secret ls --format '{{.Name}}'")).split()
        wait_until(is_back, 30)
        self.assertEqual(self.restarted(), set())
        must(self.host.sh("systemctl --user restart a.service"))
        self.assertEqual(value_in(self.host, "a", "shared"), "first")

    def test_a_podman_secret_of_somebody_else_is_not_overwritten(self):
        must(self.host.sh("printf theirs | podman secret create foreign -"))
        must(set_secret(self.host, "foreign", "ours"))
        with self.assertRaisesRegex(RuntimeError, "did not make for you"):
            install(self.host, "four", {"e": ["foreign"]})
        must(self.host.sh("podman secret rm foreign"))


if __name__ == "__main__":
    unittest.main()
