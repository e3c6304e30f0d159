#!/usr/bin/env python3
"""Writes the page's files as C++: `embed.py OUT INDEX FILE...`.

The first file is the index, the others are served as /assets/NAME. All share one version, the hash of all of them:
the index and the modules name the others with `?v=VERSION`, so that a browser may keep them for ever and still takes
them together.
"""

import hashlib
import pathlib
import re
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# How a file names another: in the index by its path, in a module by the line that imports it.
REFERENCE = {
    ".html": re.compile(rb'(?<=")(/assets/[\w.-]+)(?=")'),
    ".js": re.compile(rb"(?<= from ')(\./[\w.-]+)(?=';\n)"),
}


def short_hash(parts):
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def with_version(path, version):
    """The file's bytes, each reference in it with the version."""
    pattern = REFERENCE.get(path.suffix)
    data = path.read_bytes()
    return pattern.sub(rb"\1?v=" + version.encode(), data) if pattern else data


def literal(data):
    """The bytes as a C++ string literal, a line of the file a line of it."""
    lines = data.splitlines(keepends=True) or [b""]
    return "\n".join('      "' + "".join(map(escaped, line)) + '"' for line in lines)


def escaped(byte):
    # Always three octal digits: a shorter escape would take a digit that follows it. A question mark could begin a
    # trigraph.
    plain = 0x20 <= byte < 0x7F and chr(byte) not in '"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"


def page_file(path, version):
    data = with_version(path, version)
    etag = f'R"("{short_hash([data])}")"'
    return f'{{.content_type = "{TYPES[path.suffix]}",\n      .bytes = std::string_view(\n{literal(data)}, {len(data)}),\n      .etag = {etag}}}'


def source(index, assets):
    version = short_hash([part for path in [index, *assets] for part in (path.name.encode(), path.read_bytes())])
    entries = ",\n".join(f'    {{.path = "/assets/{path.name}", .file = {page_file(path, version)}}}' for path in assets)
    return f"""// Written by web/embed.py.
#include <array>

#include "daemon/page.h"

namespace leger {{
namespace {{

constexpr PageFile kIndex{page_file(index, version)};

constexpr std::array<PageAsset, {len(assets)}> kAssets{{{{
{entries}
}}}};

}}  // namespace

const PageFile& page_index() {{ return kIndex; }}
std::span<const PageAsset> page_assets() {{ return kAssets; }}
std::string_view page_version() {{ return "{version}"; }}

}}  // namespace leger
"""


def main(arguments):
    out, index, *assets = map(pathlib.Path, arguments)
    out.write_text(source(index, assets), encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1:])
