"""legerd killed before the calls by which a deployment leaves something behind, and the power cut in the midst of one: the
app then runs wholly as it was or wholly anew, its page, its secret and its files of one generation, and nothing else is there.
"""

import hashlib
import itertools
import random
import re
import subprocess
import time
import unittest

from apps import CONSENT, AppCase, QuickHost, unit, web
from cuts import CALLS, counted
from leger_host import SCRIPT, end, must, wait_until
from legerd import SEED, SOAK

PORT = 8121
SERVE = """trap 'exit 0' TERM
mkdir -p /www
{ cat /page.txt; sha256sum </run/secrets/key; } >/www/index.html
httpd -f -p 8080 -h /www &
wait
"""
INSTALLS, REMOVALS, POWER_CUTS = 6, 2, 2  # of each in a test run
TRACE = "/run/leger-trace"


class CutHost(QuickHost):
    """legerd comes back at once, and what is started counts as well as soon as it is up."""

    def configuration(self):
        return "[deploy]\nsettle_s = 0\nhealth_timeout_s = 20\n"


def page_of(number):
    return f"release {number}\n{hashlib.sha256(value_of(number).encode()).hexdigest()}  -"


def value_of(number):
    return f"value-{number}"


class Tracer:
    """strace at every thread of legerd on the host, in a `with` block; it ends there or with legerd."""

    def __init__(self, host, pid, *expressions):
        command = [*SCRIPT, "run", host.folder, "root", "strace", "-f", "-o", TRACE]
        command += [part for one in expressions for part in ("-e", one)] + ["-p", pid]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        told = self.process.stderr.readline()
        if "attached" not in told:
            self.__exit__()
            raise AssertionError(f"strace does not attach: {told!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            end(self.process)
        self.process.communicate(timeout=60)


class Cuts(AppCase):
    host_type = CutHost

    @classmethod
    def prepare(cls):
        cls.host.write(".config/systemd/user/legerd.service.d/quick.conf", "[Service]\nRestartSec=100ms\n")
        must(cls.host.sh("systemctl --user daemon-reload"))
        super().prepare()
        cls.numbers = itertools.count(1)
        cls.version = 0

    def setUp(self):
        self.lot = random.Random(f"{SEED} {self.id()}")
        self.running = self.put()
        must(self.install(self.version))
        self.is_whole()
        self.addCleanup(self.remove_if_there, "cut")

    def put(self):
        """A new value of the secret and a new release; every other one has a network of its own."""
        number = next(self.numbers)
        must(self.host.leger("secrets", "set", "key", "-", stdin=value_of(number)))
        files = {"web.container": web(PORT, "Secret=key" + "\nNetwork=own.network" * (number % 2)), "page.txt": f"release {number}\n",
                 "serve.sh": SERVE, **({"own.network": unit(Network="Label=a=b")} if number % 2 else {})}
        type(self).version = self.release("cut", files, secrets=["key"])
        return number

    def kept(self):
        """The release that each folder of staging holds, by the folder's name."""
        lines = must(self.host.sh("mkdir -p ~/.config/containers/leger-staging && cd ~/.config/containers/leger-staging && "
                                  "for one in *; do [ ! -d $one ] || echo $one $(cat $one/page.txt); done")).splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def is_whole(self):
        """What runs is of one generation, and no object of another is there."""
        number = self.running
        self.assertEqual(self.page(PORT), page_of(number))
        found = must(self.host.sh("cd ~/.config/containers/systemd && find . -type f | sort; cat cut/page.txt; podman ps -a "
                                  "--format '{{.Names}}'; podman network ls --format '{{.Name}}'; podman secret ls --format '{{.Name}}'; "
                                  "podman secret inspect --showsecret -f '{{.SecretData}}' key"))
        network = number % 2
        files = [*(["./cut/own.network"] if network else []), "./cut/page.txt", "./cut/serve.sh", "./cut/web.container"]
        expected = [one for one in found.splitlines() if one == "./cut/manifest.json"] + files
        expected += [f"release {number}", "systemd-web", "podman", *(["systemd-own"] if network else []), "key", value_of(number)]
        self.assertEqual(found.splitlines(), expected)

    def after_recovery(self):
        """The newest deployment, once legerd is there again and has finished it."""
        def settled():
            listed = self.host.leger("--json", "deploy", "list")
            if listed.code != 0:
                return None
            newest = self.newest()
            return newest if newest["finished_at"] else None
        return wait_until(settled, 60)

    def judge(self, before, kept, number):
        """Wholly old or wholly new. Whether it is the new one."""
        newest = self.after_recovery()
        self.assertIn(newest["state"], ("deployed", "rolled_back"), newest)
        old, is_new = self.running, newest["id"] != before["id"] and newest["state"] == "deployed"
        if is_new:
            self.running, kept = number, {newest["id"]: f"release {old}"}
        def is_swept():
            """staging holds the generation to go back to and nothing else"""
            return self.kept() == kept
        wait_until(is_swept, 20)
        self.is_whole()
        return is_new

    def traced(self, operation, *expressions):
        """The operation under strace. Whether legerd was killed by it."""
        pid = self.host.main_pid()
        with Tracer(self.host, pid, *expressions):
            self.host.leger(*operation)
            self.after_recovery()
        return self.host.main_pid() != pid

    def counts(self, operation):
        """How often legerd itself makes each call; programs that it runs do not count."""
        self.traced(operation, f"trace={','.join((*CALLS, 'execve'))}")
        text = must(self.host.run("root", "cat", TRACE))
        others = set(re.findall(r"^(\d+)\s+execve\(", text, re.MULTILINE))
        file = self.trace_file("".join(line for line in text.splitlines(True) if line.split(" ", 1)[0] not in others))
        return counted(file)

    @staticmethod
    def trace_file(text):
        class Read:
            """What `counted` reads."""

            @staticmethod
            def read_text(*_):
                return text
        return Read

    def points(self, counts, most):
        """(call, number) by lot: of every call one before any twice. In soak each point."""
        every = {call: self.lot.sample(range(1, number + 1), number) for call, number in sorted(counts.items())}
        order = [(call, numbers[turn]) for turn in range(max(counts.values())) for call, numbers in every.items() if turn < len(numbers)]
        if SOAK:
            return order
        first = order[:len(every)]
        self.lot.shuffle(first)
        # The switch itself is never left to the lot.
        first.sort(key=lambda point: point[0] != "renameat2")
        return first[:most]

    def test_kill_9_during_an_install(self):
        number = self.put()
        operation = ("deploy", "install", str(self.version), *CONSENT)
        counts = self.counts(operation)
        self.assertIn("renameat2", counts)
        self.running = number
        hits = tries = 0
        for call, nth in self.points(counts, INSTALLS):
            with self.subTest(call=call, nth=nth, seed=SEED):
                before, kept, number = self.newest(), self.kept(), self.put()
                operation = ("deploy", "install", str(self.version), *CONSENT)
                hits += self.traced(operation, f"trace={call}", f"inject={call}:signal=KILL:when={nth}")
                tries += 1
                self.judge(before, kept, number)
        self.assertGreaterEqual(hits, 0.6 * tries)

    def test_kill_9_during_a_removal(self):
        counts = self.counts(("deploy", "remove", "cut"))
        hits = tries = 0
        for call, nth in self.points(counts, REMOVALS):
            with self.subTest(call=call, nth=nth, seed=SEED):
                if self.newest()["state"] == "removed":
                    self.running = self.put()
                    must(self.install(self.version))
                before = self.newest()
                hits += self.traced(("deploy", "remove", "cut"), f"trace={call}", f"inject={call}:signal=KILL:when={nth}")
                tries += 1
                newest = self.after_recovery()
                if newest["id"] == before["id"]:  # it had not begun
                    self.is_whole()
                    continue
                self.assertEqual(newest["state"], "removed", newest)
                def is_clean():
                    """nothing of the app is left"""
                    return self.host.leavings() == self.clean
                wait_until(is_clean, 20)
        self.assertGreaterEqual(hits, 0.6 * tries)

    def test_a_power_cut_during_an_install(self):
        begun = time.monotonic()
        self.running = self.put()
        must(self.install(self.version))
        length = time.monotonic() - begun
        for _ in range(20 if SOAK else POWER_CUTS):
            moment = self.lot.uniform(0, length)
            with self.subTest(moment=moment, length=length, seed=SEED):
                before, kept, number = self.newest(), self.kept(), self.put()
                command = [*SCRIPT, "run", self.host.folder, "alice", "leger", "deploy", "install", str(self.version), *CONSENT]
                with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL) as process:
                    time.sleep(moment)
                    self.host.cut()
                    process.wait(timeout=60)
                self.host.boot()
                self.host.wait_active("legerd.service")
                self.judge(before, kept, number)


if __name__ == "__main__":
    unittest.main()
