"""GET /health against nginx with a static file: throughput, times, processor time, memory."""

import socket
import time
import typing

from figures import Figure, Goal
from measure import Load, PATIENCE, Unmeasurable, body_of, cpu_seconds, end_wrk, memory, start_wrk, tree
from servers import legerd, nginx

LEVELS = [1, 16, 64]
CROWD = 256       # open connections for the memory figure
SETTLE = 1.0      # seconds from the first answer to the idle memory
WARM_UP = 1       # seconds, not counted

MORE = Goal(wanted=1.0, more_is_better=True, of_ratio=True, floor=0.8)
CPU = Goal(wanted=1.0, more_is_better=False, of_ratio=True)
IDLE = Goal(wanted=15, more_is_better=False, of_ratio=False, floor=20)
CROWDED = Goal(wanted=40, more_is_better=False, of_ratio=False)


class Round(typing.NamedTuple):
    load: Load
    cpu: float  # µs a request
    rss: float  # MiB, amid the round


def one_round(server, connections, seconds):
    pids = tree(server.process.pid)
    before = cpu_seconds(pids)
    wrk = start_wrk(server.url(), connections, seconds)
    try:
        time.sleep(seconds / 2)
        rss = memory(pids).rss
    finally:
        load = end_wrk(wrk, seconds)
    return Round(load, (cpu_seconds(pids) - before) / load.requests * 1e6, rss)


def rounds_of(yard, servers):
    """Rounds by server and level, interleaved, so that what else the machine does meets both alike."""
    done = {(server.name, level): [] for server in servers for level in LEVELS}
    for server in servers:
        one_round(server, LEVELS[-1], WARM_UP)
    for _ in range(yard.rounds):
        for level in LEVELS:
            for server in servers:
                done[server.name, level].append(one_round(server, level, yard.seconds))
    return done


def figures_at(level, ours, theirs):
    """The lines of one number of connections. The goals of speed.md are for 64."""
    top = level == LEVELS[-1]

    def figure(label, unit, read, goal=None):
        return Figure(f"c={level} {label}", unit, [read(one) for one in ours], [read(one) for one in theirs], goal)

    return [
        figure("requests", "/s", lambda one: one.load.per_second, MORE if top else None),
        figure("p50", "µs", lambda one: one.load.p50),
        figure("p99", "µs", lambda one: one.load.p99),
        figure("CPU", "µs/request", lambda one: one.cpu, CPU if top else None),
    ]


def ask(connection, path):
    """One request on a connection that stays open; the answer is read up to its end."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode("ascii"))
    answer = b""
    while not answer.rstrip().endswith(b"}"):
        part = connection.recv(4096)
        if not part:
            raise Unmeasurable(f"a connection of {CROWD} was closed")
        answer += part


def crowded_memory(server):
    """With many connections open, each of which has had an answer."""
    connections = []
    try:
        for _ in range(CROWD):
            connections.append(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            ask(connections[-1], server.path)
        return memory(tree(server.process.pid))
    except OSError as problem:
        raise Unmeasurable(f"{server.name} with {CROWD} connections: {problem}") from problem
    finally:
        for connection in connections:
            connection.close()


def memory_figures(idle, busy, crowd):
    """`idle` and `crowd`: Memory of (ours, theirs); `busy`: the rounds of both at the most connections."""
    def figure(label, ours, theirs, goal=None):
        known = ours is not None and theirs is not None
        return [Figure(label, "MiB", [ours], [theirs], goal)] if known else []

    return [
        *figure("RSS idle", idle[0].rss, idle[1].rss, IDLE),
        *figure("Pss idle", idle[0].pss, idle[1].pss),
        Figure(f"RSS at c={LEVELS[-1]}", "MiB", [one.rss for one in busy[0]], [one.rss for one in busy[1]]),
        *figure(f"RSS, {CROWD} connections", crowd[0].rss, crowd[1].rss, CROWDED),
        *figure(f"Pss, {CROWD} connections", crowd[0].pss, crowd[1].pss),
    ]


def health(yard):
    with legerd(yard, yard.folder / "health-legerd") as ours:
        body = body_of(ours.port, ours.path)
        with nginx(yard, yard.folder / "health-nginx", b"{" + b"." * (len(body) - 2) + b"}") as theirs:
            servers = [ours, theirs]
            time.sleep(SETTLE)
            idle = [memory(tree(server.process.pid)) for server in servers]
            done = rounds_of(yard, servers)
            crowd = [crowded_memory(server) for server in servers]
    figures = [line for level in LEVELS for line in figures_at(level, done["legerd", level], done["nginx", level])]
    busy = [done[server.name, LEVELS[-1]] for server in servers]
    return figures + memory_figures(idle, busy, crowd)
