"""`leger login`: the CLI signs in behind a real Chromium, and every answer that is not for it is refused, and said to be."""

import base64
import hashlib
import json
import time

from login import PendingLogin, install_note
from scene import TailnetCase, account, must, scene

CODE_SECONDS = 60
NOT_SIGNED_IN = "The CLI is not signed in"
# The verifier of some other client, and its challenge.
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
late = {}


def setUpModule():
    """Begins the login whose code is to be too old at the end."""
    here = scene()
    install_note(here.other)
    late["login"] = PendingLogin(here.other, "late", here.url)
    token = here.other.ask("POST", f"{here.url}/api/auth/web", body={}).json["data"]["token"]
    answer = here.other.ask("POST", f"{here.url}/api/auth/code", token=token, body={"challenge": late["login"].challenge})
    late["code"], late["since"] = answer.json["data"]["code"], time.monotonic()


def tearDownModule():
    late["login"].close()


class LoginCase(TailnetCase):
    def login(self, node=None, user="carol"):
        pending = PendingLogin(node or self.other, user, self.url)
        self.addCleanup(pending.close)
        return pending

    def code(self, node, challenge):
        """A one-time code of the person of a node."""
        answer = node.ask("POST", f"{self.url}/api/auth/code", token=self.sign_in(node), body={"challenge": challenge})
        self.assertEqual(answer.status, 200, answer)
        return answer.json["data"]["code"]

    def is_refused(self, pending, words, **answer):
        """The browser brings an answer; the page says why it is none, the CLI fails, and nobody has come in."""
        before = self.rows()
        browser = self.browser(self.other)
        browser.open(pending.answer(**answer))
        browser.see(NOT_SIGNED_IN)
        browser.see(words)
        self.assertIn("/auth/callback?result=", browser.address())
        browser.shot(f"login {words}")
        self.assertEqual(browser.complaints(), [])
        status, said = pending.ended()
        self.assertEqual(status, 1, said)
        self.assertEqual(self.rows(), before)
        self.assertNotEqual(self.other.run(pending.user, "test", "-e", ".config/leger/auth.json").code, 0)

    def go_to(self, pending, browser):
        browser.open(pending.address)
        browser.see("First sign in here yourself")
        browser.click("Sign in as")
        browser.see("Let the CLI on")


class Login(LoginCase):
    def test_the_cli_signs_in_behind_the_browser(self):
        pending, browser = self.login(user="dave"), self.browser(self.other)
        self.go_to(pending, browser)
        self.assertIn(self.other.name.split(".")[0], browser.text())
        browser.shot("let the cli sign in")
        browser.click("Sign in")
        browser.see("Login successful! Return to CLI")
        browser.shot("login successful")
        self.assertEqual(browser.complaints(), [])
        status, said = pending.ended()
        self.assertEqual(status, 0, said)
        self.assertIn("Authenticated as user-3@fake-control.example.net", said)
        stored = json.loads(must(self.other.run("dave", "cat", ".config/leger/auth.json")))
        me = self.other.ask("GET", f"{self.url}/api/auth/me", token=stored["token"]).json["data"]
        self.assertEqual((me["user"]["user_uuid"], me["session"]["binding"]), (account(3), "tailnet:3"))
        self.assertIn("Authenticated", must(self.other.run("dave", "leger", "--server", self.url, "auth", "status")))
        self.refused(self.laptop.ask("GET", f"{self.url}/api/auth/me", token=stored["token"]), 401, "invalid_token")

    def test_a_sign_in_may_be_declined(self):
        pending, browser = self.login(), self.browser(self.other)
        self.go_to(pending, browser)
        before = self.rows()
        browser.click("Cancel")
        browser.see(NOT_SIGNED_IN)
        browser.shot("login declined")
        status, said = pending.ended()
        self.assertEqual(status, 1, said)
        self.assertIn("declined", said)
        self.assertEqual(self.rows(), before)

    def test_without_a_browser_the_code_is_typed_in(self):
        browser = self.browser(self.other)
        browser.open(f"{self.url}/auth/callback?device_id=x&state=s&challenge={CHALLENGE}")
        browser.click("Sign in as")
        browser.see("Let a CLI elsewhere sign in as")
        browser.click("Sign in")
        browser.see("Your code")
        browser.shot("code for typing")
        codes = [word for word in browser.text().split() if word.count("-") == 2 and len(word) == 14]
        self.assertEqual(len(codes), 1, browser.text())
        answer = self.other.ask("POST", f"{self.url}/api/auth/exchange", body={"code": codes[0].lower(), "verifier": VERIFIER})
        self.assertEqual((answer.status, answer.json["data"]["user_uuid"]), (200, account(3)))


class Refused(LoginCase):
    def test_an_answer_of_another_state(self):
        pending, browser = self.login(), self.browser(self.other)
        before = self.rows()
        browser.open(pending.answer(code=self.code(self.other, pending.challenge), state="s" * 43))
        browser.see("belongs to another sign-in")
        browser.shot("login wrong state")
        self.assertIsNone(pending.process.poll(), "the CLI waits on for its own")
        self.assertEqual(self.rows()["users"], before["users"])

    def test_a_code_for_another_cli(self):
        pending = self.login()
        self.is_refused(pending, "made for another CLI", code=self.code(self.other, CHALLENGE), state=pending.state)

    def test_a_code_that_was_used(self):
        pending = self.login()
        code = self.code(self.other, pending.challenge)
        self.refused(self.other.ask("POST", f"{self.url}/api/auth/exchange", body={"code": code, "verifier": VERIFIER}), 401, "invalid_token")
        self.is_refused(pending, "was used already", code=code, state=pending.state)

    def test_a_code_of_somebody_else(self):
        pending = self.login()
        self.is_refused(pending, "belongs to somebody else", code=self.code(self.laptop, pending.challenge), state=pending.state)

    def test_a_code_works_once(self):
        code = self.code(self.other, CHALLENGE)
        first = self.other.ask("POST", f"{self.url}/api/auth/exchange", body={"code": code, "verifier": VERIFIER})
        self.assertEqual((first.status, first.json["data"]["user_uuid"]), (200, account(3)))
        before = self.rows()
        self.refused(self.other.ask("POST", f"{self.url}/api/auth/exchange", body={"code": code, "verifier": VERIFIER}), 401, "invalid_token")
        self.assertEqual(self.rows(), before)


class TooLate(LoginCase):
    """Last in this file: the minute passes while the others run."""

    def test_a_code_that_is_older_than_a_minute(self):
        time.sleep(max(0.0, late["since"] + CODE_SECONDS + 1 - time.monotonic()))
        self.is_refused(late["login"], "older than 60 seconds", code=late["code"], state=late["login"].state)
