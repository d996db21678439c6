"""What programs share that are run by hand: each builds what it uses, and runs itself again where nothing is left behind."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INSIDE = "VPNTUN_INSIDE"


def programs(bin_dir):
    """Where they are: in the folder given, or else built here, optimised."""
    if bin_dir:
        return os.path.abspath(bin_dir)
    environment = dict(os.environ, CCACHE_BASEDIR=ROOT, CCACHE_NOHASHDIR="1")
    for command in (["cmake", "--preset", "bench", "--log-level=WARNING"], ["cmake", "--build", "--preset", "bench"]):
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    return os.path.join(ROOT, "build", "bench", "bin")


def is_inside():
    return os.environ.get(INSIDE) == "yes"


def enter(**environment):
    """Runs this program again, with the same arguments and that environment, in namespaces of its own (isolated)."""
    os.environ.update(environment, **{INSIDE: "yes"})
    isolated = os.path.join(ROOT, "tests", "harness", "isolated")
    sys.stdout.flush()
    os.execv(isolated, [isolated, sys.executable, "-B", *sys.argv])
