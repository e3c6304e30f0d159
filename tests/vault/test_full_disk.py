"""A disk that is full, or gives errors: no change is half done, no secret leaves without its row in the audit, and when there
is room again everything goes on by itself."""

import subprocess
import time

from ledger import Ledger
from legerd import Home, Legerd, Strace, VaultCase

SIZE = "6m"
TRIES = 5000     # until what is left of the room is used up
REFUSALS = 50


class FullDisk(VaultCase):
    def setUp(self):
        super().setUp()
        self.home = Home(self.folder / "home")
        self.ledger = Ledger()

    def mount(self):
        """A small disk for the state folder alone; it goes away with the mount namespace, too."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", self.home.state], check=True)
        self.addCleanup(subprocess.run, ["umount", self.home.state], check=True)

    def fill_disk(self):
        filler = self.home.state / "filler"
        with open(filler, "wb", buffering=0) as file:
            for size in (65536, 1):
                try:
                    while file.write(b"." * size):
                        pass
                except OSError:
                    pass
        return filler

    def until_refused(self, ask, status):
        """Asks until the answer has this status; what comes before is a success."""
        for _ in range(TRIES):
            answer = ask()
            if answer.status == status:
                return answer
            self.assertEqual(answer.status // 100, 2, answer)
        return self.fail(f"{TRIES} times no {status}")

    def set(self, legerd, name="filling", size=3000):
        return self.ledger.set(legerd.client, name, name.encode() * (size // len(name)))

    def health(self, legerd):
        return legerd.client.get("/health")

    def is_healthy(self, legerd):
        return b'"healthy"' in self.health(legerd).body

    def check_refusals(self, legerd, names):
        """Nothing gets in or out, and the list still shows what there is."""
        for number in range(REFUSALS):
            name = names[number % len(names)]
            read = legerd.client.get(f"/api/secrets/{name}")
            self.assertEqual((read.status, read.code), (503, "unavailable"), read)
            change = self.ledger.set(legerd.client, name, b"x")
            self.assertEqual((change.status, change.code), (507, "insufficient_storage"), change)
            delete = self.ledger.delete(legerd.client, name)
            self.assertEqual((delete.status, delete.code), (507, "insufficient_storage"), delete)
        self.assertEqual(self.health(legerd).status, 200)
        self.assertIn(b'"degraded"', self.health(legerd).body)
        self.ledger.check_list(legerd.client)

    def test_a_full_disk_refuses_changes_and_reads_and_loses_nothing(self):
        self.mount()
        names = [f"kept-{number}" for number in range(20)]
        with Legerd(self.home) as legerd:
            for name in names:
                self.succeeds(self.set(legerd, name))
            filler = self.fill_disk()
            self.until_refused(lambda: self.set(legerd), 507)
            self.until_refused(lambda: legerd.client.get("/api/secrets/kept-3"), 503)
            self.check_refusals(legerd, names)
            filler.unlink()
            self.wait_until(lambda: self.is_healthy(legerd))
            self.ledger.check(legerd.client)
            for name in names:
                self.assertEqual(self.set(legerd, name, 100).status, 200)
            self.ledger.check(legerd.client)
        with Legerd(self.home) as legerd:
            self.ledger.check(legerd.client)

    def test_a_kill_on_a_full_disk_loses_nothing(self):
        self.mount()
        with Legerd(self.home) as legerd:
            self.set(legerd, "kept")
            filler = self.fill_disk()
            self.until_refused(lambda: self.set(legerd), 507)
            legerd.kill()
        filler.unlink()
        with Legerd(self.home) as legerd:
            self.ledger.check(legerd.client)

    def with_faults(self, calls, error, status):
        """Every such call fails while the audit has to be written: 0 values leave. Then they work again."""
        with Legerd(self.home) as legerd:
            self.succeeds(self.set(legerd, "guarded"))
            with Strace(legerd.pid, f"trace={calls}", f"inject={calls}:error={error}"):
                # An fsync may come as late as this after the answer; the read that waits for it is the last to be answered.
                legerd.client.get("/api/secrets/guarded")
                time.sleep(0.3)
                for _ in range(REFUSALS):
                    read = legerd.client.get("/api/secrets/guarded")
                    self.assertEqual((read.status, read.code), (503, "unavailable"), read)
                    self.assertNotIn(b"guarded" * 3, read.body)
                    change = self.set(legerd, "changed")
                    self.assertIn((change.status, change.code), status)
                self.assertIn(b'"degraded"', self.health(legerd).body)
            self.succeeds(legerd.client.get("/api/secrets/guarded"))
            self.wait_until(lambda: self.is_healthy(legerd))
            self.ledger.find_out(legerd.client, "changed")
            self.set(legerd, "changed")
            self.ledger.check(legerd.client)
            legerd.kill()
        with Legerd(self.home) as legerd:
            self.ledger.check(legerd.client)

    def test_errors_of_the_disk_let_no_value_out(self):
        full = [(507, "insufficient_storage")]
        broken = [(503, "unavailable"), (500, "internal_error")]
        for calls, error, status in [("pwrite64", "EIO", broken), ("pwrite64", "EROFS", broken), ("pwrite64", "ENOSPC", full),
                                     ("fdatasync,fsync", "EIO", broken)]:
            with self.subTest(calls, error=error):
                self.with_faults(calls, error, status)

    def test_a_change_that_failed_at_its_sync_does_not_come_back_with_a_crash(self):
        with Legerd(self.home) as legerd:
            self.succeeds(self.set(legerd, "kept"))
            with Strace(legerd.pid, "trace=fdatasync,fsync", "inject=fdatasync,fsync:error=ENOSPC"):
                change = self.set(legerd, "kept", 100)
                self.assertEqual((change.status, change.code), (507, "insufficient_storage"), change)
            legerd.kill()
        with Legerd(self.home) as legerd:
            self.ledger.check(legerd.client)
