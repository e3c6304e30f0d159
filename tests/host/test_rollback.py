"""Going back on request, on a real host: release, files, units and secrets change places with what was before."""

from image_apps import SLEEP, Apps, container
from leger_host import HostCase, must, wait_until

IMAGE = "localhost/web:1"
SHOW = "cp /etc/site.conf /data/shown; cat /run/secrets/token >>/data/shown"
HEALS = "[ ! -e /data/spoilt ] || exit 1; "


class Rollback(HostCase):
    @classmethod
    def prepare(cls):
        cls.apps = Apps(cls.host)
        cls.apps.build(IMAGE, "one")

    def secret(self, value):
        must(self.host.leger("secrets", "set", "token", "-", stdin=value))

    def files(self, text, other):
        web = container(IMAGE, "Pull=never", "Secret=token", "Volume=./site.conf:/etc/site.conf:ro", "Volume=data.volume:/data",
                        command=f"{SHOW}; {SLEEP}")
        return {"web.container": web, f"{other}.container": container(IMAGE, "Pull=never"),
                "data.volume": "[Volume]\n", "site.conf": text}

    def back(self, *arguments):
        return self.host.leger("deploy", "rollback", *arguments, "--yes")

    def active(self):
        lines = must(self.host.sh("systemctl --user list-units --plain --no-legend 'web.service' 'old.service' 'new.service'"))
        return sorted(line.split()[0] for line in lines.splitlines())

    def shown(self):
        return must(self.host.sh("podman exec systemd-web cat /data/shown"))

    def look(self):
        return self.active(), self.shown(), must(self.host.sh("cat ~/.config/containers/systemd/shop/site.conf"))

    def test_two_generations_change_places(self):
        self.assertIn("is deployed", self.back("shop").err)
        self.secret("alpha")
        self.succeeds(self.apps.deploy("shop", self.files("first ", "old")))
        first = self.look()
        self.assertEqual(first, (["old.service", "web.service"], "first alpha", "first "))
        outcome = self.back("shop")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("nothing before", outcome.err)
        self.secret("beta")
        self.succeeds(self.apps.deploy("shop", self.files("second ", "new")))
        second = self.look()
        self.assertEqual(second, (["new.service", "web.service"], "second beta", "second "))
        for expected in (first, second, first):
            self.succeeds(self.back())
            self.assertEqual(self.look(), expected)
        newest = self.apps.newest()
        self.assertEqual((newest["kind"], newest["state"], newest["version"]), ("rollback", "deployed", 1))
        self.assertEqual(self.host.leger("deploy", "rollback", "shop").code, 2, "nobody was asked")
        self.kill_during_rollbacks(first, second)
        before_removal = self.host.leavings()
        self.assertIn("shop", before_removal)
        self.succeeds(self.host.leger("deploy", "remove", "shop"))
        self.assertEqual(self.host.sh("ls -A ~/.config/containers/leger-staging").out, "")

    def kill_during_rollbacks(self, first, second):
        """kill -9 at some moments of a rollback: afterwards the app is wholly what it was, or what it was to be."""
        def settled():
            """legerd has finished what was interrupted"""
            rows = self.host.leger("--json", "deploy", "list")
            return rows.code == 0 and self.apps.newest()["finished_at"]
        for delay in ("0.1", "0.4", "0.9"):
            with self.subTest(delay=delay):
                must(self.host.sh(f"""
                    (leger deploy rollback shop --yes >/dev/null 2>&1 &)
                    sleep {delay}; kill -9 $(systemctl --user show -P MainPID legerd.service)"""))
                wait_until(settled, 90)
                self.host.wait_active("web.service")
                wait_until(lambda: self.look() in (first, second), 30)


class ComesBack(HostCase):
    @classmethod
    def prepare(cls):
        cls.apps = Apps(cls.host)
        cls.apps.build(IMAGE, "one")

    def test_a_rollback_that_fails_leaves_what_runs(self):
        def files(command):
            return {"web.container": container(IMAGE, "Pull=never", "Volume=data.volume:/data", command=command + SLEEP),
                    "data.volume": "[Volume]\n"}
        self.succeeds(self.apps.deploy("shop", files(HEALS)))
        self.succeeds(self.apps.deploy("shop", files("touch /data/spoilt; ")))
        before = self.host.leavings()
        outcome = self.host.leger("deploy", "rollback", "--yes")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("web.service", outcome.err)
        self.assertEqual(self.apps.newest()["state"], "rolled_back")
        self.assertEqual(self.host.leavings(), before)
        self.succeeds(self.host.leger("deploy", "remove", "shop"))
