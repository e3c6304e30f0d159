"""kill -9 before every call that writes, and an error of the disk in it: row, file, record and link are all there or none
of them, what was answered is there byte for byte, and nothing half-done stays behind."""

import copy
import json
import re

from bundles import bundle
from cuts import CALLS, GRACE, CutCase, counted
from ledger import attempt
from legerd import Home, Legerd, Strace
from store import opened
from told import Releases, files_of

KEEP = 3  # releases of an app
# The calls of files alone: an error in a call that a socket or an eventfd may get as well tells nothing of files. What
# happens where `write` itself finds no room is seen on a small disk.
FILE_CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "openat", "mkdir", "link", "linkat", "symlink", "symlinkat", "rename",
              "renameat", "renameat2", "unlink", "unlinkat")
ERRORS = {"ENOSPC": "full", "EDQUOT": "full", "EIO": "broken", "EROFS": "broken"}
ANSWERS = {"full": {(507, "insufficient_storage")}, "broken": {(500, "internal_error"), (503, "unavailable")}}


def upload(app, lot, size=0):
    data = bundle(app, lot=lot, size=size)
    return lambda legerd, told: told.upload(legerd.client, app, data)


def delete(pick):
    """Of the release that `pick` takes from those of the app "full"."""
    return lambda legerd, told: told.delete(legerd.client, pick(told.numbers_of("full")))


FIRST = "the very first release"  # the one operation of an account that has none
OPERATIONS = {
    FIRST: upload("fresh", 1),
    "a first release of an app": upload("fresh", 1),
    "a large bundle": upload("large", 1, 700_000),
    "one more, with which the oldest goes": upload("full", 99),
    "the newest bytes again": upload("full", KEEP),
    "a deletion of the newest": delete(max),
    "a deletion of the oldest": delete(min),
}


class Cuts(CutCase):
    def setUp(self):
        super().setUp()
        self.full, self.told = Home(self.folder / "full"), Releases(KEEP)
        (self.full.configuration / "legerd.toml").write_text(f"[retention]\nreleases = {KEEP}\n", encoding="ascii")
        with Legerd(self.full) as legerd:
            legerd.stop()
        self.empty = self.full.copy(self.folder / "empty")
        with Legerd(self.full) as legerd:
            for number in range(KEEP + 1):
                self.succeeds(self.told.upload(legerd.client, "full", bundle("full", lot=number)))
            self.succeeds(self.told.upload(legerd.client, "other", bundle("other", size=20_000)))
            self.told.check(legerd.client, self.full)

    def before(self, name, folder):
        """(home, what was told) for an operation to begin with."""
        if name == FIRST:
            return self.empty.copy(self.folder / folder), Releases(KEEP)
        return self.full.copy(self.folder / folder), copy.deepcopy(self.told)

    def trace(self, name, *expressions):
        """The file of strace's lines while nothing disturbs an operation."""
        trace = self.folder / "trace"
        home, told = self.before(name, "traced")
        with Legerd(home) as legerd:
            with Strace(legerd.pid, *expressions, output=trace):
                OPERATIONS[name](legerd, told)
                self.wait_until(lambda: len(files_of(home)) == len(told.kept) + bool(told.kept))
        return trace

    def count(self, name, calls):
        return counted(self.trace(name, f"trace={','.join(calls)}"))

    def check_after(self, home, told):
        """What a start finds it puts in order, and the next upload and start work as ever."""
        with Legerd(home) as legerd:
            told.check(legerd.client, home)
            self.succeeds(told.upload(legerd.client, "full", bundle("full", lot="after")))
            told.check(legerd.client, home)
            legerd.kill()
        with Legerd(home) as legerd:
            told.check(legerd.client, home)
            legerd.stop()
        with opened(home) as store:
            self.assertEqual(store.execute("PRAGMA integrity_check").fetchall(), [("ok",)])

    def kill(self, name, call, number):
        """The operation with a kill before one of its calls. Whether legerd died of that."""
        home, told = self.before(name, "killed")
        with Legerd(home) as legerd:
            with Strace(legerd.pid, f"trace={call}", f"inject={call}:signal=KILL:when={number}"):
                answered = attempt(OPERATIONS[name], legerd, told)
                died = legerd.has_ended(GRACE)
            self.assertTrue(answered or died, "no answer, and yet it lives")
        self.check_after(home, told)
        return died

    def test_what_is_cut_anywhere_is_wholly_there_or_wholly_not(self):
        for name in OPERATIONS:
            self.try_all(name, lambda: self.count(name, CALLS), lambda *point: self.kill(name, *point))

    def with_error(self, name, call, number, error, *, go_on):
        """The operation with an error in one of its calls ("1+": in each), and what legerd does after it. Whether the error was told."""
        home, told = self.before(name, "failed")
        with Legerd(home) as legerd:
            with Strace(legerd.pid, f"trace={call}", f"inject={call}:error={error}:when={number}"):
                answer = OPERATIONS[name](legerd, told)
            if answer.status // 100 != 2:
                self.assertIn((answer.status, answer.code), ANSWERS[ERRORS[error]], answer)
                self.assertTrue(json.loads(answer.body)["error"]["message"])
            go_on(legerd, told)
            legerd.kill()
        self.check_after(home, told)
        return answer.status // 100 != 2

    def upload_again(self, legerd, told):
        told.find_out(legerd.client)
        self.wait_until(lambda: b'"healthy"' in legerd.client.get("/health").body)
        self.succeeds(told.upload(legerd.client, "full", bundle("full", lot="again")))

    def nothing(self, *_):
        """What is not done any more: the kill comes at once."""

    def test_an_error_of_the_disk_is_told_and_leaves_nothing_half_done(self):
        told = 0
        for name in OPERATIONS:
            counts = self.count(name, FILE_CALLS)
            for number, point in enumerate(self.points(counts, f"error {name}")):
                error = sorted(ERRORS)[number % len(ERRORS)]
                with self.subTest(name, point=point, error=error):
                    self.died = self.with_error(name, *point, error, go_on=self.upload_again)
                    told += self.died
        self.assertGreater(told, 5, "hardly an error was met")

    def test_a_used_up_quota_is_told_as_a_full_disk_and_what_failed_does_not_come_back_with_a_crash(self):
        for name in ("a first release of an app", "a deletion of the newest"):
            for call in ("pwrite64", "fdatasync"):
                for go_on in (self.upload_again, self.nothing):
                    with self.subTest(name, call=call, go_on=go_on.__name__):
                        self.assertTrue(self.with_error(name, call, "1+", "EDQUOT", go_on=go_on))

    def calls(self, name):
        """(call, its line) of an operation, in the order in which they ended."""
        text = self.trace(name, f"trace={','.join(CALLS)}", "decode-fds=path").read_text("utf-8", "replace")
        begun, calls = {}, []
        for thread, line in re.findall(r"^(\d+)\s+(.*)$", text, re.MULTILINE):
            if line.endswith("<unfinished ...>"):
                begun[thread] = line
                continue
            if line.startswith("<..."):
                line = begun.pop(thread) + line
            calls.append((line.partition("(")[0], line))
        return calls

    def test_a_row_is_committed_after_its_file_is_on_the_disk_and_answered_after_that(self):
        calls = self.calls("a large bundle")
        shown = "\n".join(line[:200] for _, line in calls)

        def places(pattern):
            found = [place for place, (_, line) in enumerate(calls) if re.search(pattern, line)]
            self.assertTrue(found, f"no {pattern} in:\n{shown}")
            return found

        file = r"<[^>]*/releases/[^>]*"
        named = places(r"^(rename|link)\w*\(.*v6\.tar\.gz")[0]
        synced = places(rf"^f(data)?sync\(\d+{file}(incoming-|v6)[^>]*>")[-1]
        steps = [
            places(rf"^(write|pwrite64|writev)\(\d+{file}")[-1],
            named,
            synced,
            next(place for place in places(r"^fsync\(\d+<[^>]*/releases/[0-9a-f-]+>") if place > synced),
            places(r"^fdatasync\(\d+<[^>]*/leger\.db-wal>")[0],
            places(r"HTTP/1\.1 201")[0],
        ]
        self.assertEqual(steps, sorted(steps), shown)
        self.assertLess(next(place for place in places(r"^pwrite64\(\d+<[^>]*/leger\.db-wal>") if place > named), steps[4], shown)

    def test_a_file_goes_after_its_row_is_gone(self):
        for name in ("a deletion of the newest", "one more, with which the oldest goes"):
            with self.subTest(name):
                calls = self.calls(name)
                gone = [place for place, (_, line) in enumerate(calls) if re.match(r'unlink\w*\(.*"[^"]*v\d+\.tar\.gz"', line)]
                self.assertEqual(len(gone), 1, calls)
                of_log = [line.partition("(")[0] for _, line in calls[:gone[0]] if "/leger.db-wal>" in line]
                self.assertIn("pwrite64", of_log)
                self.assertEqual(of_log[-1], "fdatasync", of_log)

    def begin_upload(self, legerd):
        """Half of an upload's bytes, on a connection of its own, once legerd has begun to keep them."""
        data = bundle("half", size=500_000)
        half = legerd.connect().connection
        half.putrequest("POST", "/api/releases")
        half.putheader("Content-Type", "application/gzip")
        half.putheader("Content-Length", str(len(data)))
        half.endheaders(data[:len(data) // 2])
        self.wait_until(lambda: self.incoming(legerd.home))
        return half

    @staticmethod
    def incoming(home):
        return [name for name in files_of(home) if "incoming" in name]

    def test_an_upload_of_which_half_came_leaves_nothing(self):
        home = self.full.copy(self.folder / "cut")
        with Legerd(home) as legerd:
            self.begin_upload(legerd).close()
            self.wait_until(lambda: not self.incoming(home))
            self.begin_upload(legerd)
            legerd.kill()
        self.assertTrue(self.incoming(home))
        self.check_after(home, self.told)
