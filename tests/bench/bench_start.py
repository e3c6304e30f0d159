"""From the start of the program to its first 200, beside nginx; the files are in the page cache for both."""

import shutil
import time

from figures import Figure, Goal
from servers import legerd, nginx

STARTS_A_ROUND = 5

AGAIN = Goal(wanted=2.0, more_is_better=False, of_ratio=True)


def time_start(server):
    """Milliseconds to the first answer."""
    begun = time.perf_counter()
    server.launch()
    try:
        server.first_answer()
        return (time.perf_counter() - begun) * 1e3
    finally:
        server.end()


def start(yard):
    home = yard.folder / "start-legerd"
    ours, theirs = legerd(yard, home), nginx(yard, yard.folder / "start-nginx", b"{}")
    first, again, reference = [], [], []
    time_start(ours)  # what follows finds the programs in memory
    time_start(theirs)
    for _ in range(yard.rounds * STARTS_A_ROUND):
        shutil.rmtree(home / "state")
        first.append(time_start(ours))
        again.append(time_start(ours))
        reference.append(time_start(theirs))
    return [
        Figure("first 200", "ms", again, reference, AGAIN),
        Figure("first 200, no state yet", "ms", first, reference),
    ]
