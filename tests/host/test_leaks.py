"""Deployments in a row leave nothing behind, on a real host: a sample of them, and a hundred under LEGER_SOAK=1."""

import os
import random

from image_apps import Apps, container
from leger_host import HostCase, must

IMAGES = ("localhost/web:1", "localhost/web:2")


class Leaks(HostCase):
    @classmethod
    def prepare(cls):
        cls.apps = Apps(cls.host)
        for image in IMAGES:
            cls.apps.build(image, image[-1])

    def release(self, choice):
        """A release of the app; a third of them do not start, and go back."""
        image = choice.choice(IMAGES)
        lines = ["Pull=never", "Secret=token", f"Environment=N={choice.randrange(1000)}", "Network=net.network"]
        fails = choice.randrange(3) == 0
        return {"web.container": container(image, *lines, **({"command": "exit 1"} if fails else {})), "net.network": "[Network]\n"}

    def things(self):
        """Counts of all that could pile up."""
        out = must(self.host.sh("""
            mkdir -p ~/.config/containers/leger-staging
            find ~/.config/containers -mindepth 1 | grep -v leger-staging/ | wc -l
            find ~/.config/containers/leger-staging -mindepth 1 -maxdepth 1 | wc -l
            find ~/.local/state/leger -mindepth 1 ! -path '*/releases/*' ! -name '*-wal' ! -name '*-shm' | wc -l
            podman secret ls -q | wc -l
            podman images -a -q | sort -u | wc -l
            podman network ls -q | wc -l
            podman volume ls -q | wc -l
            podman ps -a -q | wc -l
        """))
        # legerd lets nobody but root look into it.
        out += must(self.host.run("root", "sh", "-c", f"ls /proc/{self.host.main_pid()}/fd | wc -l"))
        names = ("quadlets", "staging", "state", "secrets", "images", "networks", "volumes", "containers", "fds")
        return dict(zip(names, map(int, out.split()), strict=True))

    def memory(self):
        """legerd's resident kilobytes."""
        return int(must(self.host.sh("awk '/VmRSS/ { print $2 }' /proc/$(systemctl --user show -P MainPID legerd.service)/status")))

    def once(self, choice):
        must(self.host.leger("secrets", "set", "token", "-", stdin=f"value{choice.randrange(1000)}"))
        if choice.randrange(3) == 0:
            self.host.leger("deploy", "rollback", "--yes")
        else:
            self.apps.deploy("shop", self.release(choice))

    def test_many_in_a_row_leave_nothing_behind(self):
        seed = os.environ.get("LEGER_SEED") or str(random.randrange(10**6))
        choice = random.Random(seed)
        rounds = 100 if os.environ.get("LEGER_SOAK") else 12
        before = self.things()
        good = {"web.container": container(IMAGES[0], "Pull=never", "Secret=token"), "net.network": "[Network]\n"}
        must(self.host.leger("secrets", "set", "token", "-", stdin="first"))
        self.succeeds(self.apps.deploy("shop", good))
        self.once(choice)
        settled, memory = self.things(), self.memory()
        with self.subTest(seed=seed, rounds=rounds):
            for _ in range(rounds):
                self.once(choice)
            now = self.things()
            for name in now:
                # One connection more or less to Podman is kept open.
                spare = 2 if name in ("fds", "staging", "networks", "quadlets") else 0
                self.assertLessEqual(now[name], settled[name] + spare, (name, settled, now))
            self.assertLess(self.memory(), memory + 8192 + rounds * 64)
            self.assertLessEqual(len(self.apps.kept()), 2)
            self.succeeds(self.host.leger("deploy", "remove", "shop"))
            after = self.things()
            for name in ("quadlets", "staging", "secrets", "images", "networks", "volumes", "containers"):
                # The folders themselves stay.
                self.assertLessEqual(after[name], before[name] + (2 if name == "quadlets" else 0), (name, before, after))
            self.assertEqual(self.apps.kept(), [])

    def test_the_same_release_twice_restarts_nothing(self):
        must(self.host.leger("secrets", "set", "token", "-", stdin="same"))
        files = {"web.container": container(IMAGES[0], "Pull=never", "Secret=token")}
        self.succeeds(self.apps.deploy("twice", files))
        before = self.apps.container_of("web")
        self.succeeds(self.host.leger("deploy", "install", "latest"))
        self.assertEqual(self.apps.container_of("web"), before)
        self.succeeds(self.host.leger("deploy", "remove", "twice"))
