"""Small apps for tests on a host: bundles made of a few lines, released, deployed, asked for their page.

Each is of the one image that the host builds for the example. A page is the bundled page.txt as it was when its
container started, so that an answer tells which generation runs.
"""

import json

from leger_host import Example, HostCase, LegerHost, must, pack, wait_until

IMAGE = Example().image
# Whatever a release may ask for is agreed to; what it is asked for is the business of other tests.
CONSENT = ("--yes",)

SERVE = """trap 'exit 0' TERM
mkdir -p /www
cat /page.txt >/www/index.html
httpd -f -p 8080 -h /www &
wait
"""


def unit(**sections):
    """The text of a unit: unit(Container="Image=x\\nExec=y", Install="…")."""
    return "".join(f"[{name}]\n{lines}\n" for name, lines in sections.items() if lines)


def web(port=None, lines="", image=IMAGE, **sections):
    """A container that serves the bundled page.txt on a port of the host."""
    publish = f"\nPublishPort=127.0.0.1:{port}:8080" if port else ""
    text = f"Image={image}\nPull=never\nVolume=./serve.sh:/serve.sh:ro\nVolume=./page.txt:/page.txt:ro\nExec=/bin/sh /serve.sh"
    return unit(Container=f"{text}{publish}\n{lines}", **{"Install": "WantedBy=default.target", **sections})


def bundle(app, files, secrets=()):
    """The packed bundle of an app; page.txt and serve.sh are in it where the files do not say otherwise."""
    files = {"serve.sh": SERVE, "page.txt": f"the page of {app}\n", **files}
    manifest = {"version": 1, "deployment_name": app, "created_at": "2026-11-22T00:00:00Z", "files": list(files), "services": [],
                "secrets_required": list(secrets)}
    return pack({"manifest.json": json.dumps(manifest), **files})


class QuickHost(LegerHost):
    """Waits as short as the tests can do with: what fails here does so at once."""

    def configuration(self):
        return "[deploy]\nsettle_s = 1\nhealth_timeout_s = 20\n"


class AppCase(HostCase):
    """Tests that deploy apps of their own. Each begins and ends with a host on which nothing is deployed."""

    host_type = QuickHost

    @classmethod
    def prepare(cls):
        cls.host.build_image()
        cls.clean = cls.host.leavings()

    def release(self, app, files, secrets=()):
        """Uploads; returns the version."""
        data = bundle(app, files, secrets)
        return json.loads(must(self.host.leger("--json", "releases", "upload", "-", stdin=data)))["version"]

    def install(self, version):
        return self.host.leger("deploy", "install", str(version), *CONSENT)

    def deploy(self, app, files, secrets=()):
        """Uploads and installs what must run."""
        version = self.release(app, files, secrets)
        self.assertEqual(self.install(version).code, 0, self.newest())
        self.addCleanup(self.remove_if_there, app)
        return version

    def remove_if_there(self, app):
        self.host.leger("deploy", "remove", app)

    def remove(self, app):
        """Nothing that was not there before the tests is left."""
        must(self.host.leger("deploy", "remove", app))
        self.assertEqual(self.host.leavings(), self.clean)

    def newest(self):
        """The last deployment, as legerd tells it."""
        return self.host.leger_data("deploy", "list")["deployments"][0]

    def page(self, port):
        return self.host.get(f"http://127.0.0.1:{port}/", limit=10).strip()

    def shows(self, port, text):
        self.assertEqual(self.page(port), text)

    def fails(self, app, files, *words, secrets=(), state="rolled_back"):
        """A release that does not go in: the error has these words, and all is as it was. `state`, or one of several, of its
        deployment; None where there is none."""
        version = self.release(app, files, secrets)
        before, last = self.host.leavings(), self.deployments()[:1]
        outcome = self.install(version)
        self.assertEqual(outcome.code, 1, outcome)
        for word in words:
            self.assertIn(word, outcome.err)
        newest = self.newest()
        added = newest if [newest["id"]] != [one["id"] for one in last] else {"state": None}
        self.assertIn(added["state"], state if isinstance(state, tuple) else (state,), added)
        self.assertEqual(self.host.leavings(), before)
        return outcome.err

    def deployments(self):
        return self.host.leger_data("deploy", "list")["deployments"]

    def container_ids(self):
        """Of what runs, by the names of the containers."""
        lines = must(self.host.sh("podman ps --no-trunc --format '{{.Names}} {{.ID}} {{.StartedAt}}'")).splitlines()
        return {line.split()[0]: line.split()[1:] for line in lines}

    def generated(self, unit_name):
        """The text that the generator made of a unit, as systemd has it."""
        return must(self.host.sh(f"systemctl --user cat {unit_name}"))

    def state(self, unit_name, *properties):
        shown = must(self.host.sh(f"systemctl --user show {unit_name} " + " ".join(f"-p {one}" for one in properties)))
        values = dict(line.split("=", 1) for line in shown.splitlines())
        return tuple(values[one] for one in properties)

    def wait_for(self, question):
        return wait_until(question, 20)
