"""A real Chromium in the network of a test host, and what it shows. It runs on this machine, with the file system of this
machine; only the network is the host's. Every wait is bounded."""

import atexit
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import tempfile
import typing

from leger_host import ROOT, call, end, must

FOLDER = pathlib.Path(__file__).resolve().parent
LOGS = ROOT / "build" / "test-logs"
SUDO = [] if os.geteuid() == 0 else ["sudo"]
FLAGS = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-proxy-server")
PATIENCE = 40  # seconds; the driver gives up earlier by itself


class Refusal(AssertionError):
    """The browser could not do it; its own words."""


class Browser:
    """One Chromium with a new profile. `inside` is the start of a command that runs a program in the host's network, `names`
    are names and their addresses, for want of DNS."""

    running: typing.ClassVar[set] = set()

    def __init__(self, inside, names):
        rules = ",".join(f"MAP {name} {address}" for name, address in names.items())
        self.profile = tempfile.mkdtemp(prefix="leger-browser-")
        node = shutil.which("node")
        if not node:
            raise AssertionError("Node.js is missing; Chromium is driven with it (20 or newer)")
        folder = must(call(FOLDER / "install", limit=600)).strip()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*map(str, inside), node, str(FOLDER / "drive.mjs"), folder, self.profile, *FLAGS, f"--host-resolver-rules={rules}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0)
        Browser.running.add(self)

    def do(self, command, **arguments):
        """Has the driver do something and returns its answer; Refusal where it fails."""
        self.process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        answer = json.loads(self.line())
        if "error" in answer:
            raise Refusal(f"{command} {arguments}: {answer['error']}")
        return answer["value"]

    def line(self):
        read = b""
        while not read.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise AssertionError(f"the browser does not answer in {PATIENCE} s")
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                self.errors.seek(0)
                raise AssertionError(f"the browser ended: {self.errors.read().decode('utf-8', 'replace')}")
            read += part
        return read

    def open(self, url):
        return self.do("open", url=url)

    def see(self, text):
        """Waits for a text; fails with what the page shows instead."""
        try:
            self.do("see", text=text)
        except Refusal:
            raise AssertionError(f"the page does not show {text!r} but, at {self.address()}: {self.text()!r}") from None

    def click(self, name, role="button"):
        try:
            self.do("click", role=role, name=name)
        except Refusal as refusal:
            raise AssertionError(f"{refusal}; the page shows {self.text()!r}") from None

    def text(self):
        return self.do("text")

    def address(self):
        return self.do("address")

    def run(self, script):
        return self.do("run", script=script)

    def complaints(self):
        """What the pages' consoles had to say since the last question."""
        return self.do("heard")

    def shot(self, name):
        """Keeps a picture of the page in build/test-logs."""
        LOGS.mkdir(parents=True, exist_ok=True)
        self.do("shot", path=str(LOGS / f"browser-{re.sub('[^a-z0-9]+', '-', name.lower())}.png"))

    def close(self):
        Browser.running.discard(self)
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            end(self.process)
            self.process.wait(20)
        self.process.stdout.close()
        self.errors.close()
        call(*SUDO, "rm", "-rf", "--one-file-system", self.profile)


@atexit.register
def close_browsers():
    for browser in list(Browser.running):
        browser.close()
