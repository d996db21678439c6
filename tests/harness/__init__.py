"""What the black-box tests share: a private bus, the built daemon on it, network namespaces, the state of the host.

Everything is a context manager that takes down what it made, also when the test fails. The tests run inside
tests/harness/isolated, so that even a crash of the test itself leaves nothing on the machine.
"""
import os

BIN_DIR = os.environ.get("VPNTUN_BIN_DIR", "")


def program(name):
    """The path of a built program."""
    path = os.path.join(BIN_DIR, name)
    if not BIN_DIR or not os.access(path, os.X_OK):
        raise RuntimeError(f"{name} is not in VPNTUN_BIN_DIR ({BIN_DIR or 'not set'})")
    return path
