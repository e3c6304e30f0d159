"""The check of a token alone, beside GET /health of the same process: OPTIONS of a route that needs a token does nothing
else. Also the whole GET of such a route."""

import base64
import hashlib
import http.client
import json
import secrets
import socket

from figures import Figure, Goal
from measure import Load, PATIENCE, Unmeasurable, cpu_seconds, end_wrk, start_wrk, tree
from servers import legerd

LEVELS = [1, 16, 64]
PATH = "/api/auth/me"
ALONE = Goal(wanted=0.9, more_is_better=True, of_ratio=True)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket `path`."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


def post(path, target, body):
    """The data of the answer to a POST over the Unix socket."""
    connection = UnixConnection(path)
    try:
        connection.request("POST", target, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise Unmeasurable(f"POST {target} answers {answer.status}: {text[:200]!r}")
    return json.loads(text)["data"]


def local_token(path):
    """A token of the owner's for TCP, as `leger auth login` gets it on the host."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    challenge = base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
    code = post(path, "/api/auth/code", {"challenge": challenge})["code"]
    return post(path, "/api/auth/exchange", {"code": code, "verifier": verifier})["token"]


def one_round(server, connections, seconds, **wrk) -> tuple[Load, float]:
    """What wrk saw, and µs of processor time a request."""
    pids = tree(server.process.pid)
    before = cpu_seconds(pids)
    load = end_wrk(start_wrk(server.url(), connections, seconds, **wrk), seconds)
    return load, (cpu_seconds(pids) - before) / load.requests * 1e6


def token(yard):
    home = yard.folder / "token-legerd"
    options = yard.folder / "options.lua"
    options.write_text('wrk.method = "OPTIONS"\n', encoding="ascii")
    done = {(level, kind): [] for level in LEVELS for kind in ("health", "alone", "whole")}
    with legerd(yard, home) as server:
        bearer = local_token(home / "run" / "legerd.sock")
        health = server.path
        kinds = {"health": (health, {}), "alone": (PATH, {"script": options, "token": bearer}), "whole": (PATH, {"token": bearer})}
        for number in range(yard.rounds + 1):  # the first warms up
            for level in LEVELS:
                for kind, (server.path, wrk) in kinds.items():
                    figures = one_round(server, level, yard.seconds, **wrk)
                    if number > 0:
                        done[level, kind].append(figures)

    def figure(level, kind, label, unit, read, goal=None):
        return Figure(f"c={level} {label}", unit, [read(one) for one in done[level, kind]],
                      [read(one) for one in done[level, "health"]], goal)

    figures = []
    for level in LEVELS:
        goal = ALONE if level == LEVELS[-1] else None
        figures += [
            figure(level, "alone", "token alone", "/s", lambda one: one[0].per_second, goal),
            figure(level, "alone", "CPU", "µs/request", lambda one: one[1]),
            figure(level, "whole", f"GET {PATH}", "/s", lambda one: one[0].per_second),
        ]
    return figures
