"""A bundle that would take the host: refused with everything it asks for, nothing done; what an operator allows is theirs."""

import json

from leger_host import HostCase, must, pack

EVIL = "[Container]\nImage=localhost/evil:1\nVolume=%h/.ssh:/keys:ro\n[Service]\nExecStartPre=/bin/sh -c 'touch %h/owned'\n"


def bundle(**files):
    names = {name.replace("_", "."): text for name, text in files.items()}
    manifest = {"version": 1, "deployment_name": "evil", "created_at": "2026-01-01T00:00:00Z", "files": sorted(names),
                "services": [], "secrets_required": []}
    return pack({**names, "manifest.json": json.dumps(manifest)})


class Policy(HostCase):
    def allow(self, *rules):
        self.host.write(".config/leger/legerd.toml",
                        self.host.configuration() + f"[policy]\nallow_dangerous = {json.dumps(rules)}\n")

    def refusal(self):
        """The messages of what denies an install that must be refused and leave nothing."""
        before = self.host.leavings()
        outcome = self.host.leger("--json", "deploy", "install", "evil")
        self.assertEqual((outcome.code, outcome.out), (1, ""), outcome)
        error = json.loads(outcome.err)["error"]
        self.assertEqual(error["code"], "preflight_failed", error)
        self.assertEqual(self.host.leavings(), before)
        self.assertNotEqual(self.host.sh("test -e owned").code, 0)
        return [finding["message"] for finding in error["details"]]

    def test_an_evil_bundle_is_refused_until_an_operator_allows_it(self):
        self.host.write("evil.tar.gz", bundle(evil_container=EVIL))
        must(self.host.leger("releases", "upload", "evil.tar.gz"))
        messages = self.refusal()
        self.assertEqual(len(messages), 2, messages)
        self.assertTrue([message for message in messages if "/home/alice/.ssh" in message], messages)
        self.allow("evil:host-path")
        must(self.host.sh("systemctl --user restart legerd.service"))
        self.host.wait_active("legerd.service")
        messages = self.refusal()
        self.assertEqual(len(messages), 1, messages)
        self.assertIn("ExecStartPre", messages[0])

    def test_a_rule_that_is_none_is_told_with_those_that_there_are(self):
        self.host.write("wrong.toml", '[policy]\nallow_dangerous = ["evil:everything"]\n')
        outcome = self.host.leger("config", "check", "wrong.toml")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("everything", outcome.err)
        self.assertIn("host-path", outcome.err)
