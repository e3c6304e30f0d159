"""Releases: uploads against the disk and the work that a bundle is, and against nginx's PUT; downloads against nginx."""

import contextlib
import gzip
import hashlib
import http.client
import io
import itertools
import json
import os
import random
import statistics
import struct
import tarfile
import time
import typing
import zlib

from bench_secrets import Vault, script
from bench_token import one_round
from figures import Figure, Goal
from measure import PATIENCE, Unmeasurable
from servers import nginx

SMALL = 15 << 10
LARGE = 16 << 20
PART = 2 << 20        # bytes of a file in the large bundle
BLOCK = 64 << 10      # at once through the hash and zlib, as a server that keeps its memory flat would
WARM_UP = 3           # uploads of each kind, not counted
UPLOAD = Goal(wanted=0.8, more_is_better=True, of_ratio=True, floor=0.5)
UPLOAD_LARGE = Goal(wanted=1.6, more_is_better=False, of_ratio=True, floor=2.5)
DOWNLOAD_LARGE = Goal(wanted=1.5, more_is_better=False, of_ratio=True, floor=2)
DOWNLOAD = Goal(wanted=0.7, more_is_better=True, of_ratio=True)

# What variants() yields from a number on, sent by wrk: what a client takes for itself counts too, and should be little.
SEND = """
local file = io.open("{path}", "rb")
local bundle = file:read("*a")
file:close()
local number = {start}
wrk.method = "{method}"
wrk.headers["Content-Type"] = "application/gzip"
function request()
  number = number + 1
  local time = string.char(number % 256, math.floor(number / 256) % 256, math.floor(number / 65536) % 256, 0)
  return wrk.format(nil, nil, nil, bundle:sub(1, 4) .. time .. bundle:sub(9))
end
"""


def bundle(name, size):
    """A good bundle of a bit less than `size` packed bytes, which are half of what is in it: text of random digits."""
    noise = size * 21 // 25  # of its digits gzip makes a seventh more, and there is the rest of the bundle
    files = {f"data/part-{start // PART}": random.Random(start).randbytes(min(PART, noise - start)).hex().encode("ascii")
             for start in range(0, noise, PART)}
    manifest = {"version": 1, "deployment_name": name, "created_at": "2026-11-22T04:05:06Z", "files": list(files), "services": [],
                "secrets_required": []}
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path, content in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def variants(data):
    """The same bundle with ever other bytes, since equal ones are no new release: gzip's header has a time that nobody reads."""
    for number in itertools.count(1):
        yield data[:4] + struct.pack("<I", number) + data[8:]


@contextlib.contextmanager
def on_core_of_server(yard):
    """What this program does inside is done where a server would do it."""
    os.sched_setaffinity(0, {yard.cores.server})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {yard.cores.load})


class Disk:
    """What a durable file costs by itself: write, fsync, rename, fsync of the folder."""

    def __init__(self, yard):
        self.folder = yard.folder / "disk"
        self.folder.mkdir(exist_ok=True)
        self.number = 0

    def __call__(self, data):
        self.number += 1
        new = self.folder / "new"
        with open(new, "wb", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())
        new.rename(self.folder / f"{self.number % 20}")
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def hash_and_inflate(data):
    """What has to be computed of a bundle, whoever reads it."""
    digest, stream = hashlib.sha256(), zlib.decompressobj(wbits=31)
    for start in range(0, len(data), BLOCK):
        digest.update(data[start:start + BLOCK])
        rest = data[start:start + BLOCK]
        while rest:
            stream.decompress(rest, BLOCK)
            rest = stream.unconsumed_tail


class Sender:
    """Sends bundles over one TCP connection that is kept."""

    def __init__(self, server, method, target, headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self.method, self.target, self.headers = method, target, headers

    def __call__(self, data):
        try:
            self.connection.request(self.method, self.target, data, self.headers)
            answer = self.connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            raise Unmeasurable(f"{self.method} {self.target}: {problem!r}") from problem
        if answer.status not in (201, 204):
            raise Unmeasurable(f"{self.method} {self.target} answers {answer.status}: {body[:200]!r}")

    def close(self):
        self.connection.close()


class Way(typing.NamedTuple):
    """One way for a bundle to go."""
    name: str
    go: typing.Callable[[bytes], None]
    here: bool  # whether this program does the work itself


def seconds_each(yard, way, data):
    """The median over as many as go into a round."""
    place = on_core_of_server(yard) if way.here else contextlib.nullcontext()
    times = []
    with place:
        until = time.monotonic() + yard.seconds
        while not times or time.monotonic() < until:
            one = next(data)
            begun = time.perf_counter()
            way.go(one)
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


def rounds_of(yard, ways, data):
    """Seconds by way, of each round."""
    for way in ways:
        for _ in range(WARM_UP):
            way.go(next(data))
    done = {way.name: [] for way in ways}
    for _ in range(yard.rounds):
        for way in ways:
            done[way.name].append(seconds_each(yard, way, data))
    return done


class Loads:
    """Uploads of variants of one bundle by wrk at one connection, each run beginning where the one before ended at most."""

    def __init__(self, yard, data):
        self.yard, self.number = yard, 0
        self.path = yard.folder / "small.tar.gz"
        self.path.write_bytes(data)

    def rate(self, server, method, seconds, token=None):
        """Uploads a second, by the median of the times they took."""
        lua = script(self.yard, "send", SEND, path=self.path, start=self.number, method=method)
        load = one_round(server, 1, seconds, script=lua, token=token)[0]
        self.number += load.requests + 1
        return 1e6 / load.p50


def small_uploads(yard, vault, other):
    """Rates by server, of each round. An upload of one app makes its oldest release go, as in long use."""
    data = bundle("small", SMALL)
    loads, disk, rates = Loads(yard, data), Way("disk", Disk(yard), True), {"legerd": [], "disk": [], "nginx": []}
    vault.server.path, other.path = "/api/releases", "/put.tar.gz"
    for number in range(yard.rounds + 1):  # the first warms up
        one = {"legerd": loads.rate(vault.server, "POST", yard.seconds, vault.token),
               "disk": 1 / seconds_each(yard, disk, variants(data)),
               "nginx": loads.rate(other, "PUT", yard.seconds)}
        if number > 0:
            for name, rate in one.items():
                rates[name].append(rate)
    return rates


def upload(yard):
    """Bundles of 15 KiB and of 16 MiB over TCP, one after the other."""
    figures = []
    with contextlib.ExitStack() as undo:
        vault = undo.enter_context(Vault(yard, "upload-legerd"))
        other = undo.enter_context(nginx(yard, yard.folder / "upload-nginx", b".", upload=True))
        headers = {"Content-Type": "application/gzip", "Authorization": f"Bearer {vault.token}"}
        ours = undo.enter_context(contextlib.closing(Sender(vault.server, "POST", "/api/releases", headers)))
        theirs = undo.enter_context(contextlib.closing(Sender(other, "PUT", "/put.tar.gz", {})))
        ways = [Way("legerd", ours, False), Way("disk", Disk(yard), True), Way("nginx", theirs, False)]
        rates = small_uploads(yard, vault, other)
        figures += [Figure("15 KiB POST, the disk", "/s", rates["legerd"], rates["disk"], UPLOAD),
                    Figure("15 KiB POST, nginx PUT", "/s", rates["legerd"], rates["nginx"])]
        large = variants(bundle("large", LARGE))
        times = rounds_of(yard, [*ways, Way("work", hash_and_inflate, True)], large)
        more = [max(pair) for pair in zip(times["disk"], times["work"])]
        figures += [Figure("16 MiB POST, disk or work", "s", times["legerd"], more, UPLOAD_LARGE),
                    Figure("16 MiB POST, nginx PUT", "s", times["legerd"], times["nginx"]),
                    Figure("16 MiB work, the disk", "s", times["work"], times["disk"])]
    return figures


def download(yard):
    """Of 16 MiB at one connection, and of 15 KiB at 16, against nginx with the same bytes."""
    done = {(size, who): [] for size in ("small", "large") for who in ("ours", "theirs")}
    bundles = {"small": bundle("small", SMALL), "large": bundle("large", LARGE)}
    connections = {"small": 16, "large": 1}
    with contextlib.ExitStack() as undo:
        vault = undo.enter_context(Vault(yard, "download-legerd"))
        others, targets = {}, {}
        for size, data in bundles.items():
            send = Sender(vault.server, "POST", "/api/releases",
                          {"Content-Type": "application/gzip", "Authorization": f"Bearer {vault.token}"})
            with contextlib.closing(send):
                send(data)
            targets[size] = f"/api/releases/{len(targets) + 1}/download"
            # Each at its best: sendfile for what is large, none for what is small.
            others[size] = undo.enter_context(nginx(yard, yard.folder / f"download-{size}", data, sendfile=size == "large"))
        for number in range(yard.rounds + 1):  # the first warms up
            for size, level in connections.items():
                one = (vault.load(level, yard.seconds, targets[size]), one_round(others[size], level, yard.seconds))
                if number > 0:
                    done[size, "ours"].append(one[0])
                    done[size, "theirs"].append(one[1])

    def figure(size, label, unit, read, goal=None):
        return Figure(label, unit, [read(one) for one in done[size, "ours"]], [read(one) for one in done[size, "theirs"]], goal)

    return [figure("large", "16 MiB GET", "ms", lambda one: 1000 / one[0].per_second, DOWNLOAD_LARGE),
            figure("large", "16 MiB CPU", "µs/request", lambda one: one[1]),
            figure("small", "c=16 15 KiB GET", "/s", lambda one: one[0].per_second, DOWNLOAD),
            figure("small", "c=16 15 KiB CPU", "µs/request", lambda one: one[1])]
