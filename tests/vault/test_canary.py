"""A value that occurs nowhere else is set, read, sealed anew, refused; then it must not be found in any file, output,
command line, environment or core of legerd and leger, in whatever form."""

import base64
import json
import os
import pathlib
import resource
import secrets
import signal
import subprocess
import time

from legerd import BUILD, PATIENCE, Home, Legerd, VaultCase, value_of
from rotations import rotate_data_key, wait_for_end_of_rotation


def forms(value):
    """The bytes to look for. Of base64 the part that does not depend on what is before and after, at each alignment."""
    text = value.decode("ascii")
    found = {"raw": value, "hex": value.hex().encode(), "HEX": value.hex().upper().encode(), "UTF-16LE": text.encode("utf-16-le"),
             "JSON": json.dumps(text)[1:-1].encode(), "JSON \\u": "".join(f"\\u{ord(sign):04x}" for sign in text).encode()}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value)
        found[f"base64 at {before}"] = encoded[4 if before else 0:len(encoded) // 4 * 4 - 4]
        found[f"base64url at {before}"] = found[f"base64 at {before}"].translate(bytes.maketrans(b"+/", b"-_"))
    return found


def readable(memory, begin, end):
    """The bytes from `begin` to `end`; zeros for pages that the kernel reads for nobody, as those of a file beyond its end."""
    content = b""
    while begin < end:
        memory.seek(begin)
        try:
            piece = memory.read(end - begin)
        except OSError:
            piece = bytes(resource.getpagesize())
        content += piece
        begin += len(piece)
    return content


class Canary(VaultCase):
    def setUp(self):
        super().setUp()
        self.home = Home(self.folder / "home")
        # With signs that JSON escapes, so that this form differs from the raw one.
        self.canary = f'canary"{secrets.token_urlsafe(24)}\\end'.encode()
        self.forms = forms(self.canary)

    def hits(self, where, content):
        return [f"{where}: {form}" for form, wanted in self.forms.items() if wanted in content]

    def proc_hits(self, pid, program):
        """Of a process while it runs this program: its command line and environment. `leger run` becomes the command, which
        has the value in its environment by design."""
        found = []
        try:
            for name in ("cmdline", "environ"):
                content = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
                if os.path.samefile(f"/proc/{pid}/exe", program):
                    found += self.hits(f"{name} of {pid}", content)
        except (FileNotFoundError, ProcessLookupError):
            pass
        return found

    def file_hits(self):
        found, files = [], [path for path in self.folder.rglob("*") if path.is_file()]
        self.assertTrue({"leger.db", "leger.kek", "home.out"} <= {path.name for path in files})
        for path in files:
            found += self.hits(path, path.read_bytes())
        return found

    def test_the_forms_are_found_where_they_are(self):
        for before in (b"", b"a", b"ab", b"abc"):
            self.assertTrue(self.hits("here", base64.b64encode(before + self.canary + b"xyz")))
        self.assertTrue(self.hits("here", json.dumps({"value": self.canary.decode()}).encode()))
        self.assertEqual(self.hits("here", b"nothing of that kind"), [])

    def use(self, client):
        """What can be done with a value, and what is refused with it in the request."""
        text = self.canary.decode()
        self.succeeds(client.post("/api/secrets/bird", {"value": text}))
        client.post("/secrets/set", {"name": "bird", "value_base64": base64.b64encode(self.canary).decode()})
        self.assertEqual(value_of(client.get("/api/secrets/bird").data), self.canary)
        self.assertEqual(client.post("/api/secrets/bird/rollback", {"version": 1}).status, 200)
        for target, body in [("/api/secrets/bird", {"value": text, "if_version": 77}), ("/api/secrets/bird", {"value": text, "more": 1}),
                             ("/api/secrets/.bad", {"value": text}), ("/api/secrets/bird", {"value": [text]}),
                             ("/api/secrets/bird", {"value_base64": text}), ("/secrets/set", {"value": text}),
                             ("/api/secrets/bird/rollback", {"version": text})]:
            refused = client.post(target, body)
            self.assertIn(refused.status, (400, 409), refused)
            self.assertEqual(self.hits(f"answer of {target}", refused.body), [])
        for target in ("/api/secrets", "/api/secrets/bird/versions", "/api/audit?limit=1000"):
            answer = client.get(target)
            self.assertEqual(answer.status, 200)
            self.assertEqual(self.hits(target, answer.body), [])

    def rotate(self, legerd):
        self.succeeds(rotate_data_key(legerd.client))
        wait_for_end_of_rotation(legerd)
        self.assertEqual(value_of(legerd.client.get("/api/secrets/bird").data), self.canary)

    def leger(self, *arguments, stdin=b""):
        """Runs leger and looks at it all the while. Its output."""
        command = [str(BUILD / "cli" / "leger"), "--socket", str(self.home.socket), *arguments]
        process = subprocess.Popen(command, env=self.home.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.home.folder)
        found = self.proc_hits(process.pid, command[0])
        process.stdin.write(stdin)
        process.stdin.flush()
        until = time.monotonic() + 0.2
        while process.poll() is None and time.monotonic() < until:
            found += self.proc_hits(process.pid, command[0])
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(found + self.hits("standard error of leger", err), [])
        return out

    def allow_cores(self):
        """For us, and so for the legerd that we start, as after `ulimit -c unlimited`; and they are written here."""
        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, before)
        other = subprocess.Popen(["sleep", "60"], cwd=self.folder)
        if not self.ends_with_core(other, signal.SIGSEGV):
            self.skipTest("no program leaves a core here: ulimit -Hc, /proc/sys/kernel/core_pattern")
        for core in self.folder.glob("core*"):
            core.unlink()

    @staticmethod
    def ends_with_core(process, number):
        os.kill(process.pid, number)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -number
        return os.WIFSIGNALED(status) and os.WCOREDUMP(status)

    def test_a_fault_leaves_no_core(self):
        self.allow_cores()
        for number in (signal.SIGSEGV, signal.SIGABRT):
            with self.subTest(number), Legerd(self.home) as legerd:
                self.use(legerd.client)
                self.assertFalse(self.ends_with_core(legerd.process, number))
                self.assertEqual([str(path) for path in self.folder.rglob("core*")], [])
        self.assertEqual(self.file_hits(), [])

    @staticmethod
    def memory(pid):
        """All that is mapped and can be read; where it is, and its bytes."""
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
                span, rights, *_, name = line.split(maxsplit=5)
                begin, end = (int(place, 16) for place in span.split("-"))
                if rights.startswith("r") and not name.startswith("[v"):
                    yield f"{span} {name}", readable(file, begin, end)

    def memory_hits(self, legerd):
        found, begins = [], 0
        # An answer is wiped after it has been written: it is by the time another request has its own.
        self.assertEqual(legerd.client.get("/api/health").status, 200)
        # Stopped, so that what is mapped stays so while it is read.
        os.kill(legerd.pid, signal.SIGSTOP)
        try:
            status = pathlib.Path(f"/proc/{legerd.pid}/status")
            self.wait_until(lambda: "State:\tT" in status.read_text(encoding="utf-8"))
            for where, content in self.memory(legerd.pid):
                found += self.hits(where, content)
                begins += content.count(b"secret_versions")
        finally:
            os.kill(legerd.pid, signal.SIGCONT)
        self.assertGreater(begins, 0, "not even what must be there was found")
        return found

    def test_no_copy_of_a_value_stays_in_memory(self):
        with Legerd(self.home) as legerd:
            self.use(legerd.client)
            self.rotate(legerd)
            self.assertEqual(self.memory_hits(legerd), [])

    def test_a_value_is_nowhere_but_in_the_answer(self):
        with Legerd(self.home, "--log-level", "debug") as legerd:
            self.use(legerd.client)
            self.rotate(legerd)
            self.leger("secrets", "set", "chick", "-", stdin=self.canary)
            self.assertEqual(self.leger("secrets", "get", "chick"), self.canary)
            self.assertEqual(self.leger("run", "--secret", "chick=BIRD", "--", "sh", "-c", 'printf %s "$BIRD"'), self.canary)
            self.assertEqual(self.proc_hits(legerd.pid, BUILD / "daemon" / "legerd"), [])
            self.assertEqual(self.file_hits(), [])
        self.assertEqual(self.file_hits(), [])
        self.assertGreater(self.home.output.stat().st_size, 0)
