"""Memory has keys in it: where it must not go."""
import re


def test_no_core_is_written(lab):
    lab.client.start("lab")
    for pid in (lab.manager.process.pid, *lab.manager.session_pids()):
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            assert re.search(r"Max core file size +0 +0 ", file.read())
