"""A thousand uploads at once: none fails because another runs, and the numbers have neither gap nor double."""

import collections
import random
import threading

from bundles import bundle
from legerd import SEED, Home, Legerd, VaultCase
from told import GZIP, check_folder, listed, sha256

CONNECTIONS, EACH = 50, 20
SAME = 5            # of those of a connection the bytes that all others upload, too
KEEP = 7


class Crowd(VaultCase):
    def start(self, keep):
        home = Home(self.folder / "home")
        (home.configuration / "legerd.toml").write_text(f"[retention]\nreleases = {keep}\n", encoding="ascii")
        return Legerd(home)

    def upload_all(self, legerd, batches):
        """Each batch on a connection of its own; (bundle, answer) of all."""
        done, wrong = [], []
        ready = threading.Barrier(len(batches))

        def work(batch):
            client = legerd.connect()
            ready.wait()
            try:
                done.extend([(data, client.send("POST", "/api/releases", data, GZIP)) for data in batch])
            except Exception as problem:  # pylint: disable=broad-except
                wrong.append(problem)

        threads = [threading.Thread(target=work, args=(batch,)) for batch in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        return done

    def check_numbers(self, done):
        """{number: hash of the bundle} of what was made anew: one number each, from 1 on, without a gap."""
        made = collections.defaultdict(list)
        for data, answer in done:
            self.assertIn(answer.status, (200, 201), answer)
            self.assertEqual(answer.data["sha256"], sha256(data))
            if answer.status == 201:
                made[answer.data["version"]].append(sha256(data))
        self.assertEqual(sorted(made), list(range(1, len(made) + 1)))
        self.assertEqual({number for number, hashes in made.items() if len(hashes) > 1}, set())
        return {number: hashes[0] for number, hashes in made.items()}

    def test_a_thousand_uploads_at_once_all_succeed(self):
        lot = random.Random(SEED)
        same = bundle("same")
        batches = []
        for number in range(CONNECTIONS):
            # Some share an app with others, so that its newest changes all the time.
            own = [bundle(f"app-{number % 10}", lot=f"{number}-{step}", size=lot.choice((0, 500, 15_000, 90_000)))
                   for step in range(EACH - SAME)]
            batches.append(own + [same] * SAME)
            lot.shuffle(batches[-1])
        with self.start(CONNECTIONS * EACH) as legerd:
            done = self.upload_all(legerd, batches)
            made = self.check_numbers(done)
            self.assertEqual(len(made), CONNECTIONS * (EACH - SAME) + 1)
            again = {answer.data["version"] for _, answer in done if answer.status == 200}
            self.assertEqual(again, {number for number, digest in made.items() if digest == sha256(same)})
            rows = listed(legerd.client)
            self.assertEqual({number: digest for number, (_, digest) in rows.items()}, made)
            check_folder(legerd.client, legerd.home, rows)

    def test_with_retention_the_newest_of_each_app_stay_and_no_file_is_left_over(self):
        batches = [[bundle(f"app-{number % 3}", lot=f"{number}-{step}") for step in range(10)] for number in range(15)]
        with self.start(KEEP) as legerd:
            made = self.check_numbers(self.upload_all(legerd, batches))
            self.assertEqual(len(made), 150)
            rows = listed(legerd.client)
            self.assertEqual(collections.Counter(app for app, _ in rows.values()), {f"app-{number}": KEEP for number in range(3)})
            app_of = {sha256(data): f"app-{number % 3}" for number, batch in enumerate(batches) for data in batch}
            for app in ("app-0", "app-1", "app-2"):
                numbers = [number for number, digest in made.items() if app_of[digest] == app]
                self.assertEqual(sorted(number for number, row in rows.items() if row[0] == app), sorted(numbers)[-KEEP:])
            check_folder(legerd.client, legerd.home, rows)
