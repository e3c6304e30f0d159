"""The one tailnet that all tests here share, and what their cases have in common. Booting is dear, so each host is booted when
it is first asked for and stays to the end; a test puts back what it changed."""

import functools
import unittest
import uuid

from browser import Browser
from leger_host import must, remove_forgotten, wait_until
from tailnet_host import LegerNode, Node, Tailnet, remove_forgotten_tailnets

CAPABILITY = "leger.run/cap/legerd"


def account(user_id):
    """The account of a Tailscale user id, as the contract makes it."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, str(user_id)))


class Scene:
    """The tailnet and its hosts. Node and user numbers go by the order of joining, so the server is first."""

    def __init__(self):
        remove_forgotten()
        remove_forgotten_tailnets()
        self.tailnet = Tailnet()
        # Node 1 with legerd, of user 1.
        self.server = LegerNode(self.tailnet)
        self.url = f"http://{self.server.name}:8787"
        # Node 2, another device of user 1.
        self.laptop = Node(self.tailnet)
        self.tailnet.change(self.laptop, self.server, User=1)
        # Node 3, of user 3: another person.
        self.other = Node(self.tailnet)
        wait_until(lambda: self.server.whois(self.other.address)["Node"].get("User") == 3)

    @functools.cached_property
    def hidden(self):
        """Node 4, of user 4, with legerd; its tailscaled has no interface and hands connections on from 127.0.0.1."""
        return LegerNode(self.tailnet, "--tun=userspace-networking")


@functools.cache
def try_scene():
    try:
        return Scene(), None
    except Exception as why:  # one that fails is not tried again for each class
        return None, why


def scene():
    made, why = try_scene()
    if why:
        raise why
    return made


class TailnetCase(unittest.TestCase):
    """A class of tests in the shared tailnet."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.scene = scene()
        cls.tailnet, cls.server, cls.laptop, cls.other, cls.url = (
            cls.scene.tailnet, cls.scene.server, cls.scene.laptop, cls.scene.other, cls.scene.url)

    def change(self, node, **fields):
        """Changes a node until the end of the test; the server's tailscaled knows of it when this returns."""
        before = self.tailnet.fields(node, fields)
        self.addCleanup(self.tailnet.change, node, self.server, **before)
        self.tailnet.change(node, self.server, **fields)

    def sign_in(self, node, url=None):
        """A token for the person of a node, by the browser's way: no claims."""
        answer = node.ask("POST", f"{url or self.url}/api/auth/web", body={})
        self.assertEqual(answer.status, 200, answer)
        return answer.json["data"]["token"]

    def rows(self):
        """Who could have come in."""
        return {table: self.server.database(f"SELECT count(*) FROM {table}") for table in ("users", "sessions")}

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer)

    def browser(self, node):
        browser = Browser(node.inside, self.tailnet.names)
        self.addCleanup(browser.close)
        return browser

    def secret(self, node, token, name):
        """The value of a secret as the holder of a token sees it; None where there is none."""
        answer = node.ask("GET", f"{self.url}/api/secrets/{name}", token=token)
        if answer.status == 404:
            return None
        self.assertEqual(answer.status, 200, answer)
        return answer.json["data"]["value"]


__all__ = ["CAPABILITY", "Browser", "TailnetCase", "account", "must", "scene", "wait_until"]
