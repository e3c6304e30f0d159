"""What `leger deploy plan` says and `leger deploy install` keeps to, with the real generator, Podman and systemd."""

import json

from leger_host import Example, HostCase, must, pack, wait_until

BROKEN = "[Container]\nImage=localhost/leger-hello:latest\nPull=never\nExec=/no/such/program\n"


class Plan(HostCase):
    @classmethod
    def prepare(cls):
        cls.example = Example()
        cls.host.build_image()
        must(cls.host.leger("secrets", "set", "test_key", "-", stdin="test123\n"))

    def setUp(self):
        self.addCleanup(self.host.leger, "deploy", "remove", "hello")

    def upload(self, change=None, name="hello"):
        files = self.example.files()
        manifest = {**self.example.manifest, "deployment_name": name}
        if change is not None:
            files = {**files, **change}
        files["manifest.json"] = json.dumps(manifest)
        self.host.write("app.tar.gz", pack(files))
        return self.host.leger_data("releases", "upload", "app.tar.gz")["version"]

    def plan(self, version):
        outcome = self.host.leger("--json", "deploy", "plan", str(version))
        self.assertEqual(outcome.err, "")
        return outcome.code, json.loads(outcome.out)

    def install(self, version, *flags):
        must(self.host.leger("deploy", "install", str(version), "--yes", *flags))

    def units(self, plan):
        return {unit["name"]: (unit["change"], unit["reasons"]) for unit in plan["units"]}

    def test_a_plan_of_a_new_app_an_unchanged_one_and_one_that_is_down(self):
        version = self.upload()
        before = self.host.leavings()
        code, plan = self.plan(version)
        self.assertEqual(code, 0)
        self.assertEqual(self.host.leavings(), before, "a plan changes nothing")
        self.assertEqual(self.units(plan)["hello.service"], ("added", []))
        self.assertEqual(plan["restart"], ["hello.service"])
        self.assertEqual((plan["images"], plan["ports"]), ([], ["127.0.0.1:8080/tcp"]))
        self.assertEqual(plan["volumes"], ["systemd-hello-data"])
        self.assertEqual(plan["secrets"], [{"name": "test_key", "version": 1}])
        self.install(version)
        again = self.plan(version)[1]
        self.assertEqual((again["restart"], {change for change, _ in self.units(again).values()}), ([], {"unchanged"}))
        self.assertNotEqual(again["plan_id"], plan["plan_id"])
        must(self.host.sh("systemctl --user stop hello.service"))
        down = self.plan(version)[1]
        self.assertEqual(self.units(down)["hello.service"], ("unchanged", ["not running"]))
        self.install(version)
        self.host.get(self.example.url)

    def test_an_image_that_was_built_anew_and_a_changed_volume(self):
        version = self.upload()
        self.install(version)
        must(self.host.sh(f"printf 'FROM {self.example.image}\\nLABEL again=1\\n' | podman build -q -t {self.example.image} -"))
        self.addCleanup(self.host.build_image)
        self.assertEqual(self.units(self.plan(version)[1])["hello.service"], ("changed", ["image"]))
        changed = self.plan(self.upload({"hello-data.volume": "[Volume]\nLabel=a=b\n"}))[1]
        self.assertIn("volume-not-changed:hello-data.volume", [finding["id"] for finding in changed["findings"]])

    def test_a_port_that_is_taken_is_denied(self):
        version = self.upload()
        must(self.host.sh("systemd-run --user --unit=squatter systemd-socket-activate -l 127.0.0.1:8080 /bin/cat"))
        self.addCleanup(self.host.sh, "systemctl --user stop squatter.service")

        def denied():
            """the one who takes the port has started"""
            code, plan = self.plan(version)
            return plan if code == 1 else None
        plan = wait_until(denied, 20)
        self.assertIn(("port-taken:hello.container", "denied"), [(one["id"], one["level"]) for one in plan["findings"]])
        refused = self.host.leger("deploy", "install", str(version), "--yes")
        self.assertEqual((refused.code, refused.out), (1, ""))
        self.assertIn("127.0.0.1:8080", refused.err)

    def upload_of(self, name, files):
        manifest = {**self.example.manifest, "deployment_name": name, "files": list(files), "services": [], "secrets_required": []}
        self.host.write("app.tar.gz", pack({**files, "manifest.json": json.dumps(manifest)}))
        self.addCleanup(self.host.leger, "deploy", "remove", name, "--yes")
        return self.host.leger_data("releases", "upload", "app.tar.gz")["version"]

    def test_what_was_made_by_hand_is_replaced_only_where_that_is_accepted(self):
        image = self.example.image
        version = self.upload_of("byhand", {"web.container": f"[Container]\nImage={image}\nPull=never\nContainerName=mine\n"})

        def exists(plan):
            return [(one["id"], one["level"]) for one in plan["findings"] if "-exists:" in one["id"]]
        self.assertEqual(exists(self.plan(version)[1]), [])
        made = must(self.host.sh(f"podman create --name mine {image}")).strip()
        self.addCleanup(self.host.sh, "podman rm -f mine other")
        self.assertEqual(exists(self.plan(version)[1]), [("container-exists:web.container", "flagged")])
        refused = self.host.leger("deploy", "install", str(version))
        self.assertEqual(refused.code, 2, refused)
        self.assertIn("podman rename mine", refused.err + refused.out)
        self.assertEqual(must(self.host.sh("podman inspect -f '{{.Id}}' mine")).strip(), made)
        must(self.host.sh("podman rename mine other"))
        self.assertEqual(exists(self.plan(version)[1]), [])
        self.install(version)
        self.assertEqual(exists(self.plan(version)[1]), [], "its own container")
        self.assertEqual(must(self.host.sh("podman inspect -f '{{.Id}}' other")).strip(), made)
        # Podman takes the beginning of an id for a name, and a pod goes with all its containers.
        must(self.host.sh(f"podman pod create --infra=false --name ours && podman create --pod ours --name inside {image}"))
        self.addCleanup(self.host.sh, "podman pod rm -f ours")
        other = self.upload_of("others", {"one.container": f"[Container]\nImage={image}\nContainerName={made[:12]}\n",
                                          "two.pod": "[Pod]\nPodName=ours\n"})
        self.assertEqual(exists(self.plan(other)[1]),
                         [("container-exists:one.container", "flagged"), ("pod-exists:two.pod", "flagged")])

    def test_a_release_that_does_not_start_waits_for_retry(self):
        self.install(self.upload())
        version = self.upload({"hello.container": BROKEN})
        self.assertEqual(self.host.leger("deploy", "install", str(version), "--yes").code, 1)
        self.host.get(self.example.url)
        self.assertIn("quarantined:", [one["id"] for one in self.plan(version)[1]["findings"]])
        refused = self.host.leger("deploy", "install", str(version), "--yes")
        self.assertEqual(refused.code, 1)
        self.assertIn("--retry", refused.err)
        tried = self.host.leger("deploy", "install", str(version), "--yes", "--retry")
        self.assertEqual(tried.code, 1)
        self.assertIn("hello.service", tried.err)

    def test_a_plan_that_is_out_of_date_is_refused(self):
        version = self.upload()
        plan = self.plan(version)[1]
        must(self.host.leger("secrets", "set", "test_key", "-", stdin="other\n"))
        self.addCleanup(self.host.leger, "secrets", "set", "test_key", "-", stdin="test123\n")
        before = self.host.leavings()
        body = json.dumps({"plan_id": plan["plan_id"], "accept_flags": []})
        answer = json.loads(must(self.host.sh(
            "curl -s --unix-socket $XDG_RUNTIME_DIR/leger/legerd.sock -H 'Content-Type: application/json' "
            "--data-binary @- http://localhost/api/deployments", stdin=body)))
        self.assertEqual(answer["error"]["code"], "conflict")
        self.assertIn("out of date", answer["error"]["message"])
        self.assertEqual(self.host.leavings(), before)
