"""Bundles to upload, made in memory."""

import gzip
import io
import json
import random
import tarfile

PACKED_MOST = 16 << 20  # bytes that a bundle may have
FILE_MOST = 4 << 20     # bytes of one file in it


def bundle(name, *, lot=0, size=0):
    """A good bundle of the app `name`, with `size` bytes that cannot be compressed; another `lot`, other bytes."""
    image = f"localhost/{name}:{lot}"
    files = {f"{name}.container": f"[Container]\nImage={image}\n".encode()}
    noise = random.Random(f"{name} {lot}")
    for start in range(0, size, FILE_MOST):
        files[f"data/part-{start // FILE_MOST}.bin"] = noise.randbytes(min(FILE_MOST, size - start))
    manifest = {"version": 1, "deployment_name": name, "created_at": "2026-11-22T04:05:06Z", "files": list(files),
                "services": [{"name": name, "type": "container", "image": image}], "secrets_required": []}
    return pack({"manifest.json": json.dumps(manifest).encode(), **files})


def pack(files):
    """A .tar.gz of {path: bytes}."""
    packed = io.BytesIO()
    # The quickest level: what matters here is noise, which no level makes smaller.
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path, content in files.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def largest_bundle(name, lot=0):
    """One of nearly the most bytes that a bundle may have."""
    return bundle(name, lot=lot, size=PACKED_MOST - (64 << 10))
