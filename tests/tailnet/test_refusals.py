"""Who must not come in, and as whom nobody may come in: each refusal with its status and code, and without a trace in the
tables of users and sessions."""

import time

from scene import CAPABILITY, TailnetCase, account, must

OWNER = "user-1@fake-control.example.net"
MINE = {"user_id": "3", "device_id": "TESTCTRL00000003", "email": "user-3@fake-control.example.net"}
# What a proxy in front would say, and what Tailscale's own proxy says.
FORGED = {
    "Tailscale-User-Login": OWNER, "Tailscale-User-Name": "User 1", "Tailscale-User-Profile-Pic": "https://example.net/",
    "Tailscale-Headers-Info": "https://tailscale.com/s/serve-headers", "X-Forwarded-For": "100.64.0.2", "X-Real-IP": "100.64.0.2",
    "X-Forwarded-Host": "node2.tail-test.ts.net:8787", "Forwarded": "for=100.64.0.2", "X-Webauth-User": OWNER,
}
# Of nftables: this node receives nothing from the control server.
DEAF = """table ip deaf {
    chain in {
        type filter hook input priority 0
        ip saddr 192.0.2.1 drop
    }
}
"""


def nested(claims):
    """The second seed's form of the same claims."""
    names = {"email": "login_name"}
    return {"tailscale": {names.get(name, name): value for name, value in claims.items()}, "cli_version": "0.1.0"}


class Refusals(TailnetCase):
    def setUp(self):
        self.before = self.rows()

    def nobody_came_in(self):
        self.assertEqual(self.rows(), self.before)

    def all_ways_are_refused(self, node, status, code, url=None):
        """By claims, by the browser's way, and in what a sign-in page would show."""
        url = url or self.url
        for method, path, body in (("POST", "/api/auth/web", {}), ("POST", "/api/auth/cli", {"user_id": "3"}),
                                   ("POST", "/auth/cli", {"user_id": "3"}), ("GET", "/api/auth/peer", None)):
            with self.subTest(path=path):
                self.refused(node.ask(method, url + path, body=body), status, code)
        self.nobody_came_in()


class Claims(Refusals):
    def test_claims_of_somebody_else_are_refused_in_both_forms_and_dialects(self):
        for wrong in ({"user_id": "1"}, {"user_id": "u1"}, {"device_id": "TESTCTRL00000002"}, {"device_id": "2"}, {"email": OWNER}):
            claims = {**MINE, **wrong}
            for body in (claims, nested(claims)):
                for path in ("/api/auth/cli", "/auth/cli"):
                    with self.subTest(wrong=wrong, path=path, nested="tailscale" in body):
                        answer = self.other.ask("POST", self.url + path, body=body)
                        self.refused(answer, 403, "tailscale_verification_failed")
                        self.assertIs(type(answer.json["error"]), dict if path.startswith("/api") else str)
        self.nobody_came_in()

    def test_right_claims_are_taken_in_both_forms(self):
        for claims in (MINE, {"user_id": "u3"}, {"user_id": "3", "device_id": "3"}, {**MINE, "email": MINE["email"].upper()}):
            for body in (claims, nested(claims)):
                for path in ("/api/auth/cli", "/auth/cli"):
                    with self.subTest(claims=claims, path=path, nested="tailscale" in body):
                        answer = self.other.ask("POST", self.url + path, body=body)
                        self.assertEqual(answer.status, 200, answer)
                        self.assertEqual(answer.json["data"]["user_uuid"], account(3))

    def test_claims_without_a_user_are_no_request(self):
        self.refused(self.other.ask("POST", f"{self.url}/api/auth/cli", body={"email": MINE["email"]}), 400, "invalid_request")
        self.nobody_came_in()


class Headers(Refusals):
    def test_forged_headers_change_nothing(self):
        options = [part for name, value in FORGED.items() for part in ("-H", f"{name}: {value}")]
        peer = self.other.ask("GET", f"{self.url}/api/auth/peer", *options)
        self.assertEqual((peer.status, peer.json["data"]["login_name"]), (200, MINE["email"]), peer)
        signed_in = self.other.ask("POST", f"{self.url}/api/auth/web", *options, body={})
        self.assertEqual((signed_in.status, signed_in.json["data"]["user_uuid"]), (200, account(3)), signed_in)
        self.refused(self.other.ask("GET", f"{self.url}/api/auth/me", *options), 401, "invalid_token")
        local = self.server.ask("POST", "http://127.0.0.1:8787/api/auth/web", *options, body={})
        self.refused(local, 403, "tailscale_verification_failed")

    def test_a_name_that_is_not_its_own_is_refused(self):
        for name in ("evil.example", "evil.example:8787", "node3.tail-test.ts.net:8787", f"{self.server.name}:80", "127.0.0.1:8787",
                     "localhost:8787"):
            with self.subTest(name=name):
                self.refused(self.other.ask("POST", f"{self.url}/api/auth/web", "-H", f"Host: {name}", body={}), 421, "unknown_host")
        self.nobody_came_in()

    def test_its_own_names_are_known(self):
        for name in (self.server.name, self.server.name.split(".")[0], self.server.name.upper(), self.server.address):
            with self.subTest(name=name):
                answer = self.other.ask("GET", f"{self.url}/api/auth/peer", "-H", f"Host: {name}:8787")
                self.assertEqual(answer.status, 200, answer)

    def test_a_page_of_another_origin_is_refused(self):
        for header in ("Origin: http://evil.example", f"Origin: http://{self.server.name}:3000", "Origin: null",
                       f"Origin: https://{self.server.name}:8787", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"):
            with self.subTest(header=header):
                self.refused(self.other.ask("POST", f"{self.url}/api/auth/web", "-H", header, body={}), 403, "forbidden_origin")
        self.nobody_came_in()


class Nodes(Refusals):
    """Devices behind which nobody stands, or somebody of elsewhere."""

    def is_refused(self, **fields):
        token = self.sign_in(self.other)
        self.before = self.rows()
        self.change(self.other, **fields)
        self.all_ways_are_refused(self.other, 403, "tailscale_verification_failed")
        self.refused(self.other.ask("GET", f"{self.url}/api/secrets", token=token), 401, "invalid_token")
        self.doCleanups()
        self.assertEqual(self.other.ask("GET", f"{self.url}/api/secrets", token=token).status, 200, "what was changed is put back")

    def test_a_tagged_one(self):
        self.is_refused(Tags=["tag:ci"])

    def test_one_that_was_shared_in(self):
        self.is_refused(Sharer=2)

    def test_one_whose_key_has_expired(self):
        # An honest tailscaled that hears of it falls silent; this one hears nothing from control any more.
        must(self.other.run("root", "nft", "-f", "-", stdin=DEAF))
        self.addCleanup(self.other.run, "root", "nft", "delete table ip deaf")
        self.is_refused(KeyExpiry=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600)))

    def test_an_owners_device_that_was_tagged(self):
        token = self.sign_in(self.laptop)
        self.before = self.rows()
        self.change(self.laptop, Tags=["tag:server"])
        self.all_ways_are_refused(self.laptop, 403, "tailscale_verification_failed")
        self.refused(self.laptop.ask("GET", f"{self.url}/api/services", token=token), 401, "invalid_token")


class OwnAddress(Refusals):
    """A process and a container on legerd's host have the host's own tailnet address, and whois would call them the owner."""

    def doors(self):
        return self.url, f"http://{self.server.address}:8787", "http://127.0.0.1:8787"

    def test_a_process_on_the_host_is_nobody(self):
        for url in self.doors():
            with self.subTest(url=url):
                self.all_ways_are_refused(self.server, 403, "tailscale_verification_failed", url)

    def test_a_process_on_the_host_cannot_use_a_token_of_the_tailnet(self):
        for node in (self.laptop, self.other):
            token = self.sign_in(node)
            self.assertEqual(node.ask("GET", f"{self.url}/api/auth/me", token=token).status, 200)
            for url in self.doors():
                with self.subTest(url=url):
                    self.refused(self.server.ask("GET", f"{url}/api/secrets", token=token), 401, "invalid_token")

    def test_a_container_on_the_host_is_nobody(self):
        self.server.build_image()
        token = self.sign_in(self.laptop)
        self.before = self.rows()
        for network in ("pasta", "bridge", "host"):
            with self.subTest(network=network):
                self.assertEqual(self.by_container(network, "POST", "/api/auth/web", "{}"), ("403", "tailscale_verification_failed"))
                self.assertEqual(self.by_container(network, "POST", "/auth/cli", '{"user_id":"1"}'), ("403", "tailscale_verification_failed"))
                self.assertEqual(self.by_container(network, "GET", "/api/secrets", "", f"Authorization: Bearer {token}\r\n"),
                                 ("401", "invalid_token"))
        self.nobody_came_in()

    def by_container(self, network, method, path, body, more=""):
        """Status and the first known code of what a container gets from the host's tailnet address."""
        request = (f"{method} {path} HTTP/1.1\r\nHost: {self.server.address}:8787\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n{body}")
        out = must(self.server.sh(f"podman run --rm -i --network {network} localhost/leger-hello:latest "
                                  f"nc -w 5 {self.server.address} 8787", stdin=request))
        codes = [code for code in ("tailscale_verification_failed", "invalid_token") if f'"{code}"' in out]
        return out.split(" ", 2)[1] if " " in out else out, codes[0] if codes else out


class Stolen(Refusals):
    def test_a_token_is_worthless_on_another_persons_device(self):
        token = self.sign_in(self.laptop)
        self.refused(self.other.ask("GET", f"{self.url}/api/secrets", token=token), 401, "invalid_token")
        self.refused(self.other.ask("GET", f"{self.url}/api/services", token=token), 401, "invalid_token")
        self.refused(self.other.ask("POST", f"{self.url}/api/auth/logout", token=token), 401, "invalid_token")
        self.assertEqual(self.laptop.ask("GET", f"{self.url}/api/secrets", token=token).status, 200, "and does not end by that")

    def test_a_token_ends_where_its_device_changes_hands(self):
        token = self.sign_in(self.other)
        self.change(self.other, User=1)
        self.refused(self.other.ask("GET", f"{self.url}/api/secrets", token=token), 401, "invalid_token")
        answer = self.other.ask("POST", f"{self.url}/api/auth/web", body={})
        self.assertEqual((answer.status, answer.json["data"]["user_uuid"]), (200, account(1)))

    def test_no_token_and_half_a_token_are_refused_alike(self):
        token = self.sign_in(self.other)
        for bad in (None, "", token[:-2], token + "x", "leg_", "eyJhbGciOiJub25lIn0.e30."):
            with self.subTest(bad=bad):
                answer = self.other.ask("GET", f"{self.url}/api/secrets", token=bad)
                self.refused(answer, 401, "invalid_token")
                self.assertIn("www-authenticate: bearer", answer.headers.lower())


class Grants(Refusals):
    def test_an_operators_grant_comes_and_goes(self):
        token = self.sign_in(self.other)
        self.addCleanup(self.tailnet.grant, CAPABILITY, None, self.server, self.other)

        def services():
            return self.other.ask("GET", f"{self.url}/api/services", token=token)
        self.refused(services(), 403, "insufficient_permissions")
        self.tailnet.grant(CAPABILITY, {"roles": ["operator"]}, self.server, self.other)
        self.assertEqual(services().status, 200)
        self.tailnet.grant(CAPABILITY, {"roles": ["reader"]}, self.server, self.other)
        self.refused(services(), 403, "insufficient_permissions")
        self.tailnet.grant(CAPABILITY, {"roles": ["operator"]}, self.server, self.other)
        self.assertEqual(services().status, 200)
        self.tailnet.grant(CAPABILITY, None, self.server, self.other)
        self.refused(services(), 403, "insufficient_permissions")


class Plain(Refusals):
    def test_leger_sends_nothing_to_a_plain_address_outside_the_tailnet(self):
        outcome = self.other.leger("--server", "http://192.0.2.2:8787", "auth", "login")
        self.assertNotEqual(outcome.code, 0, outcome)
        self.assertIn("https", outcome.err)
        self.nobody_came_in()
