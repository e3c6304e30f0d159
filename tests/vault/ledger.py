"""What a client was told: the truth that the store must hold after anything that happens to legerd.

A change that was answered is there. One without an answer is wholly there or wholly not. Either way the audit has a row
for exactly the changes that are there, and its chain holds.
"""

import base64
import collections

from legerd import NoAnswer, value_of

KEPT = 10  # versions of a secret, by default
NOTHING_DONE = {400, 404, 409, 413, 507}


class Told:
    """One secret."""

    def __init__(self):
        self.versions = {}  # number: value, of those that are kept; none where it is deleted
        self.number = 0     # the highest that was ever given
        self.open = None    # what was sent last, where its outcome is not known: bytes, or DELETE


DELETE = object()


class Ledger:
    """Names are changed by one thread each; others may look."""

    def __init__(self):
        self.secrets = collections.defaultdict(Told)
        self.changes = collections.Counter()  # (action, name, version) of what is on record
        self.reads = 0

    def set(self, client, name, value):
        told = self.secrets[name]
        told.open = value
        answer = client.post(f"/api/secrets/{name}", {"value_base64": base64.b64encode(value).decode("ascii")})
        if answer.status in (200, 201):
            data = answer.data
            expected = (201 if not told.versions else 200, told.number + 1)
            if (answer.status, data["version"]) != expected:
                raise AssertionError(f"set {name}: {(answer.status, data['version'])}, not {expected}")
            self.was_set(name, value)
        self.close_refused(told, answer)
        return answer

    def delete(self, client, name):
        told = self.secrets[name]
        told.open = DELETE
        answer = client.ask("DELETE", f"/api/secrets/{name}")
        if answer.status == 200:
            self.was_deleted(name)
        self.close_refused(told, answer)
        return answer

    def read(self, client, name, number=None):
        """The (version, value) that is answered; nothing where there is no such version. Any other answer fails."""
        answer = client.get(f"/api/secrets/{name}" + ("" if number is None else f"?version={number}"))
        if answer.status == 404:
            return None
        data = answer.data
        self.reads += 1
        return data["version"], value_of(data)

    @staticmethod
    def close_refused(told, answer):
        if answer.status in NOTHING_DONE:
            told.open = None

    def was_set(self, name, value):
        told = self.secrets[name]
        told.number += 1
        told.versions[told.number] = value
        for number in sorted(told.versions)[:-KEPT]:
            del told.versions[number]
        told.open = None
        self.changes["secret.set", name, told.number] += 1

    def was_deleted(self, name):
        told = self.secrets[name]
        told.versions.clear()
        told.open = None
        self.changes["secret.delete", name, None] += 1

    def find_out(self, client, name):
        """Whether the change without an answer was done."""
        told = self.secrets[name]
        if told.open is None:
            return
        got = self.read(client, name)
        if told.open is DELETE:
            if got is None:
                self.was_deleted(name)
        elif got == (told.number + 1, told.open):
            self.was_set(name, told.open)
        told.open = None

    def check(self, client, names=None):
        """All of it, or of these names: every version that is kept, byte for byte, the list and the audit."""
        for name in list(self.secrets) if names is None else names:
            self.find_out(client, name)
            self.check_secret(client, name)
        if names is None:
            self.check_list(client)
            self.check_audit(client)

    def check_secret(self, client, name):
        told = self.secrets[name]
        if told.versions:
            kept = [one["version"] for one in client.get(f"/api/secrets/{name}/versions").data["versions"]]
            if kept != sorted(told.versions, reverse=True):
                raise AssertionError(f"{name}: versions {kept} are kept, not {sorted(told.versions, reverse=True)}")
        self.must_be(client, name, None, (told.number, told.versions[told.number]) if told.versions else None)
        for number, value in told.versions.items():
            self.must_be(client, name, number, (number, value))

    def must_be(self, client, name, number, expected):
        got = self.read(client, name, number)
        if got != expected:
            raise AssertionError(f"{name}, version {number}: answered {str(got)[:80]}, not {str(expected)[:80]}")

    def check_list(self, client):
        listed = {one["name"]: one["version"] for one in client.get("/api/secrets").data["secrets"]}
        there = {name: told.number for name, told in self.secrets.items() if told.versions}
        if listed != there:
            raise AssertionError(f"listed are {listed}, not {there}")

    def check_audit(self, client):
        check_chain(client)
        recorded = collections.Counter()
        for action in ("secret.set", "secret.delete"):
            for row in audit_rows(client, action):
                recorded[action, row["object"], row["version"] if action == "secret.set" else None] += row["outcome"] == "ok"
        recorded = +recorded
        if recorded != self.changes:
            raise AssertionError(f"on record, but not done: {recorded - self.changes}; done, but not on record: {self.changes - recorded}")
        reads = sum(row["outcome"] == "ok" for row in audit_rows(client, "secret.read"))
        if reads < self.reads:
            raise AssertionError(f"{self.reads} values were read, {reads} of them on record")


def check_chain(client):
    verdict = client.get("/api/audit/verify").data
    if verdict["valid"] is not True:
        raise AssertionError(f"the audit's chain is broken: {verdict}")


def audit_rows(client, action):
    """All rows of an action, newest first."""
    before = ""
    while True:
        page = client.get(f"/api/audit?action={action}&limit=1000{before}").data
        yield from page["entries"]
        if not page["next"]:
            return
        before = f"&before={page['next']}"


def attempt(change, *arguments):
    """A change whose answer may never come; whether it came."""
    try:
        change(*arguments)
    except NoAnswer:
        return False
    return True
