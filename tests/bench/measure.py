"""Reading what a server does: requests by wrk, processor time and memory by /proc."""

import http.client
import os
import pathlib
import re
import shutil
import subprocess
import time
import typing

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024  # KiB
PATIENCE = 20  # seconds for anything that is a matter of milliseconds
MICROSECONDS = {"us": 1, "ms": 1000, "s": 1_000_000, "m": 60_000_000}


class Unmeasurable(Exception):
    """A figure cannot be had; the text says why, and what to do."""


def tree(pid):
    """The process and those it started, and so on."""
    pids = [pid]
    for parent in pids:  # grows while it is read
        for task in pathlib.Path(f"/proc/{parent}/task").iterdir():
            pids += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
    return pids


def cpu_seconds(pids):
    """User and system time of all threads of these processes, those that have ended included."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])  # utime, stime: proc_pid_stat(5)
    return total / TICKS


class Memory(typing.NamedTuple):
    rss: float         # MiB, summed over the processes: what they share counts for each
    pss: float | None  # MiB; shared pages divided by their users. Nothing where only root may read it


def memory(pids):
    rss = sum(field(f"/proc/{pid}/status", "VmRSS") for pid in pids)
    try:
        pss = sum(field(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids)
    except PermissionError:
        pss = None
    return Memory(rss / MIB, None if pss is None else pss / MIB)


def field(path, name):
    """A line `name: 123 kB` of a file of /proc, in KiB."""
    found = re.search(rf"^{name}:\s+(\d+) kB", pathlib.Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise Unmeasurable(f"{path} has no {name}")
    return int(found[1])


class Load(typing.NamedTuple):
    """What wrk saw in one round."""
    per_second: float
    p50: float  # µs
    p99: float  # µs
    requests: int


def start_wrk(url, connections, seconds, *, script=None, token=None):
    """A running wrk; it inherits the core of the caller. `script`: a file of wrk's; `token`: sent as Bearer."""
    program = shutil.which("wrk")
    if not program:
        raise Unmeasurable("wrk is not here: apt-get install wrk")
    command = [program, "--latency", "-t", "1", "-c", str(connections), "-d", f"{seconds}s"]
    command += ["-s", str(script)] if script else []
    command += ["-H", f"Authorization: Bearer {token}"] if token else []
    command += [url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end_wrk(process, seconds):
    """Waits for its end and reads what it says; any answer but 2xx makes the round worthless."""
    try:
        said = process.communicate(timeout=seconds + PATIENCE)[0]
    except subprocess.TimeoutExpired as problem:
        raise Unmeasurable("wrk does not end") from problem
    finally:
        process.kill()
        process.wait()
    per_second = re.search(r"^Requests/sec:\s+([\d.]+)", said, re.MULTILINE)
    requests = re.search(r"^\s+(\d+) requests in", said, re.MULTILINE)
    times = {found[1]: float(found[2]) * MICROSECONDS[found[3]]
             for found in re.finditer(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$", said, re.MULTILINE)}
    broken = re.search(r"Non-2xx|Socket errors", said)
    if broken or not per_second or not requests or len(times) != 2 or int(requests[1]) == 0:
        raise Unmeasurable(f"wrk says:\n{said}")
    return Load(float(per_second[1]), times["50"], times["99"], int(requests[1]))


def body_of(port, path):
    """The body of the answer to a GET on a new connection. OSError while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as problem:
        raise Unmeasurable(f"GET {path}: no answer of HTTP: {problem!r}") from problem
    finally:
        connection.close()
    if answer.status != 200:
        raise Unmeasurable(f"GET {path} answers {answer.status}: {body[:200]!r}")
    return body


def wait_for_answer(process, port, path):
    """Asks until the server answers; asks often, as this is what a start is measured by."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Unmeasurable(f"{process.args[0]} ended with {process.returncode} at its start")
        try:
            return body_of(port, path)
        except OSError:
            time.sleep(0.0002)
    raise Unmeasurable(f"{process.args[0]} does not answer within {PATIENCE} s")
