"""A download that runs while its release goes is got whole."""

import http.client

from bundles import bundle, largest_bundle
from legerd import Home, Legerd, UnixConnection, VaultCase
from told import Releases, files_of

KEEP = 2


class Downloads(VaultCase):
    def setUp(self):
        super().setUp()
        home = Home(self.folder / "home")
        (home.configuration / "legerd.toml").write_text(f"[retention]\nreleases = {KEEP}\n", encoding="ascii")
        self.told = Releases(KEEP)
        self.legerd = Legerd(home)
        self.addCleanup(self.legerd.kill)
        self.data = largest_bundle("large")
        self.number = self.succeeds(self.told.upload(self.legerd.client, "large", self.data))["version"]

    def begin(self, target):
        """The answer to a download of which little was read: a socket holds far less than the rest."""
        connection = UnixConnection(self.legerd.home.socket)
        self.addCleanup(connection.close)
        connection.request("GET", target)
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.read(1000), self.data[:1000])
        return answer

    def while_it_runs(self, go):
        slow = [self.begin(f"/api/releases/{self.number}/download"), self.begin("/api/releases/latest/download?name=large")]
        go()
        self.wait_until(lambda: not [name for name in files_of(self.legerd.home) if name.endswith(f"/v{self.number}.tar.gz")])
        self.assertEqual(self.legerd.client.get(f"/api/releases/{self.number}/download").status, 404)
        for answer in slow:
            self.assertTrue(answer.read() == self.data[1000:], "other bytes than were uploaded")
        self.told.check(self.legerd.client, self.legerd.home)

    def test_while_it_is_deleted(self):
        self.while_it_runs(lambda: self.succeeds(self.told.delete(self.legerd.client, self.number)))

    def test_while_retention_takes_it(self):
        def go():
            for lot in range(KEEP):
                self.succeeds(self.told.upload(self.legerd.client, "large", bundle("large", lot=lot + 1)))
        self.while_it_runs(go)

    def test_a_kill_gives_a_short_download_away(self):
        answer = self.begin(f"/api/releases/{self.number}/download")
        self.legerd.process.kill()
        with self.assertRaises((http.client.IncompleteRead, ConnectionResetError)):
            answer.read()
