"""A real legerd in folders of its own: started, asked over its Unix socket, killed. No host is needed for that.

These tests, and those of tests/releases, run in a mount namespace, as root there (tests/run.py sees to it): they mount small disks, and
trace a process that forbids it to its own account. Every wait is bounded.
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import types
import typing
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("LEGER_BUILD") or ROOT / "build")
# The counts that a test run takes a sample of are run whole.
SOAK = bool(os.environ.get("LEGER_SOAK"))
# What is drawn by lot in a run: the same again with the same number.
SEED = int(os.environ.get("LEGER_SEED") or 5)
PATIENCE = 30  # seconds for anything that is a matter of milliseconds
JSON = {"Content-Type": "application/json"}


class NoAnswer(Exception):
    """A request got no whole answer, so whether it was done is not known."""


class Answer(typing.NamedTuple):
    status: int
    body: bytes

    @property
    def data(self):
        """Of a success; any other answer fails the test."""
        if self.status // 100 != 2:
            raise AssertionError(f"{self.status}: {self.body[:500]!r}")
        return json.loads(self.body)["data"]

    @property
    def code(self):
        return json.loads(self.body)["error"]["code"]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket `path`."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Client:
    """The owner at the Unix socket; one connection that is kept, so for one thread."""

    def __init__(self, path):
        self.connection = UnixConnection(path)

    def ask(self, method, target, body=None):
        """With JSON, where there is a body. The Answer, whatever its status; NoAnswer where there is none."""
        return self.send(method, target) if body is None else self.send(method, target, json.dumps(body), JSON)

    def send(self, method, target, body=None, headers=types.MappingProxyType({})):
        """With these bytes."""
        try:
            self.connection.request(method, target, body, headers)
            answer = self.connection.getresponse()
            return Answer(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as problem:
            self.connection.close()
            raise NoAnswer(f"{method} {target}: {problem!r}") from problem

    def get(self, target):
        return self.ask("GET", target)

    def post(self, target, body):
        return self.ask("POST", target, body)

    def close(self):
        self.connection.close()


def value_of(data):
    """The bytes of a secret, of the data of an answer."""
    return base64.b64decode(data["value_base64"]) if "value_base64" in data else data["value"].encode()


class Home:
    """The folders of an account that runs legerd, all below `folder`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.configuration = self.folder / "config" / "leger"
        self.key_file = self.configuration / "leger.kek"
        self.state = self.folder / "state"
        self.database = self.state / "leger.db"
        self.socket = self.folder / "run" / "legerd.sock"
        self.output = self.folder.parent / f"{self.folder.name}.out"  # of all its processes, one after the other
        for part in (self.configuration, self.state, self.socket.parent):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)

    def copy(self, folder):
        """The same in another folder; legerd must not be running."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("legerd.sock"))
        return Home(folder)

    def new_key(self, name):
        """A file with a new key-encryption key, as an operator would make it."""
        path = self.configuration / name
        path.write_bytes(os.urandom(32))
        path.chmod(0o400)
        return path

    def use_key(self, path):
        """Puts the content of this file in the place of the configured key, at once."""
        new = self.configuration / "leger.kek.copy"
        shutil.copy(path, new)
        new.chmod(0o400)
        new.rename(self.key_file)

    def digests(self):
        """What the state folder holds: name and hash of each file. SQLite may write its -shm at a mere look."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.state.rglob("*") if path.is_file() and not path.name.endswith("-shm")}

    def environment(self):
        return {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                "XDG_CONFIG_HOME": str(self.configuration.parent), "XDG_STATE_HOME": str(self.folder / "nowhere"),
                "XDG_RUNTIME_DIR": str(self.socket.parent)}

    def command(self, *flags):
        return [str(BUILD / "daemon" / "legerd"), "--state-dir", str(self.state), "--socket", str(self.socket), "--listen", "",
                "--tailscaled-socket", str(self.folder / "no-tailscaled.sock"), *flags]


class Legerd:
    """The running program: ready when this is made, killed when its `with` block is left."""

    def __init__(self, home, *flags):
        self.home = home
        self.clients = []
        with open(home.output, "ab") as output:
            self.process = subprocess.Popen(home.command(*flags), env=home.environment(), cwd=home.folder, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=subprocess.STDOUT)
        try:
            self.client = self.connect()
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self):
        return self.process.pid

    def wait_ready(self):
        until = time.monotonic() + PATIENCE
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"legerd ended with {self.process.returncode} at its start:\n{self.said()}")
            try:
                return self.client.get("/health")
            except NoAnswer:
                if time.monotonic() > until:
                    raise AssertionError(f"legerd does not answer within {PATIENCE} s:\n{self.said()}") from None
                time.sleep(0.002)

    def said(self):
        """The end of what this and earlier processes of the home printed."""
        return self.home.output.read_text("utf-8", "replace")[-2000:]

    def connect(self):
        self.clients.append(Client(self.home.socket))
        return self.clients[-1]

    def has_ended(self, within=0.0):
        """Whether the process has ended, or does within that many seconds."""
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self):
        """kill -9; may be called twice."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.close_clients()

    def stop(self):
        """SIGTERM, and an orderly end."""
        self.close_clients()
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        if code != 0:
            raise AssertionError(f"legerd ended with {code} on SIGTERM:\n{self.said()}")

    def close_clients(self):
        for client in self.clients:
            client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def refused_start(home, *flags):
    """What legerd says that must not start; fails where it does."""
    outcome = subprocess.run(home.command(*flags), env=home.environment(), cwd=home.folder, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=PATIENCE, check=False)
    if outcome.returncode == 0 or outcome.returncode < 0:
        raise AssertionError(f"legerd ended with {outcome.returncode}: {outcome.stdout}{outcome.stderr}")
    return outcome.stderr


class Strace:
    """strace at every thread of a running legerd, from when this is made until the end of its `with` block, after which
    the process goes on by itself."""

    def __init__(self, pid, *expressions, output="/dev/null"):
        command = ["strace", "-f", "-q", "-o", str(output), *(part for one in expressions for part in ("-e", one)), "-p", str(pid)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + PATIENCE
        while not (self.is_over(pid) or self.is_attached(pid)):
            failed = self.process.poll() is not None and not self.is_over(pid)
            if failed or time.monotonic() > until:
                self.process.kill()
                raise AssertionError(f"strace does not attach: {self.process.communicate()[1]!r}")
            time.sleep(0.002)

    @staticmethod
    def is_over(pid):
        """Ended, and not yet waited for: what legerd does by itself may have met the fault already."""
        return "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")

    @staticmethod
    def is_attached(pid):
        try:
            tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
            return all("\nTracerPid:\t0\n" not in (task / "status").read_text(encoding="utf-8") for task in tasks)
        except (FileNotFoundError, ProcessLookupError):  # of a thread that ends just now
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # lets go of the process, where there still is one
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError("strace does not end") from None


class VaultCase(unittest.TestCase):
    """Tests with folders of their own, below `self.folder`."""

    maxDiff = 2000

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="leger-vault-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def succeeds(self, answer):
        """The data of an answer that must be a success."""
        self.assertEqual(answer.status // 100, 2, answer)
        return answer.data

    def wait_until(self, question, limit=PATIENCE):
        """Asks until the answer is true, and returns it; fails after `limit` seconds with the last answer."""
        until = time.monotonic() + limit
        while True:
            answer = question()
            if answer:
                return answer
            if time.monotonic() > until:
                self.fail(f"{question.__doc__ or question.__name__}: not within {limit} s, last: {answer!r}")
            time.sleep(0.02)
