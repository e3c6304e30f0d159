#!/usr/bin/env python3
"""`run.py BUILD_DIR [NAME...]`, called by ./dev bench: legerd measured beside a reference, in one run.

Only the ratios mean something: the rounds of the two are interleaved, the server has a core of its own and the load
another, and each ratio is the median of the rounds. No figure fails a run, however bad; what cannot be measured does:
exit 1, and 2 for usage.

A bench is a function in a bench_*.py that takes a Yard and returns Figures, and a line in BENCHES.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import typing

from bench_deploy import deploy
from bench_health import health
from bench_releases import download, upload
from bench_secrets import get_secret, many_secrets, set_secret
from bench_sign_in import sign_in
from bench_start import start
from bench_token import token
from figures import Figure, show
from measure import Unmeasurable
from servers import Cores, Yard


class Bench(typing.NamedTuple):
    name: str
    what: str
    reference: str
    goal: str
    run: typing.Callable[[Yard], list[Figure]]


BENCHES = [
    Bench("health", "GET /health over keep-alive at 1, 16 and 64 connections; memory idle and at work",
          "nginx at its best, one worker, a static file of as many bytes",
          "c=64: ≥ 1.0 (floor 0.8) at ≤ 1.0 of its CPU per request; RSS idle ≤ 15 MiB (floor 20), 256 connections ≤ 40",
          health),
    Bench("token", "the check of a token alone (OPTIONS of a route that needs one), at 1, 16 and 64 connections",
          "GET /health of the same process", "c=64: ≥ 0.9", token),
    Bench("get_secret", "GET of a secret of 64 bytes with a token, on record, at 1, 16 and 64 connections",
          "nginx at its best, a static file of as many bytes as the answer", "c=1, 16, 64: ≥ 0.85, 0.9 (floor 0.6), 0.9", get_secret),
    Bench("set_secret", "durable POSTs of 64 bytes at 1 and 64 connections",
          "upserts by SQLite alone (WAL, FULL); put of etcd by its JSON door",
          "c=1: ≥ 0.55 (floor 0.5); c=64: ≥ 4 (floor 2), and 16 posts an fsync", set_secret),
    Bench("many_secrets", "GET of secrets by lot among 100 000", "the same among 100", "c=16: ≥ 0.9 (floor 0.8)", many_secrets),
    Bench("upload", "uploads of bundles of 15 KiB and 16 MiB over TCP, one connection",
          "write, fsync, rename and fsync of the folder; for 16 MiB the longer of that and sha256 with inflate; PUT of nginx, which syncs nothing",
          "15 KiB: ≥ 0.8 (floor 0.5); 16 MiB: ≤ 1.6 times (floor 2.5)", upload),
    Bench("download", "downloads of a bundle of 16 MiB at one connection, and of 15 KiB at 16",
          "nginx at its best, a static file of the same bytes", "16 MiB: ≤ 1.5 times (floor 2); 15 KiB: ≥ 0.7", download),
    Bench("deploy", "a deployment of ten containers on a test host, without a settling time; needs root",
          "by hand on the same host: cp, daemon-reload, start", "≤ 1.2 times (floor 2)", deploy),
    Bench("sign_in", "sign-ins a second over a real tailnet, one connection; needs root, Go and the test hosts",
          "whois of the LocalAPI alone, one connection", "none", sign_in),
    Bench("start", "from the start of the program to the first 200",
          "nginx, the same", "≤ 2 times", start),
]


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description="legerd measured beside a reference in one run.")
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benches to run (all); `list` names them")
    parser.add_argument("--quick", action="store_true", help="three short rounds instead of seven: a first look only")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures of every round there")
    options = parser.parse_intermixed_args()
    unknown = set(options.names) - {bench.name for bench in BENCHES} - {"list"}
    if unknown:
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; `list` names them")
    return options


def list_benches():
    for bench in BENCHES:
        print(f"{bench.name}\n  what       {bench.what}\n  reference  {bench.reference}\n  goal       {bench.goal}")


def build_type(build):
    """As meson was told, or nothing where the folder does not say."""
    try:
        settings = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return next((one["value"] for one in settings if one["name"] == "buildtype"), None)


def introduce(yard):
    print(f"server on core {yard.cores.server}, load on core {yard.cores.load}; load average {os.getloadavg()[0]:.1f}; "
          f"{yard.rounds} rounds of {yard.seconds} s")
    if yard.cores.server == yard.cores.load:
        print("There is one core only: server and load take it from each other, so ratios tend to 1.")
    if os.getloadavg()[0] > 1:
        print("Other programs are computing: believe the ratios as far as they agree from round to round.")
    kind = build_type(yard.build)
    if kind not in ("release", None):
        print(f"This build is {kind}; only a release build says something.")


def run_benches(yard, benches):
    """The figures by bench, and how many benches could not be measured."""
    results, failures = {}, 0
    for bench in benches:
        print(f"\n{bench.name}: {bench.what}\n  against {bench.reference}", flush=True)
        try:
            results[bench.name] = bench.run(yard)
        except Unmeasurable as problem:
            failures += 1
            print(f"FAILED {bench.name}: {problem}", flush=True)
            continue
        show(results[bench.name])
    return results, failures


def write_json(path, yard, results):
    record = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "build_type": build_type(yard.build),
        "cores": dataclasses.asdict(yard.cores), "rounds": yard.rounds, "seconds": yard.seconds,
        "benches": {name: [figure.as_record() for figure in figures] for name, figures in results.items()},
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    options = arguments()
    if "list" in options.names:
        list_benches()
        return 0
    # An end that is asked for ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    benches = [bench for bench in BENCHES if not options.names or bench.name in options.names]
    with tempfile.TemporaryDirectory(prefix="leger-bench-") as folder:
        yard = Yard(build=options.build.resolve(), folder=pathlib.Path(folder), cores=Cores.of_this_machine(),
                    rounds=3 if options.quick else 7, seconds=1 if options.quick else 2)
        introduce(yard)
        results, failures = run_benches(yard, benches)
        if options.json:
            write_json(options.json, yard, results)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
