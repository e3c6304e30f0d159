"""Images on a real host: pulled before anything is touched, from registries that want a password, recorded with their
deployment, and there still when it is gone back to."""

import base64
import json

from image_apps import REGISTRY, Apps, container
from leger_host import HostCase, must

REMOTE = f"{REGISTRY}/team/app:1.json"
LOCAL = "localhost/web:latest"
USER, PASSWORD = "puller", "hunter2-canary"


class Images(HostCase):
    @classmethod
    def prepare(cls):
        cls.apps = Apps(cls.host)

    def fails(self, outcome, *parts):
        self.assertEqual(outcome.code, 1, outcome)
        for part in parts:
            self.assertIn(part, outcome.err)


class PrivateRegistry(Images):
    def sign_in(self, path):
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.host.write(path, json.dumps({"auths": {REGISTRY: {"auth": auth}}}))

    def test_the_users_own_password_is_used_and_nothing_is_touched_without_it(self):
        built = self.apps.build("localhost/remote", "remote")
        self.apps.serve_registry("localhost/remote", USER, PASSWORD)
        before = self.host.leavings()
        self.fails(self.apps.deploy("shop", {"web.container": container(REMOTE)}), REMOTE, "authentication required", f"podman login {REGISTRY}")
        self.assertEqual(self.host.leavings(), before)
        self.assertEqual(self.apps.newest()["state"], "rolled_back")
        for path in (".config/containers/auth.json", "/run/user/1000/containers/auth.json"):
            with self.subTest(path=path):
                self.sign_in(path)
                self.succeeds(self.host.leger("deploy", "install", "latest", "--yes"))
                self.assertEqual(self.apps.image_of("web"), built)
                [image] = self.apps.newest()["plan"]["image_digests"]
                self.assertEqual((image["image"], image["id"]), (REMOTE, built))
                self.assertRegex(image["digest"], rf"^{REGISTRY}/team/app@sha256:[0-9a-f]{{64}}$")
                self.succeeds(self.host.leger("deploy", "remove", "shop"))
                must(self.host.sh(f"rm {path} && podman rmi {REMOTE}"))
        self.fails(self.host.leger("deploy", "install", "latest", "--yes"), "authentication required")
        self.assertEqual(self.host.traces(PASSWORD), "")
        self.assertNotIn(PASSWORD, must(self.host.sh("journalctl --user -u legerd.service --no-pager")))
        self.assertEqual(self.host.leavings(), before)


class Names(Images):
    def test_a_name_that_cannot_be_found_is_refused_or_fails_before_the_switch(self):
        before = self.host.leavings()
        outcome = self.apps.deploy("shop", {"web.container": container("web:1")})
        self.fails(outcome, "without a registry")
        self.fails(self.apps.deploy("shop", {"web.container": container("localhost/absent:1", "Pull=never")}), "is not on this host")
        self.fails(self.apps.deploy("shop", {"web.container": container("localhost/absent:1")}), "localhost/absent:1", "podman build")
        self.assertEqual(self.host.leavings(), before)
        self.apps.build("localhost/web:1", "short")
        self.succeeds(self.apps.deploy("shop", {"web.container": container("web:1", "Pull=never")}))
        self.succeeds(self.host.leger("deploy", "remove", "shop"))


class MovedNames(Images):
    def deploy(self, text, command=None):
        unit = container(LOCAL, f"Environment=TEXT={text}", "Pull=never", **({"command": command} if command else {}))
        return self.apps.deploy("shop", {"web.container": unit})

    def test_the_image_of_a_release_comes_back_with_it(self):
        first = self.apps.build(LOCAL, "one")
        self.succeeds(self.deploy("one"))
        second = self.apps.build(LOCAL, "two")
        self.assertNotEqual(first, second)
        self.succeeds(self.deploy("two"))
        self.assertEqual(self.apps.image_of("web"), second)
        must(self.host.sh("podman image prune -f"))
        self.assertEqual(self.apps.kept(), sorted([first, second]))
        for expected in (first, second, first):
            self.succeeds(self.host.leger("deploy", "rollback", "shop", "--yes"))
            self.assertEqual(self.apps.image_of("web"), expected)
            self.assertEqual(self.apps.id_of(LOCAL), expected)
            must(self.host.sh("podman image prune -f"))
        # A deployment that fails gives the name back, too.
        third = self.apps.build(LOCAL, "three")
        self.fails(self.deploy("three", command="exit 1"), "web.service")
        self.assertEqual((self.apps.image_of("web"), self.apps.id_of(LOCAL)), (first, first))
        must(self.host.sh("systemctl --user restart web.service"))
        self.assertEqual(self.apps.image_of("web"), first)
        self.assertNotIn(third, self.apps.kept())
        self.succeeds(self.host.leger("deploy", "remove", "shop"))
        self.assertEqual(self.apps.kept(), [])
