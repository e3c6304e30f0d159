"""A real Debian 13 host for a test class: booted from the cached base, removed with the class.

`Host` drives tests/host/host and nothing else, so only that script runs as root (through sudo where needed).
`LegerHost` adds an installed legerd and leger for the user alice. Every wait is bounded.
"""

import atexit
import base64
import io
import json
import os
import pathlib
import shlex
import subprocess
import tarfile
import tempfile
import time
import typing
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
CACHE = pathlib.Path(os.environ.get("LEGER_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "leger")
BUILD = pathlib.Path(os.environ.get("LEGER_BUILD") or ROOT / "build")
SCRIPT = ([] if os.geteuid() == 0 else ["sudo"]) + [str(FOLDER / "host")]
BOOT_LIMIT = 300  # seconds; a base that must be made first has its own bound


class Outcome(typing.NamedTuple):
    """How a command ended."""
    code: int
    out: str
    err: str


def end(process):
    """Asks a process to end; one under sudo is root's, and only root may ask it."""
    try:
        process.terminate()
    except PermissionError:
        subprocess.run(["sudo", "kill", str(process.pid)], check=False)


def call(*command, stdin=b"", limit=120):
    """Runs a command on this machine and returns its Outcome; one that does not end within `limit` seconds fails the test."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(stdin, timeout=limit)
    except subprocess.TimeoutExpired:
        end(process)
        out, err = process.communicate()
        raise AssertionError(f"{shlex.join(map(str, command))} did not end in {limit} s; {out!r} {err!r}") from None
    return Outcome(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def must(outcome):
    """Returns the output of a command that is no part of what is tested; raises where it failed."""
    if outcome.code != 0:
        raise RuntimeError(f"ended with {outcome.code}: {outcome.out}{outcome.err}")
    return outcome.out


def wait_until(question, limit=60, every=0.2):
    """Asks until the answer is true, and returns it; fails after `limit` seconds with the last answer."""
    deadline = time.monotonic() + limit
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{question.__doc__ or getattr(question, '__name__', 'it')}: not within {limit} s, last: {answer!r}")
        time.sleep(every)


def remove_forgotten():
    """Removes hosts of test runs that were killed: their folders carry the number of a process that is gone."""
    for folder in (CACHE / "hosts").glob("test-*-*"):
        if not os.path.exists(f"/proc/{folder.name.split('-')[1]}"):
            call(*SCRIPT, "remove", folder)


class Host:
    """One booted host. `close()` takes it away and may be called twice; the end of this program does it, too."""

    booted: typing.ClassVar[set] = set()

    def __init__(self):
        self.base = CACHE / must(call(*SCRIPT, "name")).strip()
        must(call(*SCRIPT, "create", self.base, limit=1900))
        (CACHE / "hosts").mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"test-{os.getpid()}-", dir=CACHE / "hosts"))
        Host.booted.add(self)
        self.boot()

    def boot(self):
        must(call(*SCRIPT, "boot", self.base, self.folder, limit=BOOT_LIMIT))

    def off(self):
        must(call(*SCRIPT, "off", self.folder, limit=BOOT_LIMIT))

    def cut(self):
        must(call(*SCRIPT, "cut", self.folder, limit=BOOT_LIMIT))

    def close(self):
        Host.booted.discard(self)
        must(call(*SCRIPT, "remove", self.folder, limit=BOOT_LIMIT))

    def run(self, user, *command, stdin=b"", limit=120):
        """Runs a command there as `user` and returns its Outcome."""
        return call(*SCRIPT, "run", self.folder, user, *command, stdin=stdin, limit=limit)

    def copy(self, source, target):
        must(call(*SCRIPT, "copy", self.folder, source, target))

    def sh(self, script, stdin=b"", limit=120):
        """Runs shell lines as alice."""
        return self.run("alice", "bash", "-o", "pipefail", "-c", script, stdin=stdin, limit=limit)

    def leger(self, *arguments, stdin=b"", limit=180):
        return self.run("alice", "leger", *arguments, stdin=stdin, limit=limit)

    def leger_data(self, *arguments):
        """What a command that must succeed prints with --json."""
        return json.loads(must(self.leger("--json", *arguments)))

    def write(self, path, content):
        """Writes a file below alice's home that only she may read."""
        must(self.run("alice", "sh", "-c", 'umask 077 && mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path, stdin=content))


@atexit.register
def close_all():
    """Removes every host of this program. At its end, too: after Ctrl-C in a test unittest runs no clean-up."""
    for host in list(Host.booted):
        host.close()


class LegerHost(Host):
    """A host with legerd and leger for alice, and the example of quadlets/examples in her home."""

    # Made anew by systemd, Podman (a timer and a service named by the container for each health check) or a command at any
    # time; nobody's leavings.
    NOISE = r"^(podman\.service|[0-9a-f]{64}-|podman-|run-|dbus|[^ ]*\.(scope|slice|device|mount|swap) )"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.run("alice", "true")
        self.write(".config/leger/legerd.toml", self.configuration())
        must(call(FOLDER / "install", self.folder, "alice", BUILD))
        must(call(FOLDER / "example", self.folder, "alice"))

    def configuration(self):
        """The text of legerd.toml. The wait is shorter than a person would have it; the tests install dozens of times."""
        return "[deploy]\nsettle_s = 2\n"

    def build_image(self):
        must(self.sh(f"podman build -q -t {shlex.quote(Example().image)} hello-image"))

    def main_pid(self):
        return int(must(self.sh("systemctl --user show -P MainPID legerd.service")))

    def wait_active(self, unit, limit=90):
        def is_active():
            return self.sh(f"systemctl --user is-active {unit}").out.strip() == "active"
        wait_until(is_active, limit)

    def get(self, url, limit=20):
        """What the host's own curl gets from a URL, once it answers."""
        def answer():
            outcome = self.sh(f"curl -fsS --max-time 5 {shlex.quote(url)}")
            return outcome.out if outcome.code == 0 else ""
        return wait_until(answer, limit)

    def leavings(self):
        """All that a deployment could leave: files, Podman's objects, units. Two of these are compared."""
        script = f"""
            for folder in systemd leger-staging; do
              cd ~/.config/containers/$folder 2>/dev/null || continue
              find . -mindepth 1 | sort | while read -r path; do
                if [ -f "$path" ]; then sha256sum "$path"; else echo "$path"; fi
              done
            done
            echo --secrets; podman secret ls --format '{{{{.Name}}}}' | sort
            echo --containers; podman ps -a --format '{{{{.Names}}}} {{{{.State}}}}' | sort
            echo --networks; podman network ls --format '{{{{.Name}}}}' | sort
            echo --units; systemctl --user list-units --all --plain --no-legend --no-pager |
              awk '{{ print $1, $2, $3 }}' | grep -vE '{self.NOISE}' | sort
        """
        return must(self.sh(script))

    def traces(self, secret):
        """Files of the state folder that hold a secret, plain or encoded. The folder must be there and filled."""
        encoded = {base64.b64encode(secret.encode()).decode().rstrip("=")[:-1], secret.encode().hex(), secret}
        must(self.sh("test -s ~/.local/state/leger/leger.db"))
        patterns = " ".join(f"-e {shlex.quote(pattern)}" for pattern in sorted(encoded))
        outcome = self.sh(f"grep -r -a -l -i -F {patterns} ~/.local/state/leger")
        if outcome.code not in (0, 1):
            raise RuntimeError(outcome.err)
        return outcome.out


class Example:
    """The bundle of quadlets/examples/hello, read from its files, so that a test does not repeat them."""

    folder = ROOT / "quadlets" / "examples" / "hello"

    def __init__(self):
        self.manifest = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        self.name = self.manifest["deployment_name"]
        self.secrets = self.manifest["secrets_required"]
        self.container = (self.folder / "hello.container").read_text(encoding="utf-8")
        self.image = self.value("Image")
        # Of [[ADDRESS:]HOST:]CONTAINER the host's port.
        self.url = f"http://127.0.0.1:{self.value('PublishPort').split(':')[-2]}/"

    def value(self, key):
        found = [line.split("=", 1)[1].strip() for line in self.container.splitlines() if line.startswith(key + "=")]
        if not found:
            raise AssertionError(f"hello.container has no {key}=")
        return found[0]

    def files(self):
        """Path within the bundle and content of each file."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()}

    def side_file(self):
        """The content of the bundled file that is neither manifest nor quadlet."""
        for path, content in self.files().items():
            if path.endswith((".conf", ".txt", ".html")):
                return content.decode()
        raise AssertionError("the example bundles no side file")


def pack(files):
    """A .tar.gz of {path: content}, as bytes. Paths are taken as they are, `../` too."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, content in files.items():
            content = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


class HostCase(unittest.TestCase):
    """A class of tests on one host, `self.host`."""

    host_type: type = LegerHost
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        remove_forgotten()
        cls.addClassCleanup(close_all)
        cls.host = cls.host_type()
        cls.prepare()

    @classmethod
    def prepare(cls):
        """What the tests of a class need on the host beforehand."""

    def succeeds(self, outcome):
        """The command ended well and complained of nothing; returns what it printed."""
        self.assertEqual((outcome.code, outcome.err), (0, ""), outcome)
        return outcome.out
