#!/usr/bin/env python3
"""The test run: `run.py [STAGE...]`, called by ./dev test. Says what each stage did, and as its last line
`N passed, N failed`; exit 1 if anything failed or nothing ran. What a stage printed is in build/test-logs/STAGE.log."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from stage import LOGS, ROOT, Apart, Stage, paint

# One program of unit tests may take this long before it counts as hung, in seconds.
PROGRAM_LIMIT = 20 * 3600 if os.environ.get("LEGER_SOAK") else 600
BUILD_LIMIT = 3000  # for what compiles beside other stages: tailscaled, and all of Leger once more on Debian 13
CACHE = pathlib.Path(os.environ.get("LEGER_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "leger")
# Several stages need sudo, of which one at a time asks for a password.
ASKING = threading.Lock()
# Stages that run beside the others once the build is there, each with its niceness: those of hosts mostly wait, and what
# compiles lets them go first.
POLITENESS = 10
BESIDE = {"host": 0, "tailnet": 0, "debian13": POLITENESS}
# Tests wait for a disk more than for anything else. Where it has this much room, memory stands for it.
MEMORY, ROOM = pathlib.Path("/dev/shm"), 2 << 30
DOCTEST = re.compile(r"^\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped", re.MULTILINE)
# Debian's name for it has a version, so the sanitizers do not find it by themselves.
SYMBOLIZER = ":external_symbolizer_path=/usr/bin/llvm-symbolizer-19" if os.path.exists("/usr/bin/llvm-symbolizer-19") else ""
SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1" + SYMBOLIZER,
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1" + SYMBOLIZER,
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1" + SYMBOLIZER,
}


def programs(folder, names=("*_tests",)):
    found = [path for name in names for path in folder.rglob(name)]
    return sorted(path for path in set(found) if path.is_file() and os.access(path, os.X_OK))


def count_doctest(stage, name, code, output):
    """Reads one program's summary; a program that dies without one is one failed test."""
    for line in output.splitlines():
        if line.startswith("SKIPPED "):
            stage.skip(name, line[len("SKIPPED "):])
    summary = DOCTEST.search(output)
    if not summary:
        stage.fail(f"{name} ended with {code} and no summary")
        stage.show_end(output)
        return
    passed, failed, skipped = map(int, summary.groups())
    stage.count(passed, failed)
    if skipped:
        stage.count(0, 0, skipped)
        stage.tell(f"SKIPPED {name}: {skipped} test cases are decorated so")
    if passed + failed == 0:
        stage.fail(f"{name} holds no test")
    if code != 0 and failed == 0:
        stage.fail(f"{name} ended with {code} (a sanitizer's finding)")
    if code != 0:
        stage.show_end(output)


def run_programs(stage, found, wanted):
    if not found:
        stage.fail(f"no {wanted} was found")
    commands = [stage.politely([str(path), "--no-colors=true"]) for path in found]
    with tempfile.TemporaryDirectory(prefix="leger-", dir=quick_disk()) as folder:
        # Two at a time: much of their time is waiting.
        with Apart(2, commands, PROGRAM_LIMIT, {**SANITIZERS, "TMPDIR": folder}) as runs:
            for path, run in zip(found, runs):
                code, output = run.result()
                stage.log.write(f"$ {path}\n{output}\n")
                count_doctest(stage, path.name, code, output)


def quick_disk():
    try:
        return MEMORY if shutil.disk_usage(MEMORY).free >= ROOM and os.access(MEMORY, os.W_OK) else None
    except OSError:
        return None


def build(stage, kind):
    code, output = stage.call(["./dev", "build", kind])
    if code:
        stage.fail(f"./dev build {kind} failed; the tests that need it are skipped")
        stage.show_end(output)
    else:
        stage.count(1, 0)
    return code == 0


def debug(stage):
    build(stage, "debug")


def packages(stage):
    code, output = stage.call(["tests/packages", "build", "lint", "vault", "host", "tailnet", "browser"], stdin=sys.stdin)
    if code:
        stage.fail("not all packages are installed")
        stage.show_end(output)


def lint(stage):
    code, output = stage.call(["./dev", "lint"])
    steps = re.findall(r"^lint (\w+): (ok|FAILED)", output, re.MULTILINE)
    failed = sum(1 for _, outcome in steps if outcome == "FAILED")
    stage.count(len(steps) - failed, failed)
    if code and not failed:
        stage.fail("lint did not run to its end")
    if code:
        stage.show_end(output, 60)


def asan(stage):
    if build(stage, "asan"):
        return lambda: run_programs(stage, programs(ROOT / "build/asan/tests"), "build/asan/tests/*_tests")
    return None


def tsan(stage):
    return (lambda: tsan_programs(stage)) if build(stage, "tsan") else None


def tsan_programs(stage):
    found = programs(ROOT / "build/tsan/tests", ("base_tests", "store_tests"))
    run_programs(stage, found, "build/tsan/tests/{base,store}_tests")
    if len(found) == 1:
        stage.fail("of base_tests and store_tests only one was found")


def count_cases(stage, code, output):
    """Reads the RESULT line of tests/cases.py."""
    for line in re.findall(r"^SKIPPED .*", output, re.MULTILINE):
        stage.tell(line)
    result = re.findall(r"^RESULT (\d+) (\d+) (\d+)$", output, re.MULTILINE)
    if not result:
        stage.fail(f"the tests ended with {code} before their last line")
    else:
        stage.count(*map(int, result[-1]))
    if code:
        stage.show_end(output, 60)


def layers(stage):
    count_cases(stage, *stage.call([sys.executable, "tests/cases.py", "tests/lint"]))


def without_host(stage):
    """In a mount namespace of its own: the tests mount small disks. Without root in a user namespace too, since legerd forbids
    its account to trace it."""
    if is_missing(stage, "strace", "to cut a process at a call") or not build(stage, "debug"):
        return
    apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    pattern = os.environ.get(f"LEGER_{stage.name.upper()}_TESTS", "test_*.py")
    count_cases(stage, *stage.call([*apart, sys.executable, "tests/cases.py", f"tests/{stage.name}", pattern]))


def web(stage):
    if is_missing(stage, "node", "of version 20 or newer"):
        return
    code, output = stage.call(["node", "--test", "web/"])
    counts = {word: int(number) for word, number in re.findall(r"^# (pass|fail|skipped) (\d+)$", output, re.MULTILINE)}
    if "pass" not in counts:
        stage.fail(f"node --test ended with {code} and no summary")
    stage.count(counts.get("pass", 0), counts.get("fail", 0), counts.get("skipped", 0))
    if code:
        stage.show_end(output, 60)


def root_is_missing(stage):
    """The host needs root. Asks sudo for it once, on the terminal, where there is one."""
    if os.geteuid() == 0:
        return False
    print("  This stage boots a host in namespaces and needs root for that; sudo may ask for your password.", flush=True)
    ask = ["sudo", "-v"] if sys.stdin.isatty() else ["sudo", "-n", "true"]
    try:
        with ASKING:
            if subprocess.run(ask, check=False).returncode == 0:
                return False
    except FileNotFoundError:
        pass
    stage.skip(stage.name, "needs root; run ./dev test as root, or where sudo is")
    return True


def debian13(stage):
    if root_is_missing(stage):
        return
    code, output = stage.call(["tests/host/debian13"], BUILD_LIMIT)
    for name, status, text in re.findall(r"^=== (\S+_tests)$\n(.*?)^=== ended (\d+)$", output, re.MULTILINE | re.DOTALL):
        count_doctest(stage, name, int(text), status)
    if "=== built" in output:
        stage.count(1, 0)
    if code or "=== built" not in output or stage.passed < 2:
        stage.fail("the build or a test on Debian 13 failed")
        stage.show_end(output)


def host(stage):
    if root_is_missing(stage) or not build(stage, "debug"):
        return
    pattern = os.environ.get("LEGER_HOST_TESTS", "test_*.py")
    count_cases(stage, *stage.call([sys.executable, "tests/cases.py", "tests/host", pattern]))


def is_missing(stage, program, what_for):
    if shutil.which(program):
        return False
    stage.skip(stage.name, f"needs {program}, {what_for}")
    return True


def tailnet(stage):
    if (is_missing(stage, "go", "of version 1.26 or newer, to build tailscaled") or
            is_missing(stage, "npm", "which comes with Node.js 20 or newer, for the driver of Chromium") or root_is_missing(stage)):
        return
    # Both are remembered in the cache; the first time they take minutes, which are not the tests'.
    binaries = subprocess.run(["tests/tailnet/tailnet", "name"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    for command in (["tests/tailnet/tailnet", "build", str(CACHE / binaries)], ["tests/browser/install"]):
        code, output = stage.call(["nice", "-n", str(POLITENESS), *command], BUILD_LIMIT)
        if code:
            stage.fail(f"{command[0]} failed")
            stage.show_end(output)
            return
    if build(stage, "debug"):
        pattern = os.environ.get("LEGER_TAILNET_TESTS", "test_*.py")
        count_cases(stage, *stage.call([sys.executable, "tests/cases.py", "tests/tailnet", pattern]))


STAGES = {
    "packages": packages, "build": debug, "lint": lint, "asan": asan, "tsan": tsan,
    "layers": layers, "vault": without_host, "releases": without_host, "web": web, "debian13": debian13, "host": host, "tailnet": tailnet,
}


def run_stage(name, politeness=0, lane=None):
    """A future of the stage, or the stage itself. A stage may return what is left of it, which mostly waits: it is done in
    the lane, beside what comes next."""
    stage = Stage(name, politeness)
    print(paint("1", f"== {name}"), flush=True)
    begin = time.monotonic()
    rest = STAGES[name](stage)
    if rest and lane:
        return lane.submit(end_stage, stage, begin, rest)
    return end_stage(stage, begin, rest)


def end_stage(stage, begin, rest):
    if rest:
        # Tests have deadlines, compilers none.
        stage.politeness //= 2
        rest()
    outcome = f"{stage.passed} passed, {stage.failed} failed" + (f", {stage.skipped} skipped" if stage.skipped else "")
    print(paint("31" if stage.failed else "32", f"   {stage.name}: {outcome}, {time.monotonic() - begin:.0f} s"), flush=True)
    return stage


def run_stages(names):
    """Runs stages one after the other, and those of BESIDE beside them and one another; so the programs of tests that a
    stage has built."""
    with concurrent.futures.ThreadPoolExecutor(len(BESIDE)) as beside, concurrent.futures.ThreadPoolExecutor(1) as lane:
        done, waiting = [], []
        for name in names:
            if name in BESIDE and "build" in names:
                continue
            stage = run_stage(name, POLITENESS if waiting else 0, lane)
            (done if isinstance(stage, Stage) else waiting).append(stage)
            if name == "build":
                waiting += [beside.submit(run_stage, later, nice) for later, nice in BESIDE.items() if later in names]
        return done + [future.result() for future in waiting]


def main(names):
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"There is no stage {unknown[0]}; the stages are {' '.join(STAGES)}.", file=sys.stderr)
        return 2
    begin = time.monotonic()
    done = run_stages(list(names or STAGES))
    passed, failed = sum(stage.passed for stage in done), sum(stage.failed for stage in done)
    print(f"in {time.monotonic() - begin:.0f} s; the logs are in {LOGS.relative_to(ROOT)}/")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
