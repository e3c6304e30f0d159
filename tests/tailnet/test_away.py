"""tailscaled on legerd's host is away, and comes back."""

import json
import subprocess

from scene import TailnetCase, must, wait_until

# How long legerd goes on believing what tailscaled said of a connection last, in seconds.
BELIEF = 60
# Asks over one connection every few seconds and prints when, and the status.
ASK_ON = """if True:
    import http.client, sys, time
    address, token, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    connection = http.client.HTTPConnection(address, 8787, timeout=20)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        at = time.monotonic() - began
        connection.request("GET", "/api/secrets", headers={"Authorization": "Bearer " + token})
        answer = connection.getresponse()
        answer.read()
        print(at, answer.status, flush=True)
        time.sleep(3)
"""


# legerd's way to tailscaled for these tests: it can be closed and held while the network goes on.
GATE = "/run/gate.sock"
UNITS = f"""
cat >/etc/systemd/system/gate.socket <<UNIT
[Socket]
ListenStream={GATE}
SocketMode=0666
RemoveOnStop=yes
UNIT
cat >/etc/systemd/system/gate.service <<UNIT
[Service]
ExecStart=/usr/lib/systemd/systemd-socket-proxyd /run/tailscale/tailscaled.sock
UNIT
systemctl daemon-reload
systemctl start gate.socket
"""


class LocalApiAway(TailnetCase):
    """The network goes on while nobody can say whose connections these are."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        must(cls.server.run("root", "sh", "-euc", UNITS))
        plain = must(cls.server.sh("cat ~/.config/leger/legerd.toml"))
        cls.addClassCleanup(cls.server.restart_legerd)
        cls.addClassCleanup(cls.server.write, ".config/leger/legerd.toml", plain)
        cls.server.write(".config/leger/legerd.toml", plain + f'[tailscale]\nsocket = "{GATE}"\n')
        cls.server.restart_legerd()

    def gate(self, *command):
        must(self.server.run("root", "systemctl", *command))

    def open_again(self, *command):
        self.gate(*command)
        wait_until(lambda: self.other.ask("GET", f"{self.url}/api/auth/peer").status == 200, 40)

    def nobody_new_comes_in(self, token):
        before = self.rows()
        for method, path, token_or_none, body in (("GET", "/api/auth/peer", None, None), ("POST", "/api/auth/web", None, {}),
                                                  ("POST", "/auth/cli", None, {"user_id": "3"}), ("GET", "/api/secrets", token, None)):
            with self.subTest(path=path):
                answer = self.other.ask(method, self.url + path, token=token_or_none, body=body)
                self.refused(answer, 503, "unavailable")
        self.assertEqual(self.rows(), before)

    def the_rest_is_served(self):
        for node, url in ((self.other, self.url), (self.server, "http://127.0.0.1:8787")):
            answer = node.ask("GET", f"{url}/health")
            self.assertEqual((answer.status, answer.json["service"]), (200, "legerd"))
        must(self.server.leger("secrets", "set", "while_away", "-", stdin="x\n"))
        self.assertEqual(must(self.server.leger("secrets", "get", "while_away")), "x")
        self.refused(self.server.ask("POST", "http://127.0.0.1:8787/api/auth/web", body={}), 403, "tailscale_verification_failed")

    def test_new_callers_get_503_known_connections_go_on_for_a_minute_and_the_rest_is_served(self):
        token = self.sign_in(self.other)
        asking = subprocess.Popen([*map(str, self.other.inside), "python3", "-c", ASK_ON, self.server.address, token, str(BELIEF + 9)],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(asking.stdout.close)
        self.addCleanup(asking.wait)
        self.addCleanup(asking.kill)
        first = asking.stdout.readline().split()
        self.assertEqual(first[1], "200")
        self.gate("stop", "gate.socket", "gate.service")
        self.addCleanup(self.open_again, "start", "gate.socket")
        self.nobody_new_comes_in(token)
        self.the_rest_is_served()
        asked = [line.split() for line in asking.stdout]
        early = {status for at, status in asked if float(at) < BELIEF - 5}
        late = {status for at, status in asked if float(at) > BELIEF + 2}
        self.assertEqual((early, late), ({"200"}, {"503"}), asked)
        self.open_again("start", "gate.socket")
        self.assertEqual(self.other.ask("GET", f"{self.url}/api/secrets", token=token).status, 200)

    def test_a_silent_tailscaled_holds_up_nobody_but_who_needs_it(self):
        token = self.sign_in(self.other)
        self.gate("kill", "--signal=STOP", "gate.service")
        self.addCleanup(self.open_again, "kill", "--signal=CONT", "gate.service")
        waiting = self.other.start("alice", "curl", "-s", "--max-time", "20", f"{self.url}/api/auth/peer")
        self.addCleanup(waiting.communicate)
        self.the_rest_is_served()
        self.assertIn('"unavailable"', waiting.communicate()[0])
        self.nobody_new_comes_in(token)


class TailscaledStopped(TailnetCase):
    def test_the_host_itself_is_served_and_all_is_well_after_the_start(self):
        token = self.sign_in(self.other)
        self.addCleanup(self.server.tailscaled, "start")
        self.server.tailscaled("stop")
        answer = self.server.ask("GET", "http://127.0.0.1:8787/health")
        self.assertEqual((answer.status, answer.json["service"]), (200, "legerd"))
        must(self.server.leger("secrets", "set", "while_stopped", "-", stdin="x\n"))
        must(self.server.leger("auth", "login"))
        self.addCleanup(self.server.leger, "auth", "logout")
        local = json.loads(must(self.server.sh("cat ~/.config/leger/auth.json")))["token"]
        self.assertEqual(self.server.ask("GET", "http://127.0.0.1:8787/api/auth/me", token=local).status, 200)
        self.server.tailscaled("start")
        wait_until(lambda: self.answers(token), 40)

    def answers(self, token):
        outcome = self.other.sh(f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 3 -H 'Authorization: Bearer {token}' {self.url}/api/secrets")
        return outcome.out == "200"

    def test_legerd_starts_without_tailscaled_and_finds_it_later(self):
        token = self.sign_in(self.other)
        self.addCleanup(self.server.tailscaled, "start")
        self.server.tailscaled("stop")
        self.server.restart_legerd()
        must(self.server.leger("secrets", "list"))
        self.server.tailscaled("start")
        wait_until(lambda: self.answers(token), 40)
        self.assertEqual(self.server.database("SELECT count(*) FROM users WHERE is_owner = 1"), [[1]])
