"""A deployment of ten units on a test host against the same by hand: the folder copied, one daemon-reload, one start.

Each way begins and ends with nothing deployed; the taking away is not measured. legerd waits for no settling time, since
nobody who does it by hand does; that what it started runs is seen in both.
"""

import json
import os
import pathlib
import sys
import time

from figures import Figure, Goal
from measure import Unmeasurable

TESTS = pathlib.Path(__file__).resolve().parent.parent
UNITS = 10
DEPLOY = Goal(wanted=1.2, more_is_better=False, of_ratio=True, floor=2)


def host_with_app(yard):
    """A host with the programs of the build, the app as a release and as a folder."""
    os.environ["LEGER_BUILD"] = str(yard.build)
    sys.path[:0] = [str(TESTS / "host")]
    import apps  # which programs it installs is decided when it is read
    from leger_host import must

    class Host(apps.QuickHost):
        """Nothing is waited for beside what is done."""

        def configuration(self):
            return "[deploy]\nsettle_s = 0\n"

    host = Host()
    host.build_image()
    files = {f"unit-{number}.container": apps.unit(Container=f"Image={apps.IMAGE}\nPull=never\nNetwork=none\nVolume=./wait.sh:/wait.sh:ro\n"
                                                             "Exec=/bin/sh /wait.sh", Install="WantedBy=default.target")
             for number in range(UNITS)}
    files["wait.sh"] = "trap 'exit 0' TERM\nsleep 1000000 &\nwait\n"
    packed = apps.bundle("ten", files)
    host.write("ten.tar.gz", packed)
    must(host.sh("mkdir ten && tar -xzf ten.tar.gz -C ten"))
    version = json.loads(must(host.leger("--json", "releases", "upload", "ten.tar.gz")))["version"]
    return host, version, apps.CONSENT


def run(host, script, limit=300):
    """Seconds that shell lines take in the host, by its own clock: the way in is not in it."""
    outcome = host.sh(f"begun=$(date +%s%N); {script} >/dev/null && echo $(( $(date +%s%N) - begun ))", limit=limit)
    if outcome.code:
        raise Unmeasurable(f"{script}: {outcome.err.strip()[-300:]}")
    return int(outcome.out) / 1e9


def check(host):
    running = host.sh("podman ps -q | wc -l").out.strip()
    if running != str(UNITS):
        raise Unmeasurable(f"{running} containers run, not {UNITS}")


def deploy(yard):
    if os.geteuid() != 0:
        raise Unmeasurable("hosts need root: run ./dev bench deploy as root")
    os.sched_setaffinity(0, {yard.cores.server, yard.cores.load})  # the host has both, as a machine would
    host, version, consent = host_with_app(yard)
    services = " ".join(f"unit-{number}.service" for number in range(UNITS))
    folder = "~/.config/containers/systemd/ten"
    by_hand = f"{{ cp -r ~/ten {folder} && systemctl --user daemon-reload && systemctl --user start {services}; }}"
    ours, theirs = [], []
    try:
        for number in range(yard.rounds + 1):
            ours.append(run(host, f"leger deploy install {version} {' '.join(consent)}"))
            check(host)
            run(host, "leger deploy remove ten")
            theirs.append(run(host, by_hand))
            check(host)
            run(host, f"{{ systemctl --user stop {services}; rm -r {folder}; systemctl --user daemon-reload; }}")
            if number == 0:  # the first of each finds nothing in memory
                ours.clear(), theirs.clear()
            time.sleep(0.2)
    finally:
        host.close()
        os.sched_setaffinity(0, {yard.cores.load})
    return [Figure("ten units", "s", ours, theirs, DEPLOY)]
