"""tailscaled without a network device: legerd sees whoever comes from the tailnet as 127.0.0.1, as it sees a process of the
host. Without a line in the configuration nobody is believed."""

from scene import TailnetCase, account, must


class Userspace(TailnetCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hidden = cls.scene.hidden
        cls.there = f"http://{cls.hidden.name}:8787"
        cls.local = "http://127.0.0.1:8787"

    def setUp(self):
        self.plain = must(self.hidden.sh("cat ~/.config/leger/legerd.toml"))

    def configure(self, more):
        self.addCleanup(self.hidden.restart_legerd)
        self.addCleanup(self.hidden.write, ".config/leger/legerd.toml", self.plain)
        self.hidden.write(".config/leger/legerd.toml", self.plain + more)
        self.hidden.restart_legerd()

    def came_in(self):
        return {table: self.hidden.database(f"SELECT count(*) FROM {table}") for table in ("users", "sessions")}

    def test_without_the_setting_the_refusal_names_the_line_to_set(self):
        before = self.came_in()
        for method, path, body in (("GET", "/api/auth/peer", None), ("POST", "/api/auth/web", {})):
            for node, url in ((self.other, self.there), (self.hidden, self.local)):
                with self.subTest(path=path, url=url):
                    answer = node.ask(method, url + path, body=body)
                    self.refused(answer, 403, "tailscale_verification_failed")
                    self.assertIn("userspace = true", answer.json["error"]["action"])
        self.assertEqual(self.came_in(), before)
        self.assertEqual(self.other.ask("GET", f"{self.there}/health").status, 200)

    def test_with_the_setting_callers_of_the_tailnet_are_who_they_are_and_local_ones_nobody(self):
        self.configure("[tailscale]\nuserspace = true\n")
        token = self.sign_in(self.other, self.there)
        me = self.other.ask("GET", f"{self.there}/api/auth/me", token=token).json["data"]
        self.assertEqual((me["user"]["user_uuid"], me["roles"]), (account(3), ["user"]))
        before = self.came_in()
        for method, path, body in (("GET", "/api/auth/peer", None), ("POST", "/api/auth/web", {}),
                                   ("POST", "/api/auth/cli", {"user_id": "4"}), ("POST", "/api/auth/cli", {"user_id": "3"})):
            with self.subTest(path=path, body=body):
                self.refused(self.hidden.ask(method, self.local + path, body=body), 403, "tailscale_verification_failed")
        self.refused(self.hidden.ask("GET", f"{self.local}/api/secrets", token=token), 401, "invalid_token")
        self.refused(self.laptop.ask("GET", f"{self.there}/api/secrets", token=token), 401, "invalid_token")
        self.assertEqual(self.came_in(), before)

    def test_a_token_of_the_socket_is_good_on_the_host_only(self):
        self.configure("[tailscale]\nuserspace = true\n")
        must(self.hidden.leger("auth", "login"))
        self.addCleanup(self.hidden.leger, "auth", "logout")
        token = must(self.hidden.sh("sed -n 's/.*\"token\": *\"\\([^\"]*\\)\".*/\\1/p' ~/.config/leger/auth.json | head -n 1")).strip()
        self.assertEqual(self.hidden.ask("GET", f"{self.local}/api/auth/me", token=token).status, 200)
        self.refused(self.other.ask("GET", f"{self.there}/api/auth/me", token=token), 401, "invalid_token")
