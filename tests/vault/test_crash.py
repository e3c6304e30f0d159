"""kill -9 before every call that writes, in every change of the vault: what a client was told holds, everything else is
wholly done or wholly not."""

import copy
import os
import pathlib
import random
import signal
import subprocess
import typing

from cuts import CALLS, GRACE, CutCase, counted
from ledger import Ledger, attempt
from legerd import PATIENCE, SEED, Home, Legerd, Strace
from rotations import NEW_KEY, rotate_data_key, rotate_kek, settle_data_key, settle_kek, wait_for_end_of_rotation
from store import opened


class Operation(typing.NamedTuple):
    """A change, and what must hold of it after a crash beyond what the ledger says."""
    run: typing.Callable
    settle: typing.Callable = lambda case, legerd, told: None


class Told(typing.NamedTuple):
    """All that a client knows."""
    ledger: Ledger
    answers: dict  # the data of what was answered, by kind


def set_value(name, size):
    def run(legerd, told):
        told.answers["set"] = told.ledger.set(legerd.client, name, random.Random(size).randbytes(size)).data
    return run


def delete(name):
    def run(legerd, told):
        told.answers["delete"] = told.ledger.delete(legerd.client, name).data
    return run


def new_data_key(legerd, told):
    told.answers["data"] = rotate_data_key(legerd.client).data
    wait_for_end_of_rotation(legerd)


def new_kek(legerd, told):
    told.answers["kek"] = rotate_kek(legerd.client, legerd.home.new_key(NEW_KEY)).data


OPERATIONS = {
    "a new secret": Operation(set_value("fresh", 40)),
    "a new version, with which the oldest goes": Operation(set_value("full", 3000)),
    "a large value": Operation(set_value("large", 300_000)),
    "a deletion": Operation(delete("full")),
    "a new data key": Operation(
        new_data_key, lambda case, legerd, told: settle_data_key(case, legerd, told.answers.get("data"))),
    "a new key-encryption key": Operation(
        new_kek, lambda case, legerd, told: settle_kek(case, legerd, told.ledger, told.answers.get("kek"))),
}


class Crash(CutCase):
    def fill(self, home):
        """A store with a bit of everything, left by a kill, so that each start has a log to recover."""
        ledger = Ledger()
        lot = random.Random(SEED)
        with Legerd(home) as legerd:
            for number in range(150):
                ledger.set(legerd.client, f"some-{number:03}", lot.randbytes(lot.choice((1, 64, 5000))))
            for _ in range(12):
                ledger.set(legerd.client, "full", lot.randbytes(2000))
            ledger.set(legerd.client, "gone", b"x")
            ledger.delete(legerd.client, "gone")
            ledger.set(legerd.client, "gone", b"again")
        return Told(ledger, {})

    def make_first_change(self, legerd, told):
        """With the first one after a start SQLite syncs the folder of its log, and legerd itself may make it by the clock."""
        told.ledger.set(legerd.client, "first", b"first")

    def count(self, operation):
        """How often an operation that nothing disturbs makes each call."""
        trace = self.folder / "trace"
        told = copy.deepcopy(self.told)
        with Legerd(self.full.copy(self.folder / "counted")) as legerd:
            self.make_first_change(legerd, told)
            with Strace(legerd.pid, f"trace={','.join(CALLS)}", output=trace):
                operation.run(legerd, told)
        return counted(trace)

    def cut(self, operation, call, number):
        """The operation with a kill before one of its calls. Whether it died of that."""
        home = self.full.copy(self.folder / "cut")
        told = copy.deepcopy(self.told)
        with Legerd(home) as legerd:
            self.make_first_change(legerd, told)
            with Strace(legerd.pid, f"trace={call}", f"inject={call}:signal=KILL:when={number}"):
                answered = attempt(operation.run, legerd, told)
                died = legerd.has_ended(GRACE)
            self.assertTrue(answered or died, "no answer, and yet it lives")
        with Legerd(home) as legerd:
            told.ledger.check(legerd.client)
            operation.settle(self, legerd, told)
        with Legerd(home) as legerd:
            told.ledger.check(legerd.client)
            legerd.stop()
        with opened(home) as store:
            self.assertEqual(store.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        return died

    def test_a_change_that_is_cut_anywhere_is_wholly_there_or_wholly_not(self):
        self.full = Home(self.folder / "full")
        self.told = self.fill(self.full)
        for name, operation in OPERATIONS.items():
            self.try_all(name, lambda: self.count(operation), lambda *point: self.cut(operation, *point))

    def first_start(self, folder, *strace):
        """legerd's very first start, under strace from its first call; ended by the kill, or else by SIGTERM."""
        home = Home(folder)
        with open(home.output, "ab") as output:
            process = subprocess.Popen(["strace", "-f", "-q", *strace, *home.command()], env=home.environment(), cwd=folder,
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.addCleanup(process.kill)
        self.wait_until(lambda: home.socket.exists() or process.poll() is not None)
        if process.poll() is None:
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
            for child in children.split():
                os.kill(int(child), signal.SIGTERM)
        return home, process.wait(PATIENCE) == -signal.SIGKILL

    def test_a_first_start_that_is_cut_anywhere_is_followed_by_one_that_works(self):
        def count():
            trace = self.folder / "trace"
            self.first_start(self.folder / "counted", "-o", str(trace), "-e", f"trace={','.join(CALLS)}")
            return counted(trace)

        def cut(call, number):
            home, died = self.first_start(self.folder / f"{call}-{number}", "-o", "/dev/null", "-e", f"trace={call}",
                                          "-e", f"inject={call}:signal=KILL:when={number}")
            ledger = Ledger()
            with Legerd(home) as legerd:
                ledger.set(legerd.client, "first", b"value")
                ledger.check(legerd.client)
            with Legerd(home) as legerd:
                ledger.check(legerd.client)
            return died

        self.try_all("first start", count, cut)
