"""The SQLite file itself, read beside legerd or after it."""

import contextlib
import sqlite3


@contextlib.contextmanager
def opened(home):
    """A connection that only reads."""
    store = sqlite3.connect(f"file:{home.database}?mode=ro", uri=True, timeout=10)
    try:
        yield store
    finally:
        store.close()


def secret_keys(home):
    """The ids of the data keys of secrets, oldest first."""
    with opened(home) as store:
        return [row[0] for row in store.execute("SELECT key_id FROM data_keys WHERE purpose = 'secrets' ORDER BY key_id")]


def old_keys(home):
    """How many versions an older key than the newest has sealed."""
    with opened(home) as store:
        return store.execute("SELECT count(*) FROM secret_versions WHERE key_id <>"
                             " (SELECT max(key_id) FROM data_keys WHERE purpose = 'secrets')").fetchone()[0]
