"""Operations of legerd cut before one of their calls by strace: which calls there are, and which of them a run takes."""

import itertools
import random
import re

from legerd import SEED, SOAK, VaultCase

# Calls by which a process leaves something behind. strace's fault is at the entry of a call: the call is not done.
CALLS = ("pwrite64", "write", "writev", "sendmsg", "fdatasync", "fsync", "ftruncate", "fallocate", "openat", "mkdir", "link", "linkat",
         "symlink", "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "fchmod", "sync_file_range")
POINTS = 7          # of an operation in a test run; in soak all
GRACE = 0.3         # seconds in which what goes on after the answer may still die


def counted(trace):
    """How often each call was made, at most by one thread, since strace counts for each."""
    calls = re.findall(r"^(\d+)\s+(\w+)\(", trace.read_text("utf-8", "replace"), re.MULTILINE)
    most = {}
    for thread, call in set(calls):
        most[call] = max(most.get(call, 0), calls.count((thread, call)))
    return most


class CutCase(VaultCase):
    """Tests that try every point of an operation, or a sample by lot."""

    died = False  # of the last cut

    def points(self, counts, name):
        """(call, number): in soak each one, and on until an operation is not hit."""
        if not SOAK:
            every = [(call, number) for call, most in sorted(counts.items()) for number in range(1, most + 1)]
            yield from random.Random(f"{SEED} {name}").sample(every, min(POINTS, len(every)))
            return
        for call, most in sorted(counts.items()):
            for number in itertools.count(1):
                yield call, number
                if number > most and not self.died:
                    break

    def try_all(self, name, count, cut):
        """`cut` at each point, told (call, number), says whether legerd was hit."""
        counts = count()
        # A change is at least one write to the log, its sync and the answer.
        self.assertGreaterEqual(sum(counts.values()), 3, counts)
        hits = tries = 0
        for call, number in self.points(counts, name):
            with self.subTest(name, call=call, number=number, seed=SEED):
                self.died = False
                self.died = cut(call, number)
                hits += self.died
                tries += number <= counts[call]
        # What is made by the clock, not by the operation, may be missing.
        self.assertGreaterEqual(hits, 0.7 * tries, f"{hits} of {tries} points were hit")
