"""What a client was told about releases: the truth that the store and the folder must hold after anything that happens.

An upload or deletion that was answered is done. One without an answer is wholly done or wholly not: row, file, record and
the link to the newest, all of them or none.
"""

import collections
import hashlib
import time

from ledger import audit_rows, check_chain

GZIP = {"Content-Type": "application/gzip"}
SETTLED = 10  # seconds in which what an answer leaves to be done is done
NOTHING_DONE = {400, 404, 409, 413, 507}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Releases:
    """The releases of the account behind the Unix socket. For one thread."""

    def __init__(self, keep):
        self.keep = keep    # of one app, by retention
        self.kept = {}      # number: (app, bytes)
        self.number = 0     # the highest that was ever given
        self.open = None    # what was sent last, where its outcome is not known: (app, bytes), or the number of a deletion
        self.deleted = set()  # numbers

    def upload(self, client, app, data):
        self.open = (app, data)
        answer = client.send("POST", "/api/releases", data, {**GZIP, "Content-SHA256": sha256(data)})
        if answer.status in (200, 201):
            is_new, number = self.outcome_of(app, data)
            got = (answer.status, answer.data["version"], answer.data["sha256"])
            if got != (201 if is_new else 200, number, sha256(data)):
                raise AssertionError(f"upload of {app}: {got}, but the number is {number}, new: {is_new}")
            self.was_uploaded(app, data)
        self.close_refused(answer)
        return answer

    def delete(self, client, number):
        self.open = number
        answer = client.ask("DELETE", f"/api/releases/{number}")
        if answer.status == 200:
            if answer.data != {"version": number, "deleted": True}:
                raise AssertionError(f"deletion of {number}: {answer}")
            self.was_deleted(number)
        self.close_refused(answer)
        return answer

    def close_refused(self, answer):
        if answer.status in NOTHING_DONE:
            self.open = None

    def outcome_of(self, app, data):
        """(whether it makes a new release, its number) of an upload."""
        newest = max(self.numbers_of(app), default=None)
        if newest is not None and self.kept[newest][1] == data:
            return False, newest
        return True, self.number + 1

    def numbers_of(self, app):
        return sorted(number for number, one in self.kept.items() if one[0] == app)

    def was_uploaded(self, app, data):
        is_new, number = self.outcome_of(app, data)
        self.open = None
        if not is_new:
            return
        self.number = number
        self.kept[number] = (app, data)
        for old in self.numbers_of(app)[:-self.keep]:
            del self.kept[old]

    def was_deleted(self, number):
        del self.kept[number]
        self.open = None
        self.deleted.add(number)

    def find_out(self, client):
        """Whether the change without an answer was done."""
        if self.open is None:
            return
        if isinstance(self.open, int):
            if self.open not in listed(client):
                self.was_deleted(self.open)
        else:
            is_new, number = self.outcome_of(*self.open)
            if is_new and listed(client).get(number) == (self.open[0], sha256(self.open[1])):
                self.was_uploaded(*self.open)
        self.open = None

    def check(self, client, home):
        """All of it: rows, files, the newest, each bundle as it is downloaded, and the audit."""
        self.find_out(client)
        expected = {number: (app, sha256(data)) for number, (app, data) in self.kept.items()}
        rows = listed(client)
        if rows != expected:
            raise AssertionError(f"listed are {rows}, not {expected}")
        check_folder(client, home, rows)
        for number in self.kept:
            self.check_download(client, number)
        if self.kept:
            newest = client.get("/api/releases/latest").data
            if newest["version"] != max(self.kept):
                raise AssertionError(f"the newest is said to be {newest['version']}, not {max(self.kept)}")
        self.check_audit(client)

    def check_download(self, client, number):
        answer = client.get(f"/api/releases/{number}/download")
        if answer.status != 200 or answer.body != self.kept[number][1]:
            raise AssertionError(f"download of {number}: {answer.status}, {len(answer.body)} bytes that are not those uploaded")

    def check_audit(self, client):
        """Each change is on record once, and only what is gone is on record as deleted."""
        check_chain(client)
        added, deleted = (collections.Counter(row["version"] for row in audit_rows(client, action) if row["outcome"] == "ok")
                          for action in ("release.add", "release.delete"))
        if added != collections.Counter(range(1, self.number + 1)):
            raise AssertionError(f"on record as added are {added}, not 1 to {self.number}")
        if max(deleted.values(), default=0) > 1 or not self.deleted <= set(deleted) or set(deleted) & set(self.kept):
            raise AssertionError(f"on record as deleted are {deleted}; deleted were {self.deleted}, kept are {sorted(self.kept)}")


def listed(client):
    """{version: (app, sha256)} of all rows."""
    rows, before = {}, ""
    while True:
        page = client.get(f"/api/releases?limit=1000{before}").data["releases"]
        rows.update({row["version"]: (row["deployment_name"], row["sha256"]) for row in page})
        if not page:
            return rows
        before = f"&before={page[-1]['version']}"


def files_of(home):
    """{path below the folder of releases: path} of what is there, links and half-done files too."""
    folder = home.state / "releases"
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def check_folder(client, home, rows):
    """Each row has its file with the bytes of its hash, and nothing else is there but the link to the newest."""
    paths = {number: client.get(f"/api/releases/{number}").data["r2_path"] for number in rows}
    until = time.monotonic() + SETTLED
    # What goes, goes after its row, and the link follows.
    while (problem := problem_of_folder(home, rows, paths)) and time.monotonic() < until:
        time.sleep(0.01)
    if problem:
        raise AssertionError(problem)


def problem_of_folder(home, rows, paths):
    files = files_of(home)
    latest = {name for name in files if name.endswith("/latest.tar.gz")}
    there, expected = set(files) - latest, set(paths.values())
    if there != expected:
        return f"of no row are {sorted(there - expected)}, and {sorted(expected - there)} are not there"
    for number, path in paths.items():
        if sha256(files[path].read_bytes()) != rows[number][1]:
            return f"{path} has other bytes than its row says"
        if files[path].lstat().st_mode & 0o7777 != 0o600:
            return f"{path} has mode {files[path].lstat().st_mode:o}"
    newest = paths[max(rows)] if rows else None
    link = f"{newest.rpartition('/')[0]}/latest.tar.gz" if rows else None
    if latest != ({link} if rows else set()):
        return f"the newest is {newest}, the links to the newest {sorted(latest)}"
    if rows and not (files[link].exists() and files[link].samefile(files[newest])):
        return f"{link} does not lead to {newest}"
    return None
