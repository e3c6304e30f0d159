"""Changes of keys, and what must hold of them after a crash."""

from ledger import audit_rows
from legerd import PATIENCE, Legerd, NoAnswer, refused_start
from store import old_keys, secret_keys

NEW_KEY = "new.kek"


def rotate_data_key(client):
    return client.ask("POST", "/api/admin/keys/data/rotate")


def rotate_kek(client, path):
    return client.post("/api/admin/keys/kek/rotate", {"new_key_file": str(path)})


def wait_for_end_of_rotation(legerd, limit=PATIENCE):
    """Until one key is left; NoAnswer where the process ends meanwhile."""
    for _ in range(int(limit / 0.01)):
        if len(secret_keys(legerd.home)) == 1:
            return
        if legerd.has_ended(0.01):
            raise NoAnswer("ended amid a rotation")
    raise AssertionError(f"the rotation does not end: keys {secret_keys(legerd.home)}; {legerd.said()}")


def settle_data_key(case, legerd, answer):
    """A rotation finishes by itself; what was answered names the key that is left. `answer`: its data, or nothing."""
    wait_for_end_of_rotation(legerd)
    if answer is not None:
        case.assertEqual(secret_keys(legerd.home), [answer["key_id"]])
    case.assertEqual(old_keys(legerd.home), 0)


def settle_kek(case, legerd, ledger, answer):
    """The running legerd has been started with the old key in its place. From here on the new one opens the store if the
    change is on record, and then no more the old one; else the other way round. `answer`: its data, or nothing."""
    home = legerd.home
    rotated = any(row["outcome"] == "ok" for row in audit_rows(legerd.client, "key.rotate_kek"))
    case.assertTrue(rotated or answer is None, "answered, but not on record")
    legerd.kill()
    old, new = home.configuration / "old.kek", home.configuration / NEW_KEY
    if not old.exists():
        home.key_file.rename(old)
    right, wrong = (new, old) if rotated else (old, new)
    home.use_key(right)
    with Legerd(home) as again:
        ledger.check(again.client)
        again.stop()
    home.use_key(wrong)
    before = home.digests()
    case.assertIn("does not open this state folder", refused_start(home))
    case.assertEqual(home.digests(), before)
    home.use_key(right)
