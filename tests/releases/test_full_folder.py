"""A full or read-only disk under the releases: uploads are refused and say why, what is there stays and is served, and once
there is room again everything goes on by itself."""

import subprocess

from bundles import bundle
from legerd import Home, Legerd, VaultCase
from told import Releases, files_of

SIZE = "8m"
LARGE = 1 << 20
TRIES = 50


class FullFolder(VaultCase):
    def setUp(self):
        super().setUp()
        self.home = Home(self.folder / "home")
        self.told = Releases(keep=20)

    def mount(self, folder, *options):
        """Goes away with the mount namespace, too."""
        folder.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["mount", *options, folder], check=True)
        self.addCleanup(subprocess.run, ["umount", folder], check=True)

    def mount_small(self, folder):
        self.mount(folder, "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs")

    def upload(self, legerd, app, size=0, lot=0):
        return self.told.upload(legerd.client, app, bundle(app, lot=lot, size=size))

    def fill(self, legerd):
        """Uploads until one is refused; legerd goes on without a new start."""
        for lot in range(TRIES):
            answer = self.upload(legerd, f"filling-{lot}", LARGE)
            if answer.status != 201:
                self.assertEqual((answer.status, answer.code), (507, "insufficient_storage"), answer)
                return
        self.fail("the disk is never full")

    def test_a_full_disk_refuses_uploads_and_loses_nothing(self):
        self.mount_small(self.home.state)
        with Legerd(self.home) as legerd:
            first = self.succeeds(self.upload(legerd, "first", LARGE))["version"]
            self.fill(legerd)
            for lot in range(5):
                answer = self.upload(legerd, f"refused-{lot}", 4 * LARGE)
                self.assertEqual((answer.status, answer.code), (507, "insufficient_storage"), answer)
                self.assertFalse([name for name in files_of(self.home) if "incoming" in name])
            self.told.check(legerd.client, self.home)
            self.succeeds(self.told.delete(legerd.client, first))
            self.succeeds(self.upload(legerd, "after", LARGE // 2))
            self.told.check(legerd.client, self.home)
            legerd.kill()
        with Legerd(self.home) as legerd:
            self.told.check(legerd.client, self.home)

    def test_a_kill_on_a_full_disk_loses_nothing(self):
        self.mount_small(self.home.state)
        with Legerd(self.home) as legerd:
            self.fill(legerd)
            legerd.kill()
        with Legerd(self.home) as legerd:
            self.told.check(legerd.client, self.home)

    def test_releases_on_a_full_disk_of_their_own_leave_no_row(self):
        self.mount_small(self.home.state / "releases")
        with Legerd(self.home) as legerd:
            self.fill(legerd)
            self.told.check(legerd.client, self.home)
        with Legerd(self.home) as legerd:
            self.told.check(legerd.client, self.home)

    def test_a_folder_that_became_read_only_refuses_uploads_and_serves_on(self):
        releases = self.home.state / "releases"
        releases.mkdir(mode=0o700)
        self.mount(releases, "--bind", releases)
        with Legerd(self.home) as legerd:
            self.succeeds(self.upload(legerd, "kept"))
            subprocess.run(["mount", "-o", "remount,bind,ro", releases], check=True)
            answer = self.upload(legerd, "refused")
            self.assertIn((answer.status, answer.code), {(500, "internal_error"), (503, "unavailable")}, answer)
            self.told.open = None  # such an answer leaves it open; here nothing can be there
            self.told.check(legerd.client, self.home)
            subprocess.run(["mount", "-o", "remount,bind,rw", releases], check=True)
            self.succeeds(self.upload(legerd, "again"))
            self.told.check(legerd.client, self.home)
