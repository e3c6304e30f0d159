"""Sign-ins over a real tailnet: each is a look at tailscaled's LocalAPI, two durable writes and a token. Beside it what the
LocalAPI alone answers on the same host at the same time of day. Both over one connection that is kept."""

import os
import pathlib
import subprocess
import sys

from figures import Figure
from measure import Unmeasurable

TESTS = pathlib.Path(__file__).resolve().parent.parent

# Runs on a host: counts answers with 200 for some seconds. Arguments: socket path or host:port, method, path, seconds.
COUNT = """
import http.client, socket, sys, time
target, method, path, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(target)
unix = target.startswith("/")
connection = Unix("local-tailscaled.sock") if unix else http.client.HTTPConnection(target, timeout=10)
body, headers = (None, {}) if method == "GET" else ("{}", {"Content-Type": "application/json"})
count, begun = 0, time.monotonic()
while time.monotonic() - begun < seconds:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        sys.exit(f"{answer.status}: {text[:200]!r}")
    count += 1
print(count / (time.monotonic() - begun))
"""


def classes(build):
    """The hosts of tests/tailnet, with the programs of `build`."""
    os.environ["LEGER_BUILD"] = str(build)
    sys.path[:0] = [str(TESTS / folder) for folder in ("host", "browser", "tailnet")]
    import tailnet_host  # what it installs is decided when it is read
    cache = tailnet_host.CACHE / subprocess.run([TESTS / "tailnet" / "tailnet", "name"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([TESTS / "tailnet" / "tailnet", "build", cache], check=True)

    class Server(tailnet_host.LegerNode):
        """Without the limits, which are for people."""

        def configuration(self):
            return f'listen = ["{self.address}:8787"]\n[limits]\nsign_ins_per_minute = 0\nrequests_per_second = 0\n[deploy]\nsettle_s = 1\n'

    return tailnet_host.Tailnet, Server, tailnet_host.Node


def inside(node, *arguments):
    """Counts with this machine's Python in the network of the node."""
    outcome = subprocess.run([*map(str, node.inside), "python3", "-c", COUNT, *map(str, arguments)], capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise Unmeasurable(f"counting failed: {outcome.stderr.strip()[-300:]}")
    return float(outcome.stdout)


def sign_in(yard):
    if os.geteuid() != 0:
        raise Unmeasurable("hosts need root: run ./dev bench sign_in as root")
    network, server_class, node_class = classes(yard.build)
    tailnet = network()
    server, other = server_class(tailnet), node_class(tailnet)
    try:
        pid = subprocess.run([TESTS / "host" / "host", "pid", server.folder], capture_output=True, text=True, check=True).stdout.strip()
        socket_path = f"/proc/{pid}/root/run/tailscale/tailscaled.sock"
        whois = f"/localapi/v0/whois?proto=tcp&addr={other.address}:1"
        target = f"{server.address}:8787"
        inside(other, target, "POST", "/api/auth/web", 1)
        ours, theirs = [], []
        for _ in range(yard.rounds):
            ours.append(inside(other, target, "POST", "/api/auth/web", yard.seconds))
            theirs.append(inside(server, socket_path, "GET", whois, yard.seconds))
    finally:
        for node in (other, server):
            node.close()
        tailnet.close()
    return [Figure("sign-ins", "/s", ours, theirs)]
