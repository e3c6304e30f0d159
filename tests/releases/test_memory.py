"""The largest bundle goes in and out, and legerd's memory does not grow with it."""

import pathlib
import re
import socket

from bundles import PACKED_MOST, bundle, largest_bundle
from legerd import PATIENCE, Home, Legerd, VaultCase
from told import Releases

MOST = 8 << 10  # KiB of growth


class Memory(VaultCase):
    def setUp(self):
        super().setUp()
        self.told = Releases(keep=20)
        self.legerd = Legerd(Home(self.folder / "home"))
        self.addCleanup(self.legerd.kill)
        # What a first upload and download make once.
        self.succeeds(self.told.upload(self.legerd.client, "small", bundle("small", size=200_000)))
        self.told.check(self.legerd.client, self.legerd.home)

    def kib(self, name):
        text = pathlib.Path(f"/proc/{self.legerd.pid}/status").read_text(encoding="utf-8")
        return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1])

    def grows_by_less(self, work):
        """The highest there ever was against what there is: no less than what the work itself takes."""
        before = self.kib("VmRSS")
        work()
        self.assertLess(self.kib("VmHWM") - before, MOST)

    def test_an_upload_of_16_mib(self):
        data = largest_bundle("large")
        self.assertGreater(len(data), PACKED_MOST * 0.99)
        self.assertLessEqual(len(data), PACKED_MOST)
        self.grows_by_less(lambda: self.succeeds(self.told.upload(self.legerd.client, "large", data)))

    def test_ten_uploads_of_16_mib_at_once_to_the_last_byte(self):
        """Each but its last byte; what is under way is kept on the disk."""
        data = largest_bundle("large")

        def work():
            for _ in range(10):
                connection = self.legerd.connect().connection
                connection.putrequest("POST", "/api/releases")
                connection.putheader("Content-Type", "application/gzip")
                connection.putheader("Content-Length", str(len(data)))
                connection.endheaders(data[:-1])
        self.grows_by_less(work)

    def test_a_download_of_16_mib_to_readers_that_do_not_read(self):
        data = largest_bundle("large")
        number = self.succeeds(self.told.upload(self.legerd.client, "large", data))["version"]

        def work():
            for _ in range(10):
                reader = socket.socket(socket.AF_UNIX)
                self.addCleanup(reader.close)
                reader.settimeout(PATIENCE)
                reader.connect(str(self.legerd.home.socket))
                reader.sendall(f"GET /api/releases/{number}/download HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("ascii"))
                self.assertIn(b" 200 ", reader.recv(100))
            self.told.check_download(self.legerd.client, number)
        self.grows_by_less(work)
