"""Hosts in a tailnet of their own: `Tailnet` drives tests/tailnet/tailnet, `Node` is a host that joined it, `LegerNode` one
with legerd. Every wait is bounded."""

import atexit
import json
import os
import pathlib
import subprocess
import tempfile
import typing

from leger_host import BUILD, CACHE, SCRIPT, Host, LegerHost, call, must, wait_until

FOLDER = pathlib.Path(__file__).resolve().parent
TAILNET = str(FOLDER / "tailnet")
# Namespaces need root; building does not.
AS_ROOT = SCRIPT[:-1] + [TAILNET]
DOMAIN = "tail-test.ts.net"
# What tailcfg.Node leaves out of its JSON.
EMPTY = {"Tags": [], "Sharer": 0, "KeyExpiry": "0001-01-01T00:00:00Z"}


def remove_forgotten_tailnets():
    """Ends tailnets of test runs that were killed: their folders carry the number of a process that is gone."""
    for folder in (CACHE / "tailnets").glob("test-*-*"):
        if not os.path.exists(f"/proc/{folder.name.split('-')[1]}"):
            call(*AS_ROOT, "down", folder)


class Tailnet:
    """One tailnet. `close()` takes it away and may be called twice; the end of this program does it, too."""

    running: typing.ClassVar[set] = set()

    def __init__(self):
        binaries = CACHE / must(call(TAILNET, "name")).strip()
        must(call(TAILNET, "build", binaries, limit=1900))
        (CACHE / "tailnets").mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"test-{os.getpid()}-", dir=CACHE / "tailnets"))
        Tailnet.running.add(self)
        must(call(*AS_ROOT, "up", binaries, self.folder))
        self.hosts, self.names = [], {}  # those that joined; name and address of each, for those who have no DNS

    def close(self):
        Tailnet.running.discard(self)
        must(call(*AS_ROOT, "down", self.folder))

    def join(self, host, *flags):
        """Makes a host a node, with tailscaled's flags. Returns the node's name and address, which all nodes know then."""
        number = len(self.hosts) + 2
        address = must(call(*AS_ROOT, "join", self.folder, number, host.folder, *flags)).strip()
        name = f"node{number}.{DOMAIN}"
        newcomer = {name: address}
        for other in self.hosts:
            other.know(newcomer)
        self.names.update(newcomer)
        host.know(self.names)
        self.hosts.append(host)
        return name, address

    def door(self, method, path, body=None):
        """Looks at the tailnet or changes it, as main.go says."""
        out = must(call(*AS_ROOT, "door", self.folder, method, path, *([] if body is None else [json.dumps(body)])))
        return json.loads(out) if out else None

    def fields(self, node, names):
        """What the control server holds of a node: the named fields of tailcfg.Node. It leaves out empty ones."""
        for entry in self.door("GET", "/nodes"):
            if f"{node.address}/32" in entry["Addresses"]:
                return {name: entry.get(name, EMPTY.get(name)) for name in names}
        raise AssertionError(f"the control server knows no node {node.address}")

    def change(self, node, seen_by, **fields):
        """Sets fields of a node (Tags, User, Sharer, KeyExpiry) and waits until tailscaled of `seen_by` says so."""
        self.door("PATCH", f"/nodes/{node.address}", fields)

        def arrived():
            entry = seen_by.whois(node.address)["Node"]
            return all(entry.get(name, EMPTY.get(name)) == value for name, value in fields.items())
        wait_until(arrived, 20)

    def grant(self, capability, value, seen_by, node):
        """Gives every node an app capability on every other, or with value None none, and waits until it has arrived."""
        self.door("PUT", "/grants", {} if value is None else {capability: [value]})

        def arrived():
            held = (seen_by.whois(node.address).get("CapMap") or {}).get(capability)
            return held == (None if value is None else [value])
        wait_until(arrived, 20)


class Answer(typing.NamedTuple):
    """What a server answered."""
    status: int
    headers: str
    body: str

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The error's code, in either dialect of the envelope."""
        error = self.json.get("error")
        return error["code"] if isinstance(error, dict) else error


class Node(Host):
    """A host that is a node of a tailnet, with leger but without legerd; `flags` are tailscaled's."""

    def __init__(self, tailnet, *flags):
        super().__init__()
        self.tailnet = tailnet
        self.name, self.address = tailnet.join(self, *flags)
        self.copy(BUILD / "cli" / "leger", "/usr/local/bin/leger")
        must(self.run("root", "chmod", "755", "/usr/local/bin/leger"))

    def start(self, user, *command):
        """Starts a command that goes on beside the test; the caller waits for it or ends it."""
        return subprocess.Popen([*SCRIPT, "run", str(self.folder), user, *command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def know(self, names):
        """Writes names and their addresses into /etc/hosts."""
        lines = "".join(f"{address} {name}\n" for name, address in names.items())
        must(self.run("root", "tee", "-a", "/etc/hosts", stdin=lines))

    @property
    def inside(self):
        """The start of a command that runs a program of this machine in the network of this host."""
        return [*AS_ROOT, "inside", self.folder]

    def whois(self, address):
        """What this host's tailscaled says of an address of the tailnet."""
        outcome = self.run("alice", "tailscale", "whois", "--json", address)
        return json.loads(outcome.out) if outcome.code == 0 else {"Node": {}}

    def tailscaled(self, verb):
        """Has systemd start, stop or restart tailscaled; started, it is also connected."""
        must(self.run("root", "systemctl", verb, "tailscaled.service"))
        if verb == "stop":
            return

        def connected():
            outcome = self.run("root", "tailscale", "status", "--json")
            return outcome.code == 0 and json.loads(outcome.out)["BackendState"] == "Running"
        wait_until(connected, 30)

    def ask(self, method, url, *options, token=None, body=None, user="alice"):
        """One request by this host's curl, on a connection of its own; `body` is JSON, or text as it is."""
        command = ["curl", "-sS", "-i", "--max-time", "20", "-X", method, *options]
        if token is not None:
            command += ["-H", f"Authorization: Bearer {token}"]
        if body is not None:
            command += ["--data-binary", "@-", *([] if "content-type" in " ".join(options).lower() else ["-H", "Content-Type: application/json"])]
        text = body if isinstance(body, str) else json.dumps(body)
        out = must(self.run(user, *command, url, stdin=text if body is not None else b""))
        head, _, rest = out.partition("\r\n\r\n")
        return Answer(int(head.split(" ", 2)[1]), head, rest)


class LegerNode(LegerHost, Node):
    """A node with legerd for alice, which listens on its tailnet address, too."""

    def configuration(self):
        # 127.0.0.1:8787 is handed over by systemd.
        return (f'listen = ["{self.address}:8787"]\nlog_level = "debug"\n'
                "[limits]\nsign_ins_per_minute = 0\n" + super().configuration())

    def database(self, question):
        """The rows that SQL finds in legerd's database."""
        program = ("import json, sqlite3, sys; base = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, timeout=10); "
                   "print(json.dumps(base.execute(sys.argv[2]).fetchall()))")
        path = self.folder / "data" / "alice" / ".local" / "state" / "leger" / "leger.db"
        return json.loads(must(call(*SCRIPT[:-1], "python3", "-c", program, path, question)))

    def journal(self):
        """What legerd said, for the message of a failed test."""
        return must(self.sh("journalctl --user -u legerd.service --no-pager -o cat -n 40"))

    def restart_legerd(self):
        must(self.sh("systemctl --user restart legerd.service"))
        self.wait_active("legerd.service")


@atexit.register
def close_tailnets():
    """Ends every tailnet of this program. At its end, too: after Ctrl-C in a test unittest runs no clean-up."""
    for tailnet in list(Tailnet.running):
        tailnet.close()
