#!/usr/bin/env python3
"""Makes the file that a Gradescope assignment wants.

    labs/autograder/gradescope/zip.py N [ARCHIVE]   build/handout/gradescope-labN.zip

ARCHIVE is the class archive, made by `make handout LAB=N`. What is graded is that one, so
that it fits what the class has got."""

import pathlib
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent


def add(zip_file: zipfile.ZipFile, name: str, data: bytes, mode: int) -> None:
    """The same files give the same zip."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.external_attr = (0o100000 | mode) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    zip_file.writestr(info, data)


def main(arguments: list[str]) -> int:
    if not arguments or not arguments[0].isdigit():
        print(__doc__)
        return 2
    lab = arguments[0]
    handouts = ROOT / "build" / "handout"
    name = f"raftlab-lab{lab}.tar.gz"
    archive = pathlib.Path(arguments[1]) if len(arguments) > 1 else handouts / name
    if not archive.exists():
        print(f"{archive} is missing: `make handout LAB={lab}` makes it", file=sys.stderr)
        return 2
    out = archive.parent / f"gradescope-lab{lab}.zip"
    with zipfile.ZipFile(out, "w") as zip_file:
        for script in ("setup.sh", "run_autograder"):
            add(zip_file, script, (HERE / script).read_bytes(), 0o755)
        add(zip_file, "lab", f"{lab}\n".encode(), 0o644)
        add(zip_file, name, archive.read_bytes(), 0o644)
    print(f"{out}: {out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
