"""Two processes on one state folder."""

from ledger import Ledger
from legerd import Home, Legerd, VaultCase, refused_start


class Two(VaultCase):
    def test_a_second_legerd_on_the_same_folder_is_refused_and_the_first_serves_on(self):
        home = Home(self.folder / "home")
        other = home.copy(self.folder / "other")
        other.state = home.state
        ledger = Ledger()
        with Legerd(home) as legerd:
            ledger.set(legerd.client, "key", b"value")
            for _ in range(3):
                said = refused_start(other)
                self.assertIn("another legerd", said)
                self.assertIn(str(home.state), said)
            self.assertFalse(other.socket.exists())
            ledger.set(legerd.client, "key", b"another")
            ledger.check(legerd.client)

    def test_a_folder_whose_legerd_was_killed_is_free_at_once(self):
        home = Home(self.folder / "home")
        ledger = Ledger()
        for number in range(5):
            with Legerd(home) as legerd:
                ledger.set(legerd.client, "key", str(number).encode())
                ledger.check(legerd.client)
