"""Leger's own clients against the real systemd, the real generator and the real Podman of a host: programs made for it."""

from leger_host import BUILD, ROOT, HostCase, must


class RealParts(HostCase):
    def check(self, program, *arguments):
        self.host.copy(BUILD / program, f"/home/alice/{program.name}")
        outcome = self.host.run("alice", f"./{program.name}", *arguments)
        self.assertEqual(outcome.code, 0, outcome.out + outcome.err)

    def test_units_on_the_users_systemd(self):
        self.check(BUILD / "tests/systemd/units_real_check")

    def test_the_generator_and_podman(self):
        must(self.host.sh("mkdir -p examples"))
        self.host.copy(ROOT / "quadlets/examples", "/home/alice/examples")
        self.check(BUILD / "tests/quadlets/generator_real_check", "examples")

    def test_the_policy_on_units_that_the_generator_makes(self):
        must(self.host.sh("mkdir -p policy"))
        self.host.copy(ROOT / "tests/quadlets/policy", "/home/alice/policy")
        self.check(BUILD / "tests/quadlets/policy_real_check", "policy")
