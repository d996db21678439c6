"""The suite runs from end to end and gives what its readers read. Nothing here is about how fast anything is."""
import json
import os
import subprocess

import harness

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")


def results_of(folder, *options):
    environment = dict(os.environ, VPNTUN_WIREGUARD_GO="/nonexistent")  # nothing is fetched
    done = subprocess.run([RUN, "--bin-dir", harness.BIN_DIR, "--rounds", "1", "--seconds", "1", "--pings", "20", "--output",
                           str(folder), *options], capture_output=True, text=True, timeout=1200, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(folder / "results.json", encoding="utf-8") as file:
        return json.load(file), done.stdout


def check_files(folder):
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (folder / "plot.svg").read_text()


def test_every_installed_system_carries_traffic(tmp_path):
    systems = ["veth", "vxlan", "openvpn-none", "openvpn-gcm", "wireguard-go", "loop", "vpntun-plain", "vpntun-wireguard"]
    results, shown = results_of(tmp_path, "--systems", ",".join(systems), "--measures", "ping,tcp,rss")
    assert results["not_run"] == {} and list(results["medians"]) == systems
    for system in systems:
        figures = results["rounds"][0][system]
        of_processes = set() if system in ("veth", "vxlan") else {"cpu", "rss"}
        assert set(figures) == {"ping", "tcp"} | of_processes, system
        assert all(value > 0 for value in figures.values()), figures
        assert f"| {system}" in shown
    verdicts = {(goal["system"], goal["figure"]): goal["verdict"] for goal in results["goals"]}
    assert verdicts["vpntun-plain", "rss"] in ("pass", "miss")
    assert verdicts["vpntun-plain", "udp"] == "not measured"
    assert results["machine"]["kernel"] == os.uname().release
    check_files(tmp_path)


def test_every_measure_gives_its_figures(tmp_path):
    results, shown = results_of(tmp_path, "--systems", "vpntun-wireguard")
    figures = results["medians"]["vpntun-wireguard"]
    assert set(figures) == {"tcp", "tcp4", "reverse", "forward", "cpu", "udp", "udp_clean", "ping", "ping_load_p50",
                            "ping_load_p99", "rss"}
    assert figures["ping_load_p50"]["median"] <= figures["ping_load_p99"]["median"]
    again = subprocess.run([RUN, "--from", str(tmp_path / "results.json"), "--output", str(tmp_path / "again")],
                           capture_output=True, text=True, timeout=60, check=True)
    assert again.stdout == shown
    check_files(tmp_path / "again")


def test_the_parts_are_measured_alone(tmp_path):
    results, shown = results_of(tmp_path, "--systems", "parts")
    parts = results["medians"]["parts"]
    assert {"lookup_v4/1/1", "lookup_v4/1000/1000", "lookup_v4/100000/100000", "checksum/1420", "seal/1420", "open/64",
            "openssl speed/1420"} <= set(parts)
    assert all(part["median"] > 0 for part in parts.values())
    assert [goal["verdict"] for goal in results["goals"] if goal["system"] == "parts"].count("not measured") == 0
    assert "| seal/1420" in shown


def test_a_system_that_is_not_there_is_named_and_the_others_are_measured(tmp_path):
    results, shown = results_of(tmp_path, "--systems", "wireguard-go-new,loop", "--measures", "ping")
    assert list(results["medians"]) == ["loop"]
    assert "Not measured: wireguard-go-new: /nonexistent is not installed" in shown
