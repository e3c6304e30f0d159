"""The page in a real Chromium in the tailnet, and what pages of other origins can do there."""

import pathlib
import subprocess
import tempfile

from login import NOTE, address_of, install_note
from scene import TailnetCase, account, wait_until

NAME = "User 3"
LOGIN = "user-3@fake-control.example.net"


class Page(TailnetCase):
    def test_one_click_signs_in_as_whom_tailscaled_says(self):
        browser = self.browser(self.other)
        self.assertEqual(browser.open(f"{self.url}/login"), 200)
        browser.see(f"Sign in as {NAME}")
        self.assertIn(LOGIN, browser.text())
        browser.shot("login")
        before = self.rows()
        browser.click("Sign in as")
        browser.see("Where you are signed in")
        shown = browser.text()
        for part in (NAME, LOGIN, account(3)):
            self.assertIn(part, shown)
        self.assertNotIn("operator", shown)
        browser.shot("account")
        self.assertEqual(self.rows()["sessions"], [[before["sessions"][0][0] + 1]])
        self.assertEqual(browser.run("document.cookie"), "")
        browser.click("Log out")
        browser.see(f"Sign in as {NAME}")
        self.assertEqual(browser.complaints(), [])

    def test_who_is_nobody_is_told_so(self):
        self.change(self.other, Tags=["tag:ci"])
        browser = self.browser(self.other)
        browser.open(f"{self.url}/login")
        browser.see("Leger cannot tell who you are")
        browser.shot("refused")
        # The refusal's status is in the console, and nothing else.
        self.assertEqual([line for line in browser.complaints() if "403" not in line], [])

    def test_a_click_too_late_is_told_so(self):
        browser = self.browser(self.other)
        browser.open(f"{self.url}/login")
        browser.see(f"Sign in as {NAME}")
        self.change(self.other, Tags=["tag:ci"])
        before = self.rows()
        browser.click("Sign in as")
        wait_until(lambda: "tag" in browser.text(), 15)
        self.assertEqual(self.rows(), before)


class OnTheHost(TailnetCase):
    def test_leger_open_signs_the_owner_in_once(self):
        install_note(self.server)
        outcome = self.server.run("alice", "env", f"BROWSER={NOTE}", "leger", "open")
        self.assertEqual(outcome.code, 0, outcome)
        address = address_of(self.server, "alice")
        self.assertIn("#code=", address)
        browser = self.browser(self.server)
        browser.open(address)
        browser.see("Where you are signed in")
        shown = browser.text()
        for part in ("user-1@fake-control.example.net", "operator", account(1)):
            self.assertIn(part, shown)
        self.assertNotIn("code", browser.address())
        browser.shot("open")
        self.assertEqual(browser.complaints(), [])
        again = self.browser(self.server)
        again.open(address)
        again.see("This sign-in link is no longer good")
        again.shot("open again")

    def test_without_a_code_the_host_itself_is_told_what_to_run(self):
        browser = self.browser(self.server)
        browser.open("http://127.0.0.1:8787/login")
        browser.see("leger open")
        browser.shot("on the host")


# What a page of another port of legerd's host tries. Gives how each try ended, as far as the page can see.
TRIES = """(async () => {
  const target = %r, patience = 10000, ends = {};
  const within = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, patience, 'silence'))]);
  const post = (path, options) => fetch(target + path, { method: 'POST', body: '{}', credentials: 'include', ...options });
  const tries = {
    plain: (path) => post(path, { mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }).then((answer) => answer.type, String),
    encoded: (path) => post(path, { mode: 'no-cors', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })
      .then((answer) => answer.type, String),
    json: (path) => post(path, { headers: { 'Content-Type': 'application/json' } }).then(() => 'read', () => 'refused'),
    get: (path) => fetch(target + path).then(() => 'read', () => 'refused'),
    beacon: async (path) => navigator.sendBeacon(target + path, new Blob(['{}'], { type: 'text/plain' })) ? 'sent' : 'not sent',
    image: (path) => new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve('read');
      image.onerror = () => resolve('refused');
      image.src = target + path;
    }),
    socket: (path) => new Promise((resolve) => {
      const socket = new WebSocket(target.replace('http', 'ws') + path);
      socket.onopen = () => resolve('read');
      socket.onerror = () => resolve('refused');
    }),
    form: async (path) => {
      const frame = document.createElement('iframe');
      frame.name = path;
      document.body.append(frame);
      const form = document.body.appendChild(document.createElement('form'));
      Object.assign(form, { action: target + path, method: 'post', enctype: 'text/plain', target: path });
      const field = form.appendChild(document.createElement('input'));
      Object.assign(field, { name: '{"value":"', value: 'x"}' });
      form.submit();
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return 'sent';
    },
  };
  const all = [];
  for (const path of ['/api/auth/web', '/api/secrets/stolen', '/api/auth/peer']) {
    for (const [name, attempt] of Object.entries(tries)) {
      all.push(within(attempt(path)).then((end) => { ends[`${name} ${path}`] = end; }));
    }
  }
  await Promise.all(all);
  return ends;
})()"""
# How each kind of try must end: what was answered is kept from the page, too.
FAILED = "TypeError: Failed to fetch"
ENDS = {"plain": FAILED, "encoded": FAILED, "json": "refused", "get": "refused", "beacon": "sent", "image": "refused",
        "socket": "refused", "form": "sent"}


class OtherPages(TailnetCase):
    """A page of another port of legerd's host, opened on the owner's own laptop: whois would vouch for whatever it sends."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name)
        (path / "index.html").write_text("<!doctype html><title>Other</title><body>another page</body>", encoding="utf-8")
        (path / "frames.html").write_text(
            f"<!doctype html><body><iframe src='{self.url}/login'></iframe><iframe src='index.html'></iframe></body>", encoding="utf-8")
        serving = subprocess.Popen([*map(str, self.server.inside), "python3", "-m", "http.server", "3000", "--directory", folder.name],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(serving.wait)
        self.addCleanup(serving.terminate)
        self.origin = f"http://{self.server.name}:3000"
        self.browser_there = self.browser(self.laptop)
        wait_until(lambda: self.laptop.sh(f"curl -fs {self.origin}/").code == 0, 15)

    def test_it_changes_nothing_and_reads_nothing(self):
        browser = self.browser_there
        browser.open(f"{self.url}/login")
        browser.click("Sign in as")
        browser.see("Where you are signed in")
        self.assertGreater(browser.run("localStorage.length"), 0)
        before = self.rows(), self.server.database("SELECT count(*) FROM secrets")
        browser.open(f"{self.origin}/")
        ends = browser.run(TRIES % self.url)
        self.assertEqual({name: end for name, end in ends.items() if end != ENDS[name.split(" ")[0]]}, {})
        self.assertEqual(len(ends), 3 * len(ENDS))
        arrived = [line for line in browser.complaints() if "ERR_BLOCKED_BY_RESPONSE" in line]
        self.assertGreaterEqual(len(arrived), 6, "the console says that legerd answered those without CORS")
        self.assertEqual((self.rows(), self.server.database("SELECT count(*) FROM secrets")), before)
        self.assertEqual(browser.run("localStorage.length"), 0, "the token is of another origin")
        browser.open(f"{self.url}/")
        browser.see("Where you are signed in")

    def test_it_cannot_frame_the_page(self):
        browser = self.browser_there
        browser.open(f"{self.origin}/frames.html")
        frames = browser.do("frames")
        self.assertEqual(len(frames), 2)
        self.assertTrue([text for text in frames if "another page" in text], "a frame of its own shows")
        self.assertFalse([text for text in frames if "Sign in" in text or "Tailscale" in text], frames)
        self.assertTrue([line for line in browser.complaints() if "frame-ancestors" in line or "X-Frame-Options" in line])
        browser.shot("framed")
