#!/usr/bin/python3
"""prepare.py RELEASE...: makes what the system tests boot, where it is missing: trees, packages, an installed system.

Reaches the Debian mirror, so it runs outside of the tests' own network; ctest runs it before them. Needs root.
"""
import os
import subprocess
import sys

import packages
import tree

APART = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def main():
    if os.geteuid() != 0:
        sys.exit("The system tests need root: they boot Debian with systemd in containers.")
    if os.environ.get("VPNTUN_PREPARE") != "apart":
        # Whatever happens, no mount and no process is left.
        os.environ["VPNTUN_PREPARE"] = "apart"
        os.execvp(APART[0], [*APART, sys.executable, "-B", *sys.argv])
    for release in sys.argv[1:] or tree.RELEASES:
        print(packages.installed_layer(release))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as failure:
        sys.exit(str(failure))
