"""`leger login` on a node, whose browser is a script that notes the address; a test goes there with its own browser."""

import subprocess
import urllib.parse

from leger_host import end, must, wait_until

NOTE = "/usr/local/bin/note-address"

# `leger open` names a page of its own that leads to the address; a browser would follow it.
NOTE_SCRIPT = r"""#!/bin/sh
address=$1
case $address in
  file://*) address=$(sed -n 's/.*content="0; url=\([^"]*\)".*/\1/p' "${address#file://}" | sed 's/&amp;/\&/g') ;;
esac
printf '%s\n' "$address" >"$HOME/address.new"
mv "$HOME/address.new" "$HOME/address"
"""


def install_note(node):
    """What $BROWSER names on a node."""
    must(node.run("root", "sh", "-c", f'cat >{NOTE} && chmod 755 {NOTE}', stdin=NOTE_SCRIPT))


def address_of(node, user):
    """The address that a browser of `user` was to open."""
    def noted():
        outcome = node.run(user, "cat", "address")
        return outcome.out.strip() if outcome.code == 0 else ""
    return wait_until(noted, 20)


class PendingLogin:
    """A `leger login` that waits for the browser. Its user is one of the node's Unix accounts: a sign-in is kept by account."""

    def __init__(self, node, user, url):
        must(node.run(user, "rm", "-f", "address"))
        self.node, self.user = node, user
        self.process = node.start(user, "env", f"BROWSER={NOTE}", "leger", "--server", url, "login")
        self.address = address_of(node, user)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.address).query)
        self.redirect, self.state, self.challenge = (query[name][0] for name in ("redirect_uri", "state", "challenge"))

    def answer(self, **query):
        """The address by which a browser brings the CLI an answer."""
        return f"{self.redirect}?{urllib.parse.urlencode(query)}"

    def ended(self, limit=30):
        """Exit code and both outputs together, once it has ended by itself."""
        out, err = self.process.communicate(timeout=limit)
        return self.process.returncode, out + err

    def close(self):
        if self.process.poll() is None:
            end(self.process)
            try:
                self.process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()
