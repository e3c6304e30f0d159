"""Releases that fail on a real host, each in its own way, while the one before runs on; and apps side by side."""

import json
import unittest

from apps import CONSENT, IMAGE, AppCase, bundle, unit, web
from leger_host import must

PORT, SPARE = 8111, 8112
CRASHES = unit(Container=f"Image={IMAGE}\nPull=never\nExec=/bin/false", Service="Restart=always\nRestartSec=200ms",
               Install="WantedBy=default.target")


class Failures(AppCase):
    """Over an app of two containers that runs and goes on running."""

    @classmethod
    def prepare(cls):
        super().prepare()
        must(cls.host.leger("secrets", "set", "key", "-", stdin="first\n"))
        cls.files = {"web.container": web(PORT, "Secret=key"), "other.container": web(SPARE)}
        data = bundle("app", cls.files, ["key"])
        version = json.loads(must(cls.host.leger("--json", "releases", "upload", "-", stdin=data)))["version"]
        must(cls.host.leger("deploy", "install", str(version), *CONSENT))
        cls.addClassCleanup(cls.host.leger, "deploy", "remove", "app")

    def setUp(self):
        self.before = self.container_ids()

    def tearDown(self):
        self.shows(PORT, "the page of app")
        self.shows(SPARE, "the page of app")
        self.assertEqual(must(self.host.sh("podman exec systemd-web cat /run/secrets/key")), "first")

    def fails_with(self, files, *words, **more):
        """Beside the failure all changes that a deployment can make are made: units, a file, a secret, objects of Podman's."""
        must(self.host.leger("secrets", "set", "key", "-", stdin="second\n"))
        files = {**self.files, "page.txt": "the page of the release that fails\n", "added.volume": unit(Volume="Label=a=b"),
                 "added.network": unit(Network="Label=a=b"), **files}
        self.fails("app", {path: text for path, text in files.items() if text}, *words, secrets=["key"], **more)
        shown = must(self.host.sh("podman secret inspect --showsecret -f '{{ .SecretData }}' key"))
        self.assertEqual(shown, "first\n", "the version that the app was deployed with")

    def nothing_was_touched(self):
        self.assertEqual(self.container_ids(), self.before)

    def test_the_generator_refuses_a_unit(self):
        self.fails_with({"bad.container": unit(Container=f"Image={IMAGE}\nNoSuchKey=1")}, "bad.container", state=None)
        self.nothing_was_touched()

    def test_the_generator_cannot_read_a_unit(self):
        self.fails_with({"bad.container": "[Container]\nnonsense\n"}, "bad.container", state=None)
        self.nothing_was_touched()

    def test_an_image_that_cannot_be_pulled(self):
        image = "registry.invalid/absent:1"
        self.fails_with({"bad.container": web(None, image=image).replace("Pull=never\n", "")}, state=("rolled_back", "failed"))

    def test_a_container_that_turns_unhealthy(self):
        self.fails_with({"bad.container": web(None, "HealthCmd=/bin/false\nHealthInterval=1s\nHealthRetries=1")},
                        "bad.service", "unhealthy")

    def test_a_container_that_is_never_healthy_before_it_counts_as_started(self):
        self.fails_with({"bad.container": web(None, "HealthCmd=/bin/false\nHealthInterval=1s\nHealthRetries=1\nNotify=healthy",
                                              Service="TimeoutStartSec=3")}, "bad.service")

    def test_a_container_that_crashes_and_is_started_again_and_again(self):
        self.fails_with({"bad.container": CRASHES}, "bad.service")

    def test_a_version_that_crashes_so_fast_that_systemd_gives_up(self):
        self.fails_with({"web.container": CRASHES.replace("200ms", "10ms")}, "web.service")

    def test_a_container_that_ends_by_itself(self):
        self.fails_with({"bad.container": web(None).replace("/bin/sh /serve.sh", "/bin/true")}, "bad.service")

    def test_a_port_that_is_taken(self):
        must(self.host.sh("systemd-run --user -q --unit=taker /bin/busybox httpd -f -p 127.0.0.1:8113"))
        self.addCleanup(self.host.sh, "systemctl --user stop taker.service")
        self.wait_for(lambda: self.host.sh("ss -Hltn 'sport = 8113'").out)
        self.fails_with({"bad.container": web(8113)}, "bad", state=("rolled_back", None))

    def test_a_unit_that_the_release_has_no_more_comes_back(self):
        self.fails_with({"other.container": None, "bad.container": CRASHES}, "bad.service")


class Others(AppCase):
    def test_a_mount_inside_the_app_that_can_be_written(self):
        self.deploy("app", {"web.container": web(PORT)})
        self.fails("app", {"web.container": web(PORT, "Volume=./data:/data"), "data/file": "x"}, "web.container", state=None)
        self.shows(PORT, "the page of app")

    def names(self, kind):
        return must(self.host.sh(f"podman {kind} ls --format '{{{{.Name}}}}'")).split()

    def test_a_network_and_a_volume_that_were_there_before_outlive_the_app(self):
        must(self.host.sh("podman network create theirs; podman volume create theirs-data"))
        self.addCleanup(self.host.sh, "podman network rm theirs; podman volume rm theirs-data systemd-own")
        with_theirs = self.host.leavings()
        files = {"web.container": web(PORT, "Network=net.network\nVolume=data.volume:/data\nVolume=own.volume:/own"),
                 "net.network": unit(Network="NetworkName=theirs"), "data.volume": unit(Volume="VolumeName=theirs-data"),
                 "own.volume": unit(Volume="Label=a=b")}
        self.fails("app", {**files, "bad.container": CRASHES}, "bad.service")
        self.assertIn("theirs-data", self.names("volume"))
        version = self.deploy("app", files)
        must(self.host.sh("podman exec systemd-web sh -c 'echo kept >/data/file'"))
        self.assertIn("uses the network theirs that is there already", must(self.host.leger("deploy", "plan", str(version))))
        # What was found by one generation is not the next one's own.
        self.deploy("app", {**files, "page.txt": "anew\n"})
        self.fails("app", {**files, "bad.container": CRASHES}, "bad.service")
        must(self.host.leger("deploy", "remove", "app", "--volumes", "--yes"))
        self.assertEqual(self.host.leavings(), with_theirs)
        self.assertIn("theirs-data", self.names("volume"))
        self.assertNotIn("systemd-own", self.names("volume"))
        shown = must(self.host.sh("cat $(podman volume inspect -f '{{ .Mountpoint }}' theirs-data)/file"))
        self.assertEqual(shown, "kept\n")

    def test_a_network_that_was_made_by_hand_after_the_app_gave_it_up_stays(self):
        self.deploy("app", {"web.container": web(PORT), "job.container": web(SPARE, "Network=gone.network"),
                            "gone.network": unit(Network="Label=a=b")})
        self.assertIn("systemd-gone", self.names("network"))
        self.deploy("app", {"web.container": web(PORT)})
        self.assertNotIn("systemd-gone", self.names("network"))
        must(self.host.sh("podman network create systemd-gone"))
        self.addCleanup(self.host.sh, "podman network rm systemd-gone")
        before = self.host.leavings()
        must(self.host.sh("systemctl --user restart legerd.service"))
        self.wait_for(lambda: self.host.leger("deploy", "plan").code == 0)
        self.assertEqual(self.host.leavings(), before)
        must(self.host.leger("deploy", "remove", "app"))
        self.assertIn("systemd-gone", self.names("network"))

    def test_one_app_leaves_the_other_alone(self):
        self.deploy("one", {"one.container": web(PORT, "Volume=one.volume:/kept\nNetwork=one.network"), "one.volume": unit(Volume="Label=a=b"),
                            "one.network": unit(Network="Label=a=b")})
        kept = (self.container_ids(), self.generated("one.service"), self.state("one.service", "InvocationID", "NRestarts"))

        def untouched():
            ids = {name: about for name, about in self.container_ids().items() if name in kept[0]}
            self.assertEqual((ids, self.generated("one.service"), self.state("one.service", "InvocationID", "NRestarts")), kept)
            self.shows(PORT, "the page of one")
        alone = self.host.leavings()
        self.deploy("two", {"two.container": web(SPARE)})
        untouched()
        self.fails("two", {"two.container": CRASHES}, "two.service")
        untouched()
        self.fails("two", {"one.container": web(SPARE)}, "one.service", state=None)
        untouched()
        must(self.host.leger("deploy", "remove", "two"))
        self.assertEqual(self.host.leavings(), alone)
        untouched()
        self.remove("one")

    def test_what_a_release_changes_is_restarted_and_nothing_else(self):
        plain = unit(Container=f"Image={IMAGE}\nPull=never\nVolume=./serve.sh:/serve.sh:ro\nVolume=./own.txt:/page.txt:ro\n"
                               f"Exec=/bin/sh /serve.sh\nPublishPort=127.0.0.1:{SPARE}:8080")
        files = {"web.container": web(PORT), "other.container": plain, "own.txt": "own\n"}
        version = self.deploy("app", files)
        first = self.container_ids()
        self.assertEqual(self.install(version).code, 0)
        self.assertEqual(self.container_ids(), first, "the same release again restarts nothing")
        # The container that mounts the file is made anew: a running one would keep the old content.
        self.deploy("app", {**files, "page.txt": "anew\n"})
        self.shows(PORT, "anew")
        second = self.container_ids()
        self.assertNotEqual(second["systemd-web"], first["systemd-web"])
        self.assertEqual(second["systemd-other"], first["systemd-other"])
        self.remove("app")

    def test_a_file_that_disappears_takes_its_unit_along(self):
        files = {"web.container": web(PORT), "gone.container": web(SPARE), "gone.network": unit(Network="Label=a=b")}
        self.deploy("app", {**files, "web.container": web(PORT)})
        kept = self.container_ids()["systemd-web"]
        cursor = must(self.host.sh("journalctl --user -n 0 --show-cursor -q")).split("cursor: ")[-1].strip()
        self.deploy("app", {"web.container": web(PORT)})
        self.assertEqual(self.state("gone.service", "LoadState"), ("not-found",))
        self.assertEqual(self.container_ids(), {"systemd-web": kept})
        self.assertEqual(must(self.host.sh("podman ps -a --format '{{.Names}}'")), "systemd-web\n")
        lines = must(self.host.sh(f"journalctl --user -q -o cat --after-cursor='{cursor}' -t systemd")).splitlines()
        stopped = [at for at, line in enumerate(lines) if line.startswith("Stopped gone.service")]
        reloads = [at for at, line in enumerate(lines) if line.startswith("Reloading")]
        self.assertTrue(stopped and reloads, lines)
        self.assertLess(stopped[0], reloads[0], "without its unit the container would run on")
        self.remove("app")


if __name__ == "__main__":
    unittest.main()
