"""The tailnet itself: that nodes reach and know each other, that the door changes it, and that nothing stays behind."""

import json
import os
import pathlib
import subprocess
import tempfile
import time

from leger_host import CACHE, call, must, wait_until
from scene import CAPABILITY, TailnetCase
from tailnet_host import AS_ROOT, TAILNET, remove_forgotten_tailnets


class Nodes(TailnetCase):
    def test_the_node_of_an_address_and_its_user_are_known(self):
        said = self.server.whois(self.other.address)
        self.assertEqual(said["Node"]["Name"], self.other.name + ".")
        self.assertEqual((said["UserProfile"]["ID"], said["UserProfile"]["LoginName"]), (3, "user-3@fake-control.example.net"))
        self.assertEqual(self.server.whois(self.laptop.address)["Node"]["User"], 1)

    def test_a_connection_comes_from_the_callers_tailnet_address(self):
        answer = self.other.ask("GET", f"{self.url}/health")
        self.assertEqual((answer.status, answer.json["service"]), (200, "legerd"))
        listening = subprocess.Popen([*map(str, self.server.inside), "timeout", "20", "python3", "-c", """if True:
            import socket
            server = socket.create_server(("0.0.0.0", 9999))
            print("ready", flush=True)
            print(server.accept()[1][0], flush=True)"""], stdout=subprocess.PIPE, text=True)
        self.addCleanup(listening.stdout.close)
        self.addCleanup(listening.wait)
        self.assertEqual(listening.stdout.readline(), "ready\n")
        self.other.run("bob", "curl", "-s", "--max-time", "5", f"http://{self.server.name}:9999/")
        self.assertEqual(listening.stdout.readline().strip(), self.other.address)

    def test_the_door_changes_what_whois_says(self):
        self.change(self.other, Tags=["tag:ci"])
        self.assertEqual(self.server.whois(self.other.address)["Node"]["Tags"], ["tag:ci"])
        self.addCleanup(self.tailnet.grant, CAPABILITY, None, self.server, self.other)
        self.tailnet.grant(CAPABILITY, {"roles": ["operator"]}, self.server, self.other)
        self.assertEqual(self.server.whois(self.other.address)["CapMap"][CAPABILITY], [{"roles": ["operator"]}])

    def test_the_door_refuses_what_it_does_not_know(self):
        self.assertNotEqual(call(*AS_ROOT, "door", self.tailnet.folder, "PATCH", "/nodes/100.64.9.9", "{}").code, 0)
        path = f"/nodes/{self.other.address}"
        self.assertNotEqual(call(*AS_ROOT, "door", self.tailnet.folder, "PATCH", path, json.dumps({"Tagz": []})).code, 0)

    def test_chromium_is_in_the_network_of_a_node(self):
        browser = self.browser(self.other)
        self.assertEqual(browser.open(f"{self.url}/health"), 200)
        self.assertIn("legerd", browser.text())

    def test_a_second_build_builds_nothing(self):
        began = time.monotonic()
        must(call(TAILNET, "build", CACHE / must(call(TAILNET, "name")).strip(), limit=20))
        self.assertLess(time.monotonic() - began, 10)


class Leavings(TailnetCase):
    def test_a_tailnet_ends_with_everything_in_it(self):
        binaries = CACHE / must(call(TAILNET, "name")).strip()
        with tempfile.TemporaryDirectory() as parent:
            folder = pathlib.Path(parent) / "net"
            must(call(*AS_ROOT, "up", binaries, folder))
            process = server_of(folder)
            self.assertTrue(os.path.exists(f"/proc/{process}"))
            must(call(*AS_ROOT, "down", folder))
            wait_until(lambda: not os.path.exists(f"/proc/{process}"), 10)
            self.assertFalse(folder.exists())
            must(call(*AS_ROOT, "down", folder))

    def test_what_a_killed_run_left_is_removed_by_the_next(self):
        program = ("import os, signal; from tailnet_host import Tailnet; "
                   "print(Tailnet().folder, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
        here = os.path.dirname(os.path.abspath(__file__))
        left = must_die(["python3", "-c", program], {**os.environ, "PYTHONPATH": f"{here}:{here}/../host"})
        process = server_of(left)
        self.assertTrue(os.path.exists(f"/proc/{process}"))
        remove_forgotten_tailnets()
        wait_until(lambda: not os.path.exists(f"/proc/{process}"), 10)
        self.assertFalse(left.exists())
        self.assertTrue(self.tailnet.folder.exists(), "that of a running program stays")


def server_of(folder):
    """Number of the process that serves a tailnet, as its file says."""
    return int((folder / "pid").read_text(encoding="utf-8"))


def must_die(command, environment):
    """Runs a program that kills itself, and returns the path that it printed."""
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if outcome.returncode != -9:
        raise AssertionError(f"it ended with {outcome.returncode}: {outcome.stderr}")
    return pathlib.Path(outcome.stdout.strip())
