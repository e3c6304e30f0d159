"""Releases by the commands of leger on a real host: the steps of an upload and a download, folders, what differs, and what
deployments hold on to."""

import hashlib
import json

from leger_host import Example, HostCase, LegerHost, must, pack

KEEP = 2
SECRET = "test123"


class ReleasesHost(LegerHost):
    def configuration(self):
        return super().configuration() + f"[retention]\nreleases = {KEEP}\n"


class ReleasesCase(HostCase):
    host_type = ReleasesHost

    @classmethod
    def prepare(cls):
        cls.example = Example()

    def upload(self, path):
        return self.host.leger_data("releases", "upload", path)

    def upload_variant(self, number, change=None):
        """The example with another greeting, or other changes, as a new release."""
        change = change or {"hello.conf": self.example.side_file() + f"# variant {number}\n"}
        self.host.write(f"variant-{number}.tar.gz", pack({**self.example.files(), **change}))
        return self.upload(f"variant-{number}.tar.gz")["version"]

    def versions(self):
        return [one["version"] for one in self.host.leger_data("releases", "list")["releases"]]

    def stored(self):
        """The names of what is kept in the folder of releases."""
        return must(self.host.sh("cd ~/.local/state/leger/releases && find . ! -type d -printf '%f\\n' | sort")).split()

    def refused(self, *arguments):
        """The message of a command that fails; as a person reads it it names the app."""
        plain = self.host.leger(*arguments)
        self.assertEqual((plain.code, plain.out), (1, ""), plain)
        return plain.err


class Steps(ReleasesCase):
    """Steps 6 to 9 of the design's end-to-end test: upload, look, download, compare."""

    def test_what_is_downloaded_is_what_was_uploaded(self):
        must(self.host.sh("tar -czf whole.tar.gz -C hello ."))
        digest, size = must(self.host.sh("sha256sum whole.tar.gz | cut -d' ' -f1; stat -c %s whole.tar.gz")).split()
        self.assertIn("uploaded", self.succeeds(self.host.leger("releases", "upload", "whole.tar.gz")))
        listed = self.host.leger_data("releases", "list")["releases"][0]
        version = listed["version"]
        self.assertEqual((listed["deployment_name"], listed["sha256"], listed["bundle_size_bytes"]), (self.example.name, digest, int(size)))
        shown = self.host.leger_data("releases", "show", str(version))
        self.assertEqual(sorted(shown["files"]), sorted(self.example.manifest["files"]))
        self.assertEqual(shown["secrets_required"], self.example.secrets)
        self.assertIn(digest, self.succeeds(self.host.leger("releases", "show")))
        name = f"{self.example.name}-v{version}.tar.gz"
        must(self.host.sh(f"rm -f {name}"))
        self.assertIn(name, self.succeeds(self.host.leger("releases", "download", str(version))))
        for words in (["latest", "-o", "latest.tar.gz"], [self.example.name, "-o", "named.tar.gz"],
                      [f"{self.example.name}@{version}", "-o", "numbered.tar.gz"]):
            must(self.host.sh(f"rm -f {words[-1]}"))
            self.succeeds(self.host.leger("releases", "download", *words))
            must(self.host.sh(f"cmp whole.tar.gz {words[-1]}"))
        must(self.host.sh(f"cmp whole.tar.gz {name} && leger releases download latest -o - | cmp whole.tar.gz -"))
        must(self.host.sh(f"mkdir -p unpacked && tar -xzf {name} -C unpacked && diff -r hello unpacked"))
        self.assertEqual(self.host.sh(f"leger releases download {version}").code, 1, "a file that is there is not overwritten")
        must(self.host.sh(f"cmp ~/.local/state/leger/releases/*/v{version}.tar.gz whole.tar.gz"))
        must(self.host.sh("cmp ~/.local/state/leger/releases/*/latest.tar.gz whole.tar.gz"))
        # The same bytes again are no new release.
        again = self.succeeds(self.host.leger("releases", "upload", "whole.tar.gz"))
        self.assertIn("already there", again)
        self.assertEqual(self.versions()[0], version)

    def test_a_folder_is_packed_to_the_same_bytes_each_time_and_place(self):
        first = self.upload("hello")
        must(self.host.sh("rm -rf elsewhere && mkdir elsewhere && cp -r hello elsewhere/hello && touch -d 2001-01-01 elsewhere/hello/*"))
        self.assertEqual(self.upload("elsewhere/hello"), first)
        must(self.host.sh(f"rm -rf folder.tar.gz out && leger releases download {first['version']} -o folder.tar.gz"))
        must(self.host.sh("mkdir out && tar -xzf folder.tar.gz -C out && diff -r hello out"))
        # A manifest that is not there is made from the units.
        must(self.host.sh("rm -rf made && cp -r hello made && rm made/manifest.json"))
        made = self.upload("made")
        shown = self.host.leger_data("releases", "show", str(made["version"]))
        self.assertEqual(made["deployment_name"], "made")
        self.assertEqual(sorted(shown["files"]), sorted(self.example.manifest["files"]))
        self.assertEqual(shown["services"], [one["name"] for one in self.example.manifest["services"]])
        self.assertEqual(shown["secrets_required"], self.example.secrets)

    def test_a_bundle_comes_from_a_pipe(self):
        data = pack({**self.example.files(), "hello.conf": "piped\n"})
        self.host.write("piped.tar.gz", data)
        must(self.host.sh("cat piped.tar.gz | leger releases upload -"))
        self.assertEqual(self.host.leger_data("releases", "show", "latest")["sha256"], hashlib.sha256(data).hexdigest())

    def test_what_differs_is_shown_by_file_and_line(self):
        versions = [self.upload_variant(number, {"hello.conf": f"greeting={number}\n"}) for number in (1, 2)]
        shown = self.succeeds(self.host.leger("releases", "diff", *map(str, versions)))
        for part in ("hello.conf", "-greeting=1", "+greeting=2"):
            self.assertIn(part, shown)
        self.assertNotIn("hello.container", shown)
        self.assertEqual(self.succeeds(self.host.leger("releases", "diff", str(versions[1]), str(versions[1]))), "")

    def test_a_folder_is_judged_without_a_server(self):
        without_server = "env LEGER_API_URL=unix:/nowhere leger"
        must(self.host.sh(f"{without_server} releases validate hello"))
        must(self.host.sh("rm -rf bad && cp -r hello bad && ln -s /etc/passwd bad/evil.conf"))
        outcome = self.host.sh(f"{without_server} releases validate bad")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("evil.conf", outcome.out + outcome.err)
        before = self.versions()
        self.assertIn("evil.conf", self.refused("releases", "upload", "bad"))
        self.assertEqual(self.versions(), before)

    def test_a_deletion_needs_a_word_and_is_for_good(self):
        version = self.upload_variant("deleted")
        self.assertEqual(self.host.leger("releases", "delete", str(version)).code, 2)
        self.assertIn(version, self.versions())
        self.succeeds(self.host.leger("releases", "delete", str(version), "--force"))
        self.assertNotIn(version, self.versions())
        self.assertNotIn(f"v{version}.tar.gz", self.stored())
        self.refused("releases", "download", str(version))
        self.assertGreater(self.upload_variant("deleted"), version, "a number is given once")


class Deployed(ReleasesCase):
    """Neither DELETE nor retention takes what is deployed or what a rollback needs."""

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.host.build_image()
        for name in cls.example.secrets:
            must(cls.host.leger("secrets", "set", name, "-", stdin=SECRET + "\n"))

    def install(self, *words):
        self.succeeds(self.host.leger("deploy", "install", *words))
        self.answers()

    def answers(self):
        self.assertIn(hashlib.sha256(SECRET.encode()).hexdigest(), self.host.get(self.example.url, limit=60))

    def stays(self, version):
        """It is not deleted, and still has its bytes."""
        self.assertIn(self.example.name, self.refused("releases", "delete", str(version), "--force"))
        structured = self.host.leger("--json", "releases", "delete", str(version), "--force")
        self.assertEqual(json.loads(structured.err)["error"]["code"], "conflict", structured)
        must(self.host.sh(f"leger releases download {version} -o - | cmp variant-{self.variants[version]}.tar.gz -"))

    def add(self, number, change=None):
        version = self.upload_variant(number, change)
        self.variants[version] = number
        return version

    def test_what_is_deployed_or_kept_for_a_rollback_stays(self):
        self.variants = {}
        first, second = self.add("first"), self.add("second")
        self.install(f"{self.example.name}@{first}")
        self.stays(first)
        self.install(str(second))
        self.stays(second)
        self.stays(first)
        # More than retention keeps; the two that are in use stay beyond that.
        later = [self.add(f"later-{number}") for number in range(KEEP + 2)]
        self.assertEqual(self.versions(), sorted([first, second, *later[-KEEP:]], reverse=True))
        self.stays(first)
        self.stays(second)
        container = self.example.container.replace(self.example.image, "localhost/no-such-image:1")
        broken = self.add("broken", {"hello.container": container})
        self.assertEqual(self.host.leger("deploy", "install", str(broken)).code, 1)
        self.assertEqual(self.host.leger_data("deploy", "list")["deployments"][0]["state"], "rolled_back")
        self.answers()
        self.stays(second)
        self.succeeds(self.host.leger("releases", "delete", str(broken), "--force"))
        must(self.host.sh("systemctl --user restart legerd.service"))
        self.stays(second)
        self.assertEqual(self.stored(), sorted(["latest.tar.gz", *(f"v{version}.tar.gz" for version in self.versions())]))
        # By the app's name: the newest that is left.
        self.install(self.example.name)
        self.succeeds(self.host.leger("deploy", "remove"))
        for version in self.versions():
            self.succeeds(self.host.leger("releases", "delete", str(version), "--force"))
        self.assertEqual((self.versions(), self.stored()), ([], []))
