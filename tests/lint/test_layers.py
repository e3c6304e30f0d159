"""The layer test's own test: small trees, good and bad."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import layers  # noqa: E402 - found by the path above


class Layers(unittest.TestCase):
    def found(self, files):
        """Writes the files into a new tree, with a header in every room, and returns the violations in it."""
        with tempfile.TemporaryDirectory() as root:
            every_room = {f"{room}/x.h": "#pragma once\n" for room in (*layers.ARROWS, *layers.FREE)}
            for path, text in {**every_room, **files}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return layers.violations(root)

    def one(self, path, target):
        return self.found({path: f'#include "{target}"\n'})

    def test_each_pair_of_rooms_is_as_the_table_says(self):
        for here in layers.ARROWS:
            for there in (*layers.ARROWS, *layers.FREE):
                allowed = there == here or there in layers.ARROWS[here]
                with self.subTest(here=here, there=there):
                    self.assertEqual(len(self.one(f"{here}/a.cpp", f"{there}/x.h")), 0 if allowed else 1)

    def test_arrows_that_the_house_forbids(self):
        for here, there in [
            ("backend/base", "backend/store"), ("backend/service", "backend/api"), ("backend/service", "daemon"),
            ("quadlets", "systemd"), ("systemd", "quadlets"), ("quadlets", "backend/store"), ("systemd", "backend/store"),
            ("backend/store", "backend/crypto"), ("backend/crypto", "backend/store"), ("cli", "backend/store"),
            ("cli", "systemd"), ("cli", "backend/service"), ("cli", "daemon"), ("daemon", "cli"), ("backend/api", "daemon"),
        ]:
            with self.subTest(here=here, there=there):
                self.assertEqual(len(self.one(f"{here}/a.h", f"{there}/x.h")), 1)

    def test_tests_may_include_anything_and_nobody_includes_tests(self):
        for there in layers.ARROWS:
            self.assertEqual(self.one("tests/a.cpp", f"{there}/x.h"), [])
        self.assertEqual(len(self.one("backend/base/a.cpp", "tests/x.h")), 1)

    def test_a_violation_names_file_and_line(self):
        found = self.found({"quadlets/a.cpp": '#include <vector>\n\n#include "backend/base/x.h"\n  #  include "systemd/x.h"\n'})
        self.assertEqual(len(found), 1)
        self.assertTrue(found[0].startswith("quadlets/a.cpp:4: "), found[0])

    def test_every_violation_is_reported(self):
        text = '#include "daemon/x.h"\n#include "cli/x.h"\n'
        self.assertEqual(len(self.found({"backend/base/a.h": text, "systemd/a.h": text})), 4)

    def test_an_include_in_a_comment_is_none(self):
        text = '// #include "daemon/x.h"\n/* a\n#include "cli/x.h"\n*/\n#include "daemon/x.h"\n'
        found = self.found({"systemd/a.h": text})
        self.assertEqual([line.split(": ")[0] for line in found], ["systemd/a.h:5"])

    def test_an_include_must_be_written_from_the_root_and_exist(self):
        for target in ("x.h", "../base/x.h", "backend/base/../base/x.h", "/etc/x.h", "backend/base/absent.h", "curl.h"):
            with self.subTest(target=target):
                self.assertEqual(len(self.one("backend/base/a.cpp", target)), 1)

    def test_a_file_in_no_room_is_found(self):
        self.assertEqual(len(self.found({"backend/a.cpp": ""})), 1)
        self.assertEqual(len(self.found({"new_folder/a.cpp": ""})), 1)

    def test_a_folder_with_the_name_of_a_room_as_prefix_is_not_that_room(self):
        self.assertIsNone(layers.room_of("backend/base2/a.h"))
        self.assertIsNone(layers.room_of("systemd_more/a.h"))

    def test_the_program_counts_and_fails(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "cli"))
            with open(os.path.join(root, "cli", "a.cpp"), "w", encoding="utf-8") as file:
                file.write('#include "daemon/a.h"\n')
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                self.assertEqual(layers.main([root]), 1)
            self.assertIn("layers: 1 files, 1 violations", out.getvalue())

    def test_an_empty_tree_is_not_a_success(self):
        with tempfile.TemporaryDirectory() as root, contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(layers.main([root]), 1)


if __name__ == "__main__":
    unittest.main()
