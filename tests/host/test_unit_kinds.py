"""Each kind of unit that Quadlet knows, deployed, changed and removed on a real host by Podman's own generator."""

import unittest

from apps import IMAGE, AppCase, unit, web
from leger_host import must

PORT = 8101


class Kinds(AppCase):
    @classmethod
    def prepare(cls):
        super().prepare()
        # The container that holds a pod together; Podman's own needs a program that the host lacks.
        cls.host.write("infra/Containerfile", f"FROM {IMAGE}\nCMD trap 'exit 0' TERM; sleep 100000 & wait\n")
        must(cls.host.sh("podman build -q -t localhost/infra:1 infra"))
        cls.host.write(".config/containers/containers.conf", '[engine]\ninfra_image = "localhost/infra:1"\n')
        must(cls.host.sh(f"rm -f kept.tar && podman save -q -o kept.tar {IMAGE}"))

    def test_a_pod_and_its_containers(self):
        files = {"app.pod": unit(Pod=f"PublishPort=127.0.0.1:{PORT}:8080", Install="WantedBy=default.target"),
                 "web.container": web(None, "Pod=app.pod", Install="")}
        self.deploy("pod", files)
        self.assertEqual(self.state("app-pod.service", "ActiveState"), ("active",))
        self.shows(PORT, "the page of pod")
        self.deploy("pod", {**files, "page.txt": "anew\n"})
        self.shows(PORT, "anew")
        self.remove("pod")
        self.assertEqual(must(self.host.sh("podman pod ps -q")), "")

    def test_kube(self):
        yaml = f"""apiVersion: v1
kind: Pod
metadata: {{name: kubed}}
spec:
  containers:
  - name: web
    image: {IMAGE}
    imagePullPolicy: Never
    command: [/bin/sh, -c, "trap 'exit 0' TERM; mkdir -p /www; echo TEXT >/www/index.html; httpd -f -p 8080 -h /www & wait"]
    ports: [{{containerPort: 8080, hostPort: {PORT}, hostIP: 127.0.0.1}}]
"""
        kube = unit(Kube="Yaml=app.yml\nNetwork=own.network", Install="WantedBy=default.target")
        for text in ("first", "second"):
            self.deploy("kube", {"app.kube": kube, "own.network": unit(Network="Label=a=b"), "app.yml": yaml.replace("TEXT", text)})
            self.assertEqual(self.state("app.service", "ActiveState"), ("active",))
            self.shows(PORT, text)
        self.remove("kube")
        self.assertEqual(must(self.host.sh("podman pod ps -q")), "")

    def test_volumes_and_networks_are_not_changed_once_they_are_there(self):
        def files(label):
            return {"web.container": web(PORT, "Volume=kept.volume:/kept\nNetwork=own.network"),
                    "kept.volume": unit(Volume=f"Label=which={label}"), "own.network": unit(Network=f"Label=which={label}")}
        self.deploy("stores", files("first"))
        must(self.host.sh("podman exec systemd-web sh -c 'echo data >/kept/file'"))
        before = self.container_ids()
        self.deploy("stores", files("second"))
        label = "{{ .Labels.which }}"
        self.assertEqual(must(self.host.sh(f"podman volume inspect -f '{label}' systemd-kept")), "first\n")
        self.assertEqual(must(self.host.sh(f"podman network inspect -f '{label}' systemd-own")), "first\n")
        self.assertEqual(self.container_ids(), before, "nothing that runs is different")
        self.remove("stores")
        must(self.host.sh("podman volume inspect systemd-kept"))
        self.deploy("stores", files("second"))
        self.assertEqual(must(self.host.sh("podman exec systemd-web cat /kept/file")), "data\n", "data outlives its app")
        must(self.host.leger("deploy", "remove", "stores", "--volumes", "--yes"))
        self.assertNotEqual(self.host.sh("podman volume inspect systemd-kept").code, 0)
        self.assertEqual(self.host.leavings(), self.clean)

    def test_a_build_with_its_context_in_the_bundle(self):
        def files(text):
            return {"own.build": unit(Build="ImageTag=localhost/kinds-built:1\nSetWorkingDirectory=unit\nPodmanArgs=--pull=never"),
                    "Containerfile": f"FROM {IMAGE}\nCOPY built.txt /built.txt\n", "built.txt": text,
                    "web.container": web(PORT, image="own.build")}
        self.addCleanup(self.host.sh, "podman rmi -f localhost/kinds-built:1")
        for text in ("first", "second"):
            self.deploy("built", files(text))
            self.assertEqual(must(self.host.sh("podman exec systemd-web cat /built.txt")), text)
        broken = {**files("third"), "Containerfile": f"FROM {IMAGE}\nCOPY absent.txt /built.txt\n"}
        self.fails("built", broken, "own-build.service")
        self.assertEqual(must(self.host.sh("podman exec systemd-web cat /built.txt")), "second")
        self.remove("built")

    def test_an_image_unit(self):
        files = {"own.image": unit(Image=f"Image=docker-archive:%h/kept.tar\nImageTag={IMAGE}"),
                 "web.container": web(PORT, image="own.image")}
        self.fails("imaged", files, "is read from the host's own files", state=None)
        before = self.host.configuration()
        self.addCleanup(self.configure, before)
        self.configure(before + '[policy]\nallow_dangerous = ["imaged:image-transport"]\n')
        self.deploy("imaged", files)
        self.assertEqual(self.state("own-image.service", "ActiveState"), ("active",))
        self.shows(PORT, "the page of imaged")
        self.remove("imaged")

    def configure(self, text):
        self.host.write(".config/leger/legerd.toml", text)
        must(self.host.sh("systemctl --user restart legerd.service"))
        self.host.wait_active("legerd.service")

    def test_an_artifact_that_this_podman_does_not_know(self):
        self.fails("artifact", {"web.container": web(PORT), "own.artifact": unit(Artifact="Artifact=quay.io/x/y:1")},
                   "own.artifact", state=None)

    def test_drop_ins_of_its_own_units_and_files_in_sub_folders(self):
        def files(text):
            return {"web.container": web(PORT, "Volume=./conf:/conf:ro"), "web.container.d/10-more.conf":
                    unit(Container=f"Environment=MORE={text}"), "conf/deeper/one.txt": text}
        ids = []
        for text in ("first", "second"):
            self.deploy("parts", files(text))
            self.assertEqual(must(self.host.sh("podman exec systemd-web sh -c 'echo $MORE; cat /conf/deeper/one.txt'")), f"{text}\n{text}")
            ids.append(self.container_ids()["systemd-web"])
        self.assertNotEqual(*ids)
        # One that the release has no more is gone from the container, too.
        without = files("third")
        del without["web.container.d/10-more.conf"]
        self.deploy("parts", without)
        self.assertEqual(must(self.host.sh("podman exec systemd-web sh -c 'echo .$MORE'")), ".\n")
        self.remove("parts")

    def test_units_in_sub_folders(self):
        self.deploy("nested", {"parts/web.container": web(PORT).replace("./", "../")})
        self.shows(PORT, "the page of nested")
        self.remove("nested")

    def test_a_service_name_of_its_own(self):
        self.deploy("named", {"web.container": web(PORT, "ServiceName=front")})
        self.assertEqual(self.state("front.service", "ActiveState", "LoadState"), ("active", "loaded"))
        self.assertEqual(self.state("web.service", "LoadState"), ("not-found",))
        self.assertIn("front", must(self.host.leger("status")))
        # Under another name it is another unit: the old one goes before the reload, with its container.
        self.deploy("named", {"web.container": web(PORT, "ServiceName=entrance")})
        self.assertEqual(self.state("entrance.service", "ActiveState"), ("active",))
        self.assertEqual(self.state("front.service", "LoadState"), ("not-found",))
        self.assertEqual(len(self.container_ids()), 1)
        self.shows(PORT, "the page of named")
        self.remove("named")

    def test_a_template_runs_as_its_default_instance(self):
        template = web(PORT, "Environment=WHO=%i", Install="WantedBy=default.target\nDefaultInstance=one")
        self.deploy("template", {"job@.container": template})
        self.assertEqual(self.state("job@one.service", "ActiveState"), ("active",))
        self.shows(PORT, "the page of template")
        self.deploy("template", {"job@.container": template, "page.txt": "anew\n"})
        self.shows(PORT, "anew")
        self.remove("template")

    def test_instances_that_somebody_started_go_with_their_template(self):
        template = web(None, "Environment=WHO=%i", Install="DefaultInstance=one")
        files = {"job@.container": template, "web.container": web(PORT)}
        self.deploy("template", files)
        self.host.write(".config/containers/systemd/job@three.container", unit(Container=f"Image={IMAGE}\nPull=never\nExec=/bin/sleep 1000"))
        take_away = """systemctl --user stop job@three.service; systemctl --user reset-failed job@three.service
                       rm -f ~/.config/containers/systemd/job@three.container; systemctl --user daemon-reload"""
        self.addCleanup(self.host.sh, take_away)
        must(self.host.sh("systemctl --user daemon-reload; systemctl --user start job@two.service job@three.service"))
        self.assertEqual(len(self.container_ids()), 4)
        without = {"web.container": web(PORT)}
        self.assertIn("job@two.service", must(self.host.leger("deploy", "plan", str(self.release("template", without)))))
        bad = unit(Container=f"Image={IMAGE}\nPull=never\nExec=/bin/false")
        self.fails("template", {**without, "bad.container": bad}, "bad.service")
        self.assertEqual(self.state("job@two.service", "ActiveState"), ("active",), "as it was")
        self.deploy("template", without)

        def is_gone(instance):
            self.assertNotEqual(self.state(instance, "ActiveState"), ("active",))
            self.assertEqual(self.state("job@three.service", "ActiveState"), ("active",), "it is a unit of its own")
        is_gone("job@two.service")
        self.assertEqual(len(self.container_ids()), 2)
        self.deploy("template", files)
        must(self.host.sh("systemctl --user start job@two.service"))
        must(self.host.leger("deploy", "remove", "template"))
        is_gone("job@two.service")
        is_gone("job@one.service")
        self.assertEqual(len(self.container_ids()), 1)
        self.host.sh(take_away)
        self.assertEqual(self.host.leavings(), self.clean)

    def test_a_template_without_an_instance_is_refused(self):
        self.fails("template", {"job@.container": web(PORT)}, "job@.container", "DefaultInstance=", state=None)

    def test_an_instance_that_is_a_file_is_a_unit_like_others(self):
        self.deploy("instance", {"job@1.container": web(PORT)})
        self.assertEqual(self.state("job@1.service", "ActiveState"), ("active",))
        self.remove("instance")

    def once(self, command, more=""):
        return unit(Container=f"Image={IMAGE}\nPull=never\nExec={command}", Service="Type=oneshot" + more)

    def test_one_that_has_ended_well_is_well(self):
        self.deploy("once", {"job.container": self.once("/bin/true"), "kept.container": self.once("/bin/true", "\nRemainAfterExit=yes"),
                             "web.container": web(PORT, Unit="Requires=job.service\nAfter=job.service")})
        self.assertEqual(self.state("job.service", "ActiveState", "Result"), ("inactive", "success"))
        self.assertEqual(self.state("kept.service", "ActiveState", "SubState"), ("active", "exited"))
        self.shows(PORT, "the page of once")
        self.remove("once")

    def test_one_that_fails_is_not(self):
        self.deploy("once", {"job.container": self.once("/bin/true")})
        self.fails("once", {"job.container": self.once("/bin/false")}, "job.service")
        self.remove("once")


if __name__ == "__main__":
    unittest.main()
