"""The test host itself: that it boots, runs commands, keeps its disk, and leaves nothing behind."""

import glob
import os
import subprocess
import tempfile
import time
import unittest

from leger_host import SCRIPT, Host, HostCase, call, end, must, wait_until


def processes_with(text):
    """Numbers of the processes of this machine whose command line holds a text."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                words = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in words and str(os.getpid()) not in path:
            found.append((path, words))
    return found


def mounts_with(text):
    with open("/proc/self/mounts", encoding="utf-8") as file:
        return [line for line in file if text in line]


def cgroup_of(folder):
    with open("/proc/self/mounts", encoding="utf-8") as file:
        roots = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
    about = os.stat(folder)
    return f"{roots[0]}/leger-host-{about.st_dev}-{about.st_ino}"


class Running(HostCase):
    host_type = Host

    def test_systemd_is_pid_1_and_no_unit_failed(self):
        self.assertEqual(must(self.host.run("root", "cat", "/proc/1/comm")), "systemd\n")
        self.assertEqual(must(self.host.run("root", "systemctl", "--failed", "--no-legend")), "")

    def test_a_user_is_made_with_a_manager_that_lingers(self):
        self.assertEqual(must(self.host.run("bob", "id", "-un")), "bob\n")
        self.assertEqual(must(self.host.run("bob", "systemctl", "--user", "is-active", "default.target")), "active\n")
        self.assertEqual(must(self.host.run("root", "loginctl", "show-user", "bob", "-P", "Linger")), "yes\n")

    def test_the_environment_is_that_of_a_login(self):
        uid = must(self.host.run("bob", "id", "-u")).strip()
        lines = must(self.host.run("bob", "env")).splitlines()
        for line in ("HOME=/home/bob", "USER=bob", f"XDG_RUNTIME_DIR=/run/user/{uid}",
                     f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus"):
            self.assertIn(line, lines)
        self.assertEqual(must(self.host.run("bob", "pwd")), "/home/bob\n")
        self.assertEqual(must(self.host.run("root", "sh", "-c", "echo $HOME; pwd")), "/root\n/root\n")

    def test_a_command_is_in_a_cgroup_of_the_host(self):
        self.assertNotIn("..", must(self.host.run("bob", "cat", "/proc/self/cgroup")))

    def test_exit_codes_pass(self):
        for code in (0, 1, 2, 77):
            self.assertEqual(self.host.run("bob", "sh", "-c", f"exit {code}").code, code)
        self.assertEqual(self.host.run("bob", "no-such-command").code, 127)

    def test_input_and_both_outputs_pass_unchanged(self):
        outcome = self.host.run("bob", "sh", "-c", "cat; echo e >&2", stdin="a\0b\nno newline")
        self.assertEqual((outcome.out, outcome.err), ("a\0b\nno newline", "e\n"))

    def test_arguments_pass_unchanged(self):
        words = ["a b", "", "$HOME", "*", "'", '"', "\\"]
        self.assertEqual(must(self.host.run("bob", "printf", "%s|", *words)), "".join(word + "|" for word in words))

    def test_a_file_and_a_folder_are_copied_to_a_path_and_get_the_owner_of_its_folder(self):
        must(self.host.run("bob", "true"))
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/in")
            for path in ("tool", "in/x"):
                with open(f"{folder}/{path}", "w", encoding="utf-8") as file:
                    file.write(path)
            os.chmod(f"{folder}/tool", 0o755)
            self.host.copy(f"{folder}/tool", "/usr/local/bin/tool2")
            self.host.copy(f"{folder}/in", "/home/bob/out")
        self.assertEqual(must(self.host.run("bob", "stat", "-c", "%a %U", "/usr/local/bin/tool2")), "755 root\n")
        self.assertEqual(must(self.host.run("bob", "sh", "-c", "cat out/x; stat -c ' %U' out/x")), "in/x bob\n")

    def test_what_is_not_there_is_not_copied(self):
        outcome = call(*SCRIPT, "copy", self.host.folder, "/no/such/file", "/tmp/x")
        self.assertEqual(outcome.code, 1)
        self.assertIn("/no/such/file", outcome.err)

    def test_a_running_host_is_not_booted_twice(self):
        outcome = call(*SCRIPT, "boot", self.host.base, self.host.folder)
        self.assertEqual(outcome.code, 1)
        self.assertIn("already running", outcome.err)
        self.assertEqual(self.host.run("root", "true").code, 0)

    def test_the_kernel_settings_of_this_machine_are_out_of_reach(self):
        self.assertNotEqual(self.host.run("root", "sh", "-c", "echo 1 >/proc/sys/vm/swappiness").code, 0)

    def test_the_command_ends_with_its_caller(self):
        def runs():
            return self.host.run("bob", "pgrep", "-x", "-f", "sleep 4242").code == 0

        def wait_until(condition):
            deadline = time.monotonic() + 20
            while not condition() and time.monotonic() < deadline:
                time.sleep(0.1)

        process = subprocess.Popen([*SCRIPT, "run", str(self.host.folder), "bob", "sleep", "4242"])
        wait_until(runs)
        self.assertTrue(runs())
        end(process)
        process.wait(20)
        wait_until(lambda: not runs())
        self.assertFalse(runs())


class Rebooting(HostCase):
    host_type = Host

    def keeps(self, how):
        host = self.host
        self.assertEqual(host.run("bob", "sh", "-c", f"echo {how} >kept; echo x >/tmp/gone; sync").code, 0)
        self.assertEqual(host.run("root", "sh", "-c", f"echo {how} >/etc/kept").code, 0)
        before = must(host.run("root", "cat", "/proc/sys/kernel/random/boot_id"))
        getattr(host, how)()
        off = host.run("root", "true")
        self.assertEqual(off.code, 1)
        self.assertIn("not running", off.err)
        host.boot()
        self.assertEqual(must(host.run("bob", "cat", "/home/bob/kept", "/etc/kept")), f"{how}\n{how}\n")
        self.assertNotEqual(host.run("root", "test", "-e", "/tmp/gone").code, 0)
        self.assertNotEqual(must(host.run("root", "cat", "/proc/sys/kernel/random/boot_id")), before)

    def test_the_disk_outlives_a_shutdown(self):
        self.keeps("off")

    def test_the_disk_outlives_a_power_cut(self):
        self.keeps("cut")

    def test_a_lingering_users_units_come_back(self):
        unit = "[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=default.target\\n"
        must(self.host.run("bob", "sh", "-c", f"mkdir -p .config/systemd/user && printf '{unit}' >.config/systemd/user/s.service"))
        must(self.host.run("bob", "systemctl", "--user", "enable", "-q", "--now", "s.service"))
        self.host.cut()
        self.host.boot()
        must(self.host.run("bob", "sh", "-c", "for i in $(seq 100); do systemctl --user is-active -q s && exit 0; sleep 0.1; done; exit 1"))


class Leaving(unittest.TestCase):
    def test_remove_leaves_no_process_mount_cgroup_or_folder(self):
        host = Host()
        folder, cgroup = str(host.folder), cgroup_of(host.folder)
        try:
            must(host.run("bob", "true"))
            self.assertTrue(os.path.isdir(cgroup), cgroup)
            self.assertTrue(processes_with(folder))
        finally:
            host.close()
        self.assertEqual(processes_with(folder), [])
        self.assertEqual(mounts_with(folder), [])
        self.assertFalse(os.path.exists(cgroup))
        self.assertFalse(os.path.exists(folder))
        host.close()

    def test_an_interrupted_boot_leaves_no_process(self):
        host = Host()
        folder, cgroup = str(host.folder), cgroup_of(host.folder)
        self.addCleanup(host.close)
        for wait in (0.05, 0.3):
            host.cut()
            process = subprocess.Popen([*SCRIPT, "boot", str(host.base), folder], stderr=subprocess.DEVNULL)
            time.sleep(wait)
            end(process)
            self.assertNotEqual(process.wait(60), 0)
            # sudo may be gone a moment before what it ran.
            wait_until(lambda: not processes_with(folder) and not os.path.exists(cgroup), limit=60)
        host.boot()
        self.assertEqual(host.run("root", "true").code, 0)

    def test_a_stale_pid_file_kills_nobody(self):
        host = Host()
        self.addCleanup(host.close)
        host.cut()
        sleeper = subprocess.Popen(["sleep", "60"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        # As after a reboot of this machine, where another process has the number.
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            boot = file.read().strip()
        content = f"{sleeper.pid} 12345 {boot}\n"
        if os.geteuid() == 0:
            with open(host.folder / "pid", "w", encoding="utf-8") as file:
                file.write(content)
        else:
            subprocess.run(["sudo", "tee", str(host.folder / "pid")], input=content, text=True, stdout=subprocess.DEVNULL, check=True)
        host.cut()
        self.assertIsNone(sleeper.poll())

    def test_what_is_no_host_is_not_removed(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/precious", "w", encoding="utf-8"):
                pass
            outcome = call(*SCRIPT, "remove", folder)
            self.assertEqual(outcome.code, 1)
            self.assertTrue(os.path.exists(f"{folder}/precious"))

    def test_a_base_that_is_none_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            outcome = call(*SCRIPT, "boot", f"{folder}/base", f"{folder}/host")
            self.assertEqual(outcome.code, 1)
            self.assertIn("create", outcome.err)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
