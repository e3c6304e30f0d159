#!/usr/bin/env python3
"""Runs the unittest cases of a folder: `cases.py FOLDER [PATTERN]`.

Prints each test as it ends, `SKIPPED name: reason` for a skipped one, and as its last line `RESULT passed failed skipped`,
which tests/run.py reads. A class that cannot be set up counts as one failed test.
"""

import os
import signal
import sys
import time
import unittest


class Result(unittest.TextTestResult):
    """Counts tests, not failures: a test with three failing subtests is one failed test."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.passed = 0
        self.failed = set()
        self.began = 0.0

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.failed.add(test.id())

    def addError(self, test, err):
        super().addError(test, err)
        self.failed.add(test.id())

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.failed.add(test.id())

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.failed.add(test.id())

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln(f"\nSKIPPED {test.id()}: {reason}")


def main(folder, pattern="test_*.py"):
    # As Ctrl-C: unittest would record another exception as one more failed test and go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    here = os.path.dirname(os.path.abspath(__file__))
    # What tests of several folders drive: the host, the browser, and a legerd without a host.
    sys.path[:0] = [os.path.abspath(folder), *(os.path.join(here, shared) for shared in ("host", "browser", "vault"))]
    suite = unittest.defaultTestLoader.discover(folder, pattern=pattern, top_level_dir=folder)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    print(f"RESULT {result.passed} {len(result.failed)} {len(result.skipped)}", flush=True)
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
