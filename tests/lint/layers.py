#!/usr/bin/env python3
"""Holds the arrows between the folders: who may include whom.

Reads every `#include "..."` of the C++ files of a tree and prints each include that turns an arrow back, or that
names no file, as `path:line: why`. Includes are written from the root of the tree. `layers.py [ROOT]`, exit 1 on findings.
"""

import os
import re
import sys

# Of each room: the rooms it may include beside itself. A file belongs to the room with the longest matching name.
ARROWS = {
    "backend/base": set(),
    "backend/store": {"backend/base"},
    "backend/crypto": {"backend/base"},
    "backend/tailscale": {"backend/base"},
    "backend/api": {"backend/base"},
    "quadlets": {"backend/base"},
    "systemd": {"backend/base"},
    # The rules know no HTTP: backend/api is not among them.
    "backend/service": {"backend/base", "backend/store", "backend/crypto", "backend/tailscale", "quadlets", "systemd"},
    "daemon": {
        "backend/base", "backend/store", "backend/crypto", "backend/tailscale", "backend/api", "backend/service",
        "quadlets", "systemd",
    },
    "cli": {"backend/base", "backend/api", "backend/tailscale", "quadlets"},
}
# Tests look into every room, and nothing looks into tests.
FREE = ("tests",)
SUFFIXES = (".cpp", ".h", ".hpp", ".cc", ".c")
SKIPPED_FOLDERS = {"build", ".git", "node_modules", "subprojects"}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]*)"')
# A block comment may hold a line that looks like an include.
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def room_of(path):
    """The room of a path written from the root, or None where it is in none."""
    rooms = [room for room in (*ARROWS, *FREE) if path.startswith(room + "/")]
    return max(rooms, key=len) if rooms else None


def sources(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        for name in sorted(files):
            if name.endswith(SUFFIXES):
                yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def includes(text):
    """Yields (line number, path) of each include in quotes."""
    text = BLOCK_COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), text)
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def why_not(root, path, target):
    """Says what is wrong with `path` including `target`, or returns None."""
    here = room_of(path)
    if here in FREE:
        return None
    if os.path.isabs(target) or ".." in target.split("/"):
        return f'"{target}" is not written from the root of the tree'
    there = room_of(target)
    if there is None or not os.path.isfile(os.path.join(root, target)):
        return f'"{target}" is no file of the tree, or not written from its root; a library is included with <>'
    if here == there or there in ARROWS[here]:
        return None
    return f'{here} may not include {there} ("{target}")'


def violations(root):
    """Returns `path:line: why` for all that turns an arrow back in the tree below `root`."""
    found = []
    for path in sources(root):
        if room_of(path) is None:
            found.append(f"{path}:1: in no room of the house")
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        for line, target in includes(text):
            why = why_not(root, path, target)
            if why:
                found.append(f"{path}:{line}: {why}")
    return found


def main(arguments):
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    root = arguments[0] if arguments else os.path.normpath(default)
    found = violations(root)
    for line in found:
        print(line)
    count = sum(1 for _ in sources(root))
    print(f"layers: {count} files, {len(found)} violations")
    if count == 0:
        print("layers: no source file was found, so nothing was held")
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
