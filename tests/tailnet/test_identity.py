"""Signing in over the tailnet: who gets which account, what is shared between devices of one person and what is apart, and
how a sign-in ends."""

import json

from scene import TailnetCase, account, must

LOGIN = "user-{}@fake-control.example.net"


class Cli(TailnetCase):
    """`leger auth login` on another device of the tailnet."""

    def leger(self, node, *arguments, **more):
        return node.leger("--server", self.url, *arguments, **more)

    def stored_token(self, node):
        return json.loads(must(node.sh("cat ~/.config/leger/auth.json")))["token"]

    def test_another_persons_device_signs_in_to_that_persons_account(self):
        outcome = self.leger(self.other, "auth", "login")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertIn(f"Authenticated as {LOGIN.format(3)}", outcome.out)
        self.assertIn(account(3), outcome.out)
        self.assertEqual(must(self.other.sh("stat -c %a ~/.config/leger/auth.json")), "600\n")
        status = must(self.leger(self.other, "auth", "status"))
        for part in ("Authenticated", LOGIN.format(3), account(3), self.url):
            self.assertIn(part, status)
        stored = self.server.database(f"SELECT tailscale_user_id, tailscale_email, is_owner FROM users WHERE user_uuid = '{account(3)}'")
        self.assertEqual(stored, [["3", LOGIN.format(3), 0]])

    def test_an_account_knows_its_last_device_and_counts_sign_ins(self):
        must(self.leger(self.other, "auth", "login"))
        me = self.other.ask("GET", f"{self.url}/api/auth/me", token=self.stored_token(self.other)).json["data"]
        user = me["user"]
        self.assertEqual((user["user_uuid"], user["tailscale_user_id"], user["email"]), (account(3), "3", LOGIN.format(3)))
        self.assertEqual((user["last_device_id"], user["last_device_hostname"]), ("TESTCTRL00000003", self.other.name.split(".")[0]))
        self.assertEqual((me["session"]["binding"], me["roles"]), ("tailnet:3", ["user"]))
        must(self.leger(self.other, "auth", "login"))
        again = self.other.ask("GET", f"{self.url}/api/auth/me", token=self.stored_token(self.other)).json["data"]["user"]
        self.assertEqual(again["total_authentications"], user["total_authentications"] + 1)
        self.assertEqual(again["created_at"], user["created_at"])

    def test_logout_makes_the_token_useless_at_once(self):
        must(self.leger(self.other, "auth", "login"))
        token = self.stored_token(self.other)
        self.assertEqual(self.other.ask("GET", f"{self.url}/api/auth/me", token=token).status, 200)
        must(self.leger(self.other, "auth", "logout"))
        self.refused(self.other.ask("GET", f"{self.url}/api/auth/me", token=token), 401, "invalid_token")
        self.assertIn("Not authenticated", must(self.leger(self.other, "auth", "status")))

    def test_secrets_go_through_the_cli_of_another_device(self):
        must(self.leger(self.other, "auth", "login"))
        must(self.leger(self.other, "secrets", "set", "by_cli", "-", stdin="far away\n"))
        self.assertEqual(must(self.leger(self.other, "secrets", "get", "by_cli")), "far away")

    def test_a_token_of_the_socket_is_good_on_the_host_only(self):
        must(self.server.leger("auth", "login"))
        self.addCleanup(self.server.leger, "auth", "logout")
        token = self.stored_token(self.server)
        here = self.server.ask("GET", "http://127.0.0.1:8787/api/auth/me", token=token)
        self.assertEqual((here.status, here.json["data"]["session"]["binding"]), (200, "local"), here)
        self.assertEqual(here.json["data"]["user"]["user_uuid"], account(1))
        self.refused(self.laptop.ask("GET", f"{self.url}/api/auth/me", token=token), 401, "invalid_token")


class Accounts(TailnetCase):
    def test_secrets_of_two_people_are_apart(self):
        other, owner = self.sign_in(self.other), self.sign_in(self.laptop)
        for node, token, value in ((self.other, other, "of user 3"), (self.laptop, owner, "of user 1")):
            answer = node.ask("POST", f"{self.url}/api/secrets/apart", token=token, body={"value": value})
            self.assertIn(answer.status, (200, 201), answer)
        self.assertEqual(self.secret(self.other, other, "apart"), "of user 3")
        self.assertEqual(self.secret(self.laptop, owner, "apart"), "of user 1")
        answer = self.laptop.ask("POST", f"{self.url}/api/secrets/owners_alone", token=owner, body={"value": "x"})
        self.assertIn(answer.status, (200, 201), answer)
        absent = self.other.ask("GET", f"{self.url}/api/secrets/absent_everywhere", token=other)
        foreign = self.other.ask("GET", f"{self.url}/api/secrets/owners_alone", token=other)
        self.assertEqual((foreign.status, foreign.code), (404, "secret_not_found"))
        self.assertEqual(foreign.body.replace("owners_alone", "absent_everywhere"), absent.body, "a foreign one answers as an absent one")

    def test_the_owner_has_one_account_over_the_socket_and_from_another_device(self):
        token = self.sign_in(self.laptop)
        must(self.server.leger("secrets", "set", "from_the_host", "-", stdin="one person\n"))
        self.assertEqual(self.secret(self.laptop, token, "from_the_host"), "one person")
        answer = self.laptop.ask("POST", f"{self.url}/api/secrets/from_the_laptop", token=token, body={"value": "the same"})
        self.assertIn(answer.status, (200, 201), answer)
        self.assertEqual(must(self.server.leger("secrets", "get", "from_the_laptop")), "the same")
        me = self.laptop.ask("GET", f"{self.url}/api/auth/me", token=token).json["data"]
        self.assertEqual((me["user"]["user_uuid"], me["user"]["tailscale_user_id"]), (account(1), "1"))
        self.assertEqual(self.server.database("SELECT count(*) FROM users WHERE is_owner = 1"), [[1]])

    def test_the_owner_is_an_operator_over_the_tailnet_and_others_are_not(self):
        owner, other = self.sign_in(self.laptop), self.sign_in(self.other)
        me = self.laptop.ask("GET", f"{self.url}/api/auth/me", token=owner).json["data"]
        self.assertEqual(me["roles"], ["user", "operator"])
        for path in ("/api/services", "/api/deployments"):
            self.assertEqual(self.laptop.ask("GET", self.url + path, token=owner).status, 200, path)
            self.refused(self.other.ask("GET", self.url + path, token=other), 403, "insufficient_permissions")

    def test_who_is_calling_is_told_before_a_sign_in(self):
        before = self.rows()
        answer = self.other.ask("GET", f"{self.url}/api/auth/peer")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["data"], {
            "login_name": LOGIN.format(3), "display_name": "User 3", "hostname": self.other.name.split(".")[0],
            "tailnet": "fake-control.example.net"})
        self.assertEqual(self.rows(), before)


class Sessions(TailnetCase):
    def listed(self, token):
        return self.other.ask("GET", f"{self.url}/api/auth/sessions", token=token).json["data"]["sessions"]

    def test_sessions_are_listed_and_revoked_by_their_person_alone(self):
        first, second = self.sign_in(self.other), self.sign_in(self.other)
        sessions = self.listed(second)
        current = [session for session in sessions if session["current"]]
        self.assertEqual(len(current), 1)
        self.assertEqual((current[0]["binding"], current[0]["hostname"]), ("tailnet:3", self.other.name.split(".")[0]))
        mine = [session["id"] for session in self.listed(first) if session["current"]][0]
        self.assertIn(mine, [session["id"] for session in sessions])
        path = f"{self.url}/api/auth/sessions/{mine}"
        self.assertEqual(self.laptop.ask("DELETE", path, token=self.sign_in(self.laptop)).status, 404, "not even by the owner")
        self.assertEqual(self.other.ask("GET", f"{self.url}/api/auth/me", token=first).status, 200)
        self.assertEqual(self.other.ask("DELETE", path, token=second).status, 200)
        self.refused(self.other.ask("GET", f"{self.url}/api/auth/me", token=first), 401, "invalid_token")
        self.assertEqual(self.other.ask("GET", f"{self.url}/api/auth/me", token=second).status, 200)
        self.assertNotIn(mine, [session["id"] for session in self.listed(second)])

    def test_sign_ins_and_logouts_survive_a_restart_of_legerd(self):
        kept, ended = self.sign_in(self.other), self.sign_in(self.other)
        self.assertEqual(self.other.ask("POST", f"{self.url}/api/auth/logout", token=ended).status, 200)
        self.server.restart_legerd()
        self.assertEqual(self.other.ask("GET", f"{self.url}/api/auth/me", token=kept).status, 200)
        self.refused(self.other.ask("GET", f"{self.url}/api/auth/me", token=ended), 401, "invalid_token")
