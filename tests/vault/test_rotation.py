"""Changes of keys under readers and writers, killed again and again: no answer is ever wrong, and they come to their end
by themselves."""

import hashlib
import itertools
import random
import threading
import time

from ledger import Ledger
from legerd import SEED, SOAK, Home, Legerd, NoAnswer, VaultCase, value_of
from rotations import NEW_KEY, rotate_data_key, rotate_kek, settle_kek, wait_for_end_of_rotation
from store import old_keys, opened, secret_keys

ROWS, KILLS = (20_000, 100) if SOAK else (1000, 25)
READERS = WRITERS = 2
MOVING = 5          # secrets that each writer sets again and again
SAMPLE = 30         # secrets that nobody changes, looked at after each kill
END = 600           # seconds that an undisturbed rotation may take under load


def value(name, version):
    """What a version has by rule, so that a reader needs to know nothing else."""
    digest = hashlib.shake_256(f"{SEED} {name} {version}".encode())
    return digest.digest(1 + digest.digest(1)[0] * 4)


class Crowd:
    """Readers and writers on a running legerd, until it is killed or they are told to stop."""

    def __init__(self, legerd, ledger, lot):
        self.legerd, self.ledger = legerd, ledger
        self.stopped = False
        self.wrong = []
        self.done = {"read": 0, "set": 0, "delete": 0}
        jobs = [*([self.read_some] * READERS), *(self.writer(number) for number in range(WRITERS))]
        self.threads = [threading.Thread(target=self.work, args=(job, random.Random(lot.random()))) for job in jobs]
        for thread in self.threads:
            thread.start()

    def work(self, job, lot):
        client = self.legerd.connect()
        try:
            while not self.stopped:
                job(client, lot)
        except NoAnswer as problem:
            if not self.stopped:
                self.wrong.append(problem)
        except Exception as problem:  # pylint: disable=broad-except
            self.wrong.append(problem)

    def stop(self, kill):
        """Lets them end; with `kill` legerd goes from under them."""
        self.stopped = True
        if kill:
            self.legerd.process.kill()
        for thread in self.threads:
            thread.join()
        if self.wrong:
            raise AssertionError(f"{len(self.wrong)} wrong, the first: {self.wrong[0]!r}") from self.wrong[0]

    def read_some(self, client, lot):
        if lot.random() < 0.5:
            name = fixed(lot.randrange(ROWS))
        else:
            name = moving(lot.randrange(WRITERS), lot.randrange(MOVING))
        at_least = self.ledger.secrets[name].number
        answer = client.get(f"/api/secrets/{name}")
        at_most = self.ledger.secrets[name].number + 1
        if answer.status != 200:
            raise AssertionError(f"{name}: {answer}")
        number = answer.data["version"]
        if not at_least <= number <= at_most or value_of(answer.data) != value(name, number):
            raise AssertionError(f"{name}: version {number} of {at_least} to {at_most}, {value_of(answer.data)[:40]!r}")
        self.done["read"] += 1

    def writer(self, number):
        """Sets its secrets in turn, and one that it deletes each time."""
        names = itertools.cycle(moving(number, place) for place in range(MOVING))

        def work(client, _):
            self.must(self.ledger.set(client, *self.next_value(next(names))), "set")
            leaving = f"leaving-{number}"
            if self.ledger.secrets[leaving].versions:
                self.must(self.ledger.delete(client, leaving), "delete")
            else:
                self.must(self.ledger.set(client, *self.next_value(leaving)), "set")
        return work

    def next_value(self, name):
        return name, value(name, self.ledger.secrets[name].number + 1)

    def must(self, answer, what):
        if answer.status // 100 != 2:
            raise AssertionError(f"{what}: {answer}")
        self.done[what] += 1


def fixed(number):
    return f"fixed-{number:05}"


def moving(writer, place):
    return f"moving-{writer}-{place}"


class Rotation(VaultCase):
    def setUp(self):
        super().setUp()
        self.home = Home(self.folder / "home")
        self.ledger = Ledger()
        self.lot = random.Random(SEED)
        self.names = [moving(writer, place) for writer in range(WRITERS) for place in range(MOVING)]

    def fill(self, legerd, rows):
        for name in [*map(fixed, range(rows)), *self.names]:
            self.succeeds(self.ledger.set(legerd.client, name, value(name, 1)))

    def check_some(self, legerd):
        """What was changed, and a sample of the rest."""
        changed = [name for name in self.ledger.secrets if not name.startswith("fixed")]
        self.ledger.check(legerd.client, changed + self.lot.sample([fixed(number) for number in range(ROWS)], SAMPLE))

    def begin(self, legerd):
        """A new rotation where none is under way; its answer may be lost, too."""
        if len(secret_keys(self.home)) > 1:
            return

        def begins():
            answer = rotate_data_key(legerd.client)
            # The store shows the end of the one before a moment earlier than legerd goes by it.
            return answer.status != 409 and self.succeeds(answer)

        try:
            self.wait_until(begins)
        except NoAnswer:
            pass

    def undisturbed(self, legerd):
        """Seconds of a rotation under load."""
        crowd = Crowd(legerd, self.ledger, self.lot)
        begun = time.monotonic()
        self.begin(legerd)
        wait_for_end_of_rotation(legerd, END)
        seconds = time.monotonic() - begun
        crowd.stop(kill=False)
        self.assertEqual(old_keys(self.home), 0)
        return seconds

    def one_kill(self, within):
        """Whether it came amid a rotation."""
        with Legerd(self.home) as legerd:
            self.check_some(legerd)
            crowd = Crowd(legerd, self.ledger, self.lot)
            self.begin(legerd)
            time.sleep(self.lot.uniform(0, within))
            crowd.stop(kill=True)
            legerd.kill()
        return len(secret_keys(self.home)) > 1

    def test_a_rotation_that_is_killed_over_and_over_gives_no_wrong_answer_and_finishes(self):
        with Legerd(self.home) as legerd:
            self.fill(legerd, ROWS)
            first = secret_keys(self.home)
            within = self.undisturbed(legerd)
        amid = sum(self.one_kill(within) for _ in range(KILLS))
        self.assertGreater(amid, KILLS / 4, "too few of the kills came amid a rotation")
        with Legerd(self.home) as legerd:
            wait_for_end_of_rotation(legerd, END)
            self.check_some(legerd)
            self.undisturbed(legerd)
            self.ledger.check(legerd.client)
            legerd.stop()
        with opened(self.home) as store:
            keys = {row[0] for row in store.execute("SELECT key_id FROM secret_versions")}
            self.assertEqual(keys, set(secret_keys(self.home)))
            self.assertEqual(len(keys), 1)
            self.assertGreater(min(keys), first[0])
            self.assertEqual(store.execute("PRAGMA integrity_check").fetchall(), [("ok",)])

    def test_a_new_key_encryption_key_opens_before_and_after_it_is_put_in_its_place(self):
        with Legerd(self.home) as legerd:
            self.fill(legerd, 20)
            new = self.home.new_key(NEW_KEY)
            answer = self.succeeds(rotate_kek(legerd.client, new))
            self.assertEqual(answer, {"new_key_file": str(new)})
            self.succeeds(rotate_data_key(legerd.client))
            wait_for_end_of_rotation(legerd)
            self.ledger.check(legerd.client)
            legerd.kill()
        # Both files are tried until the configured one is the new one: twice, since a look must not use that up.
        for _ in range(2):
            with Legerd(self.home) as legerd:
                self.ledger.check(legerd.client)
                self.assertIn(str(new), legerd.said())
        with Legerd(self.home) as legerd:
            settle_kek(self, legerd, self.ledger, answer)
