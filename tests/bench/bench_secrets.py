"""Secrets, authenticated and audited: reading one against nginx, setting one against SQLite alone and against etcd, reading
among many."""

import base64
import contextlib
import http.client
import os
import re
import shutil
import sqlite3
import time

from bench_token import UnixConnection, local_token, one_round
from figures import Figure, Goal
from measure import Unmeasurable, end_wrk, start_wrk
from servers import Server, free_port, legerd, nginx

LEVELS = [1, 16, 64]
VALUE = "v" * 64
NAMES = 100          # secrets that are set again and again
MANY = 100_000
OVERLAP = 200        # more than there are connections
READ = {1: Goal(0.85, True, True), 16: Goal(0.9, True, True, floor=0.6), 64: Goal(0.9, True, True)}
ALONE = Goal(wanted=0.55, more_is_better=True, of_ratio=True, floor=0.5)
ETCD = Goal(wanted=4, more_is_better=True, of_ratio=True, floor=2)
GROUP = Goal(wanted=16, more_is_better=True, of_ratio=False)
AMONG_MANY = Goal(wanted=0.9, more_is_better=True, of_ratio=True, floor=0.8)

# What both stores are asked by the same wrk: a value of 64 bytes under one of a hundred names.
SET = """
local number = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  number = number + 1
  return wrk.format(nil, "/api/secrets/bench-" .. number % {names}, nil, '{{"value":"{value}"}}')
end
"""
# The same for etcd, in whose JSON keys and values are base64: that of "bench-", and four digits that make it one of a hundred.
PUT = """
local number = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  number = number + 1
  return wrk.format(nil, "/v3/kv/put", nil,
    '{{"key":"YmVuY2gt' .. string.format("%04d", number % {names}) .. '","value":"{value}"}}')
end
"""
# Each name once, from a number on. wrk asks once before it begins.
FILL = """
local number = {start} - 1
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  number = number + 1
  return wrk.format(nil, string.format("/api/secrets/many-%06d", number), nil, '{{"value":"{value}"}}')
end
"""
# Those that were filled, by lot; the same lot for both servers.
PICK = """
math.randomseed(1)
function request()
  return wrk.format(nil, string.format("/api/secrets/many-%06d", math.random({count})))
end
"""


def script(yard, name, text, **values):
    path = yard.folder / f"{name}.lua"
    path.write_text(text.format(**values), encoding="ascii")
    return path


class Vault:
    """A legerd with a token; inside a `with` block it runs."""

    def __init__(self, yard, name):
        self.home = yard.folder / name
        self.server = legerd(yard, self.home)
        self.token = ""

    def __enter__(self):
        self.server.__enter__()
        with contextlib.ExitStack() as undo:
            undo.callback(self.server.end)
            self.token = local_token(self.home / "run" / "legerd.sock")
            undo.pop_all()
        return self

    def __exit__(self, *_):
        self.server.end()

    def ask(self, method, target, body=None):
        """The body of an answer over the Unix socket."""
        connection = UnixConnection(self.home / "run" / "legerd.sock")
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as problem:
            raise Unmeasurable(f"{method} {target}: {problem!r}") from problem
        finally:
            connection.close()
        if answer.status not in (200, 201):
            raise Unmeasurable(f"{method} {target} answers {answer.status}: {text[:200]!r}")
        return text

    def load(self, connections, seconds, target="/", lua=None):
        """What wrk saw, and µs of processor time a request."""
        self.server.path = target
        return one_round(self.server, connections, seconds, script=lua, token=self.token)


def get_secret(yard):
    """GET of one secret against a static file of as many bytes."""
    done = {(level, who): [] for level in LEVELS for who in ("ours", "theirs")}
    target = "/api/secrets/bench"
    with Vault(yard, "get-legerd") as vault:
        vault.ask("POST", target, f'{{"value":"{VALUE}"}}')
        body = vault.ask("GET", target)
        with nginx(yard, yard.folder / "get-nginx", b"." * len(body)) as other:
            for number in range(yard.rounds + 1):  # the first warms up
                for level in LEVELS:
                    one = (vault.load(level, yard.seconds, target), one_round(other, level, yard.seconds))
                    if number > 0:
                        done[level, "ours"].append(one[0])
                        done[level, "theirs"].append(one[1])

    def figure(level, label, unit, read, goal=None):
        return Figure(f"c={level} {label}", unit, [read(one) for one in done[level, "ours"]],
                      [read(one) for one in done[level, "theirs"]], goal)

    return [line for level in LEVELS for line in (
        figure(level, "GET of a secret", "/s", lambda one: one[0].per_second, READ[level]),
        figure(level, "p99", "µs", lambda one: one[0].p99),
        figure(level, "CPU", "µs/request", lambda one: one[1]))]


class Alone:
    """SQLite by itself: durable upserts, each a transaction, on the server's core. Open all the while, since its log is cut
    off with the last connection, and one that grows costs several times one that is written over."""

    UPSERT = "INSERT INTO secrets VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    PAGES = 1000  # of the log, after which SQLite begins at its start again

    def __init__(self, yard):
        self.yard = yard
        self.store = sqlite3.connect(yard.folder / "alone.db", isolation_level=None)
        self.store.execute("PRAGMA journal_mode = WAL")
        self.store.execute("PRAGMA synchronous = FULL")
        self.store.execute("CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        self.count = 0
        while self.count < 2 * self.PAGES:
            self.upsert()

    def upsert(self):
        self.count += 1
        # Another value each time: one that is there already SQLite does not write.
        self.store.execute(self.UPSERT, (f"bench-{self.count % NAMES}", b"%064d" % self.count))

    def per_second(self):
        os.sched_setaffinity(0, {self.yard.cores.server})
        try:
            before, begun = self.count, time.monotonic()
            while time.monotonic() - begun < self.yard.seconds:
                self.upsert()
            return (self.count - before) / (time.monotonic() - begun)
        finally:
            os.sched_setaffinity(0, {self.yard.cores.load})

    def close(self):
        self.store.close()


def etcd(yard, home):
    """One node of etcd, which makes each put durable before it answers; asked by its JSON door."""
    program = shutil.which("etcd")
    if not program:
        raise Unmeasurable("etcd is not here: apt-get install etcd-server")
    home.mkdir(mode=0o700)
    peer = f"http://127.0.0.1:{free_port()}"
    command = [program, "--data-dir", str(home / "data"), "--listen-client-urls", "http://127.0.0.1:PORT", "--advertise-client-urls",
               "http://127.0.0.1:PORT", "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster",
               f"default={peer}", "--logger", "zap", "--log-level", "error", "--quota-backend-bytes", "8000000000"]
    return Server(yard.cores, "etcd", command, {"PATH": os.environ["PATH"]}, "/health")


def posts_an_fsync(yard, lua):
    """Counted by strace from the start of a legerd on, since only then it may stop at these calls alone: stopped at each, other
    calls take longer and more comes together. Nothing where we may not trace."""
    strace = shutil.which("strace")
    if not strace or os.geteuid() != 0:
        return []
    trace = yard.folder / "fsyncs"
    vault = Vault(yard, "group-legerd")
    vault.server.command = [strace, "-D", "-f", "-q", "--seccomp-bpf", "-e", "trace=fdatasync,fsync", "-o", str(trace),
                            *vault.server.command]
    with vault:
        before = trace.stat().st_size
        load, _ = vault.load(64, yard.seconds, lua=lua)
        calls = re.findall(rb"f(?:data)?sync\(", trace.read_bytes()[before:])
    return [load.requests / max(1, len(calls))]


def set_secret(yard):
    """Durable POSTs against SQLite alone at one connection, and against etcd's put at 64."""
    lua = script(yard, "set", SET, names=NAMES, value=VALUE)
    put = script(yard, "put", PUT, names=NAMES, value=base64.b64encode(VALUE.encode()).decode("ascii"))
    one, alone, crowd, puts, ours_cpu, their_cpu = [], [], [], [], [], []
    with Vault(yard, "set-legerd") as vault, etcd(yard, yard.folder / "etcd") as other, contextlib.closing(Alone(yard)) as sqlite:
        for number in range(yard.rounds + 1):  # the first warms up
            single = vault.load(1, yard.seconds, lua=lua)[0].per_second
            by_itself = sqlite.per_second()
            ours = vault.load(64, yard.seconds, lua=lua)
            theirs = one_round(other, 64, yard.seconds, script=put)
            if number > 0:
                one.append(single)
                alone.append(by_itself)
                crowd.append(ours[0].per_second)
                puts.append(theirs[0].per_second)
                ours_cpu.append(ours[1])
                their_cpu.append(theirs[1])
    group = posts_an_fsync(yard, lua)
    return [Figure("c=1 POST, SQLite alone", "/s", one, alone, ALONE), Figure("c=64 POST, etcd put", "/s", crowd, puts, ETCD),
            Figure("c=64 CPU", "µs/request", ours_cpu, their_cpu),
            *([Figure("c=64 posts an fsync", "", group, [], GROUP)] if group else [])]


def fill(vault, yard, count):
    """Sets `count` secrets and a few more."""
    start = 0
    while start < count:
        vault.server.path = "/"
        # What was under way at an end may not have been done.
        lua = script(yard, "fill", FILL, start=max(0, start - OVERLAP), value=VALUE)
        seconds = 1 if count - start < 10_000 else 5
        start += end_wrk(start_wrk(vault.server.url(), 64, seconds, script=lua, token=vault.token), seconds).requests


def many_secrets(yard):
    """GET of secrets by lot among 100 000, against the same among 100."""
    done = {(level, who): [] for level in LEVELS for who in ("many", "few")}
    pick = {who: script(yard, who, PICK, count=count) for who, count in (("many", MANY), ("few", NAMES))}
    with Vault(yard, "many-legerd") as many, Vault(yard, "few-legerd") as few:
        fill(many, yard, MANY)
        fill(few, yard, NAMES)
        for number in range(yard.rounds + 1):  # the first warms up
            for level in LEVELS:
                for who, vault in (("many", many), ("few", few)):
                    load, _ = vault.load(level, yard.seconds, lua=pick[who])
                    if number > 0:
                        done[level, who].append(load.per_second)
    return [Figure(f"c={level} GET of {MANY}", "/s", done[level, "many"], done[level, "few"], AMONG_MANY if level == 16 else None)
            for level in LEVELS]
