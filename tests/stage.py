"""One stage of the test run: its counts, its log, and the commands it runs."""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test-logs"
CI = os.environ.get("CI") == "true"
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
# The host tests may take this long before they count as hung, in seconds.
STAGE_LIMIT = 20 * 3600 if os.environ.get("LEGER_SOAK") else 1500


def paint(colour, text):
    return f"\033[{colour}m{text}\033[0m" if COLOUR else text


class Stage:
    """Counts what one stage did and keeps its log."""

    def __init__(self, name, politeness=0):
        self.politeness = politeness  # of its programs, as nice(1) counts
        self.name, self.passed, self.failed, self.skipped = name, 0, 0, 0
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = open(LOGS / f"{name}.log", "w", encoding="utf-8", errors="replace")

    def count(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed + (skipped if CI else 0)
        self.skipped += skipped

    def fail(self, why):
        self.count(0, 1)
        self.tell(f"FAILED {self.name}: {why}")

    def skip(self, name, why):
        self.count(0, 0, 1)
        self.tell(f"SKIPPED {name}: {why}")

    def tell(self, line):
        print(f"  {line}", flush=True)
        self.log.write(line + "\n")
        self.log.flush()

    def call(self, command, limit=STAGE_LIMIT, stdin=None, **environment):
        """Runs a command, logs what it prints, and returns (exit code, output)."""
        self.log.write(f"$ {' '.join(map(str, command))}\n")
        self.log.flush()
        begin = self.log.tell()
        process = subprocess.Popen(self.politely(command), cwd=ROOT, stdin=stdin or subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                   env={**os.environ, **environment}, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = 124
            self.log.write(f"\nended after {limit} s\n")
        finally:
            # Also on Ctrl-C: what the command started ends with it. Under sudo it is sudo that passes this on.
            if process.poll() is None:
                end_group(process)
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            file.seek(begin)
            return code, file.read()

    def politely(self, command):
        return ["nice", "-n", str(self.politeness), *command] if self.politeness else command

    def show_end(self, output, lines=25):
        for line in output.rstrip().splitlines()[-lines:]:
            print(f"    {line}")


def end_group(process):
    for number, patience in ((signal.SIGTERM, 60), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
            return
        except (ProcessLookupError, PermissionError):
            return
        except subprocess.TimeoutExpired:
            continue


class Apart:
    """Runs commands beside one another, each with an output of its own; a future of (exit code, output) for each."""

    def __init__(self, at_once, commands, limit, environment):
        self.limit, self.environment = limit, {**os.environ, **environment}
        self.pool = concurrent.futures.ThreadPoolExecutor(at_once)
        self.running = set()
        self.futures = [self.pool.submit(self.run, command) for command in commands]

    def run(self, command):
        with tempfile.TemporaryFile() as file:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                       env=self.environment, start_new_session=True)
            self.running.add(process)
            try:
                code = process.wait(self.limit)
            except subprocess.TimeoutExpired:
                end_group(process)
                code = 124
            self.running.discard(process)
            file.seek(0)
            ended = f"\nended after {self.limit} s\n" if code == 124 else ""
            return code, file.read().decode("utf-8", "replace") + ended

    def __enter__(self):
        return self.futures

    def __exit__(self, kind, *_):
        # Also on Ctrl-C: what was started ends with it.
        self.pool.shutdown(wait=False, cancel_futures=True)
        if kind is not None:
            for process in list(self.running):
                end_group(process)
