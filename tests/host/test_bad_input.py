"""Every step with input or surroundings that are wrong: a clear error that says what to do, exit 1, nothing half done."""

import contextlib
import hashlib
import json
import unittest

from leger_host import Example, HostCase, must, pack

SECRET_HASH = hashlib.sha256(b"test123").hexdigest()  # what the example's page shows of its secret
SOCKET_OFF = "systemctl --user stop podman.socket podman.service"
SOCKET_ON = "systemctl --user start podman.socket"
GENERATOR = "/usr/libexec/podman/quadlet"


class BadInput(HostCase):
    """Asks for each failure twice: as a person reads it, and with --json, where its parts can be told."""

    @classmethod
    def prepare(cls):
        cls.example = Example()
        cls.host.build_image()

    def state(self):
        """What a refused command must not change: on the host, and what legerd knows."""
        known = [self.host.leger_data(*words) for words in (("secrets", "list"), ("releases", "list"))]
        files = must(self.host.sh("cd ~/.local/state/leger && find . -path '*releases*' | sort"))
        return self.host.leavings(), known, files

    def refused(self, codes, *arguments, stdin=b"", unchanged=True):
        """The command fails with one of these codes and changes nothing. Returns the error's message."""
        before = self.state() if unchanged else None
        plain = self.host.leger(*arguments, stdin=stdin)
        self.assertEqual((plain.code, plain.out), (1, ""), plain)
        self.assertTrue(plain.err.strip())
        structured = self.host.leger("--json", *arguments, stdin=stdin)
        self.assertEqual((structured.code, structured.out), (1, ""), structured)
        error = json.loads(structured.err)["error"]
        self.assertIn(error["code"], codes, error)
        self.assertTrue(error["message"].strip())
        self.assertTrue(error.get("action", "").strip(), f"says nothing about what to do: {error}")
        self.assertGreater(len(plain.err.strip()), len(error["message"].strip()), "a person is not told what to do")
        if unchanged:
            self.assertEqual(self.state(), before)
        return error["message"]

    def changed(self, change=None, **manifest):
        """The example's bundle with other files and manifest keys, packed. A file of None is left out."""
        files = {**self.example.files(), "manifest.json": json.dumps({**self.example.manifest, **manifest}), **(change or {})}
        return pack({path: content for path, content in files.items() if content is not None})

    def put(self, content, path="bad.tar.gz"):
        self.host.write(path, content)
        return path

    def set_secrets(self):
        for name in self.example.secrets:
            must(self.host.leger("secrets", "set", name, "-", stdin="test123\n"))

    def forget_secrets(self):
        for name in self.example.secrets:
            self.host.leger("secrets", "delete", "--force", name)

    @contextlib.contextmanager
    def without(self, user, off, on):
        """Takes a part of the surroundings away for a while."""
        must(self.host.run(user, "sh", "-c", off))
        try:
            yield
        finally:
            must(self.host.run(user, "sh", "-c", on))

    def without_podman(self):
        return self.without("alice", SOCKET_OFF, SOCKET_ON)

    def without_quadlet(self):
        return self.without("root", f"mv {GENERATOR} {GENERATOR}.away", f"mv {GENERATOR}.away {GENERATOR}")


class Secrets(BadInput):
    def test_a_wrong_name(self):
        for name in ("bad name", "a/b", "-x" * 40, ".hidden", "ü", "list", "a" * 65):
            with self.subTest(name=name):
                self.refused({"invalid_secret_name"}, "secrets", "set", "--", name, "-", stdin="x\n")

    def test_a_missing_file(self):
        before = self.state()
        outcome = self.host.leger("secrets", "set", "test_key", "@/no/such/file")
        self.assertEqual((outcome.code, outcome.out), (1, ""), outcome)
        self.assertIn("/no/such/file", outcome.err)
        self.assertEqual(self.state(), before)

    def test_no_value_and_too_long_a_value(self):
        self.refused({"invalid_request"}, "secrets", "set", "test_key", "-", stdin="")
        self.refused({"secret_value_too_large"}, "secrets", "set", "test_key", "-", stdin=b"x" * 512_000)

    def test_an_absent_secret(self):
        outcome = self.host.leger("secrets", "get", "absent")
        self.assertEqual((outcome.code, outcome.out), (1, ""))
        self.assertIn("absent", outcome.err)

    def test_secrets_need_no_podman_and_no_quadlet(self):
        with self.without_podman(), self.without_quadlet():
            must(self.host.leger("secrets", "set", "other_key", "-", stdin="x\n"))
            self.assertEqual(must(self.host.leger("secrets", "get", "other_key")), "x")

    def test_no_legerd(self):
        units = "legerd.socket legerd-tcp.socket legerd.service"
        with self.without("alice", f"systemctl --user stop {units}", f"systemctl --user start {units}"):
            for arguments in (("secrets", "list"), ("status",), ("deploy", "install", "latest")):
                with self.subTest(arguments=arguments):
                    outcome = self.host.leger(*arguments)
                    self.assertEqual((outcome.code, outcome.out), (1, ""), outcome)
                    self.assertTrue(outcome.err.strip())


class Uploads(BadInput):
    def upload_refused(self, content):
        self.refused({"invalid_bundle"}, "releases", "upload", self.put(content))

    def test_a_missing_file(self):
        before = self.state()
        outcome = self.host.leger("releases", "upload", "no-such-file.tar.gz")
        self.assertEqual((outcome.code, outcome.out), (1, ""), outcome)
        self.assertIn("no-such-file.tar.gz", outcome.err)
        self.assertEqual(self.state(), before)

    def test_a_truncated_bundle(self):
        whole = self.changed()
        for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
            with self.subTest(length=length):
                self.upload_refused(whole[:length])

    def test_what_is_no_bundle(self):
        for content in (b"text", b"\x1f\x8b" + b"\0" * 100, pack({}), self.changed() + b"more"):
            with self.subTest(content=content[:10]):
                self.upload_refused(content)

    def test_a_path_that_leaves_the_bundle(self):
        for path in ("../evil.container", "a/../../evil.conf", "/etc/evil.conf"):
            with self.subTest(path=path):
                self.upload_refused(self.changed({path: "x"}))
        self.assertEqual(self.host.sh("ls -d ~/evil* ~/.config/evil* ~/.local/state/evil* ~/.local/state/*/evil*").out, "")

    def test_a_manifest_that_names_an_absent_file(self):
        message = self.refused({"invalid_bundle"}, "releases", "upload",
                               self.put(self.changed(files=[*self.example.manifest["files"], "absent.conf"])))
        self.assertIn("absent.conf", message)

    def test_no_manifest_and_a_broken_one(self):
        for manifest in (None, "", "{", "[]", "{}"):
            with self.subTest(manifest=manifest):
                self.upload_refused(self.changed({"manifest.json": manifest}))

    def test_a_wrong_deployment_name(self):
        for name in ("", "Hello", "../x", "123", "latest", "a" * 64, "foo.container.d"):
            with self.subTest(name=name):
                self.upload_refused(self.changed(deployment_name=name))

    def test_a_quadlet_that_the_manifest_does_not_list(self):
        self.upload_refused(self.changed({"extra.container": "[Container]\nImage=localhost/x:1\n"}))

    def test_uploads_need_no_podman_and_no_quadlet(self):
        with self.without_podman(), self.without_quadlet():
            must(self.host.leger("releases", "upload", self.put(self.changed(), "good.tar.gz")))


class Installs(BadInput):
    @classmethod
    def prepare(cls):
        super().prepare()
        must(cls.host.sh("tar -czf hello.tar.gz -C hello ."))

    def setUp(self):
        self.set_secrets()
        must(self.host.leger("releases", "upload", "hello.tar.gz"))

    def test_a_wrong_version_or_name(self):
        for release in ("99999", "no-such-app", f"{self.example.name}@99999"):
            with self.subTest(release=release):
                self.refused({"release_not_found"}, "deploy", "install", release)

    def test_a_missing_secret(self):
        self.forget_secrets()
        self.refused({"preflight_failed"}, "deploy", "install", "latest")

    def test_an_image_that_no_one_has(self):
        container = self.example.container.replace(self.example.image, "localhost/no-such-image:1")
        must(self.host.leger("releases", "upload", self.put(self.changed({"hello.container": container}))))
        self.rolled_back("podman images", "deploy", "install", "latest")

    def rolled_back(self, hint, *arguments):
        """The command begins, fails, says how to see why, and leaves nothing behind."""
        before = self.state()
        outcome = self.host.leger(*arguments)
        self.assertEqual(outcome.code, 1, outcome)
        # Not by what leger shows meanwhile: a state that is over between two of its looks is shown by nobody.
        newest = self.host.leger_data("deploy", "list")["deployments"][0]
        self.assertEqual((newest["kind"], newest["state"]), ("install", "rolled_back"), newest)
        self.assertIn(hint, outcome.err)
        self.assertEqual(self.state(), before)

    def test_a_unit_that_the_generator_refuses(self):
        container = self.example.container.replace("[Container]", "[Container]\nNoSuchKey=1")
        must(self.host.leger("releases", "upload", self.put(self.changed({"hello.container": container}))))
        self.refused({"preflight_failed"}, "deploy", "install", "latest")

    def test_podmans_socket_is_stopped(self):
        with self.without_podman():
            self.refused({"upstream_failed", "unavailable", "preflight_failed"}, "deploy", "install", "latest")
        self.works_again()

    def test_no_quadlet_on_the_machine(self):
        with self.without_quadlet():
            self.refused({"upstream_failed", "unavailable", "preflight_failed"}, "deploy", "install", "latest")
        self.works_again()

    def works_again(self):
        before = self.host.leavings()
        must(self.host.leger("deploy", "install", "latest"))
        self.assertIn(SECRET_HASH, self.host.get(self.example.url))
        must(self.host.leger("deploy", "remove"))
        self.assertEqual(self.host.leavings(), before)


class Removals(BadInput):
    @classmethod
    def prepare(cls):
        super().prepare()
        for name in cls.example.secrets:
            must(cls.host.leger("secrets", "set", name, "-", stdin="test123\n"))
        must(cls.host.sh("tar -czf hello.tar.gz -C hello ."))
        must(cls.host.leger("releases", "upload", "hello.tar.gz"))
        cls.clean = cls.host.leavings()

    def setUp(self):
        must(self.host.leger("deploy", "install", "latest"))

    def all_or_nothing(self):
        """A removal without a part that it may need: done without a trace, or refused and the app runs on."""
        before = self.host.leavings()
        outcome = self.host.leger("deploy", "remove")
        self.assertIn(outcome.code, (0, 1), outcome)
        if outcome.code:
            self.assertTrue(outcome.err.strip())
        self.assertEqual(self.host.leavings(), before if outcome.code else self.clean)
        if outcome.code:
            self.assertIn(SECRET_HASH, self.host.get(self.example.url))

    def removed(self):
        must(self.host.leger("deploy", "remove"))
        self.assertEqual(self.host.leavings(), self.clean)

    def test_a_wrong_name(self):
        self.refused({"deployment_not_found"}, "deploy", "remove", "no-such-app")
        self.removed()
        self.refused({"deployment_not_found"}, "deploy", "remove", self.example.name)

    def test_podmans_socket_is_stopped(self):
        with self.without_podman():
            self.all_or_nothing()

    def test_no_quadlet_on_the_machine(self):
        with self.without_quadlet():
            self.all_or_nothing()

    def test_status_without_podman_or_quadlet_answers_or_says_why(self):
        for surroundings in (self.without_podman, self.without_quadlet):
            with self.subTest(surroundings=surroundings.__name__), surroundings():
                outcome = self.host.leger("status")
                self.assertIn(outcome.code, (0, 1), outcome)
                self.assertTrue((outcome.err if outcome.code else outcome.out).strip())


if __name__ == "__main__":
    unittest.main()
