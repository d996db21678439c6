"""The rounds: which system is measured when, and what becomes of the figures. Called by run, in its namespaces."""
import contextlib
import sys
import time

import goals
import micro
import provenance
from hosts import MTU, Hosts, check_tunnel
from measures import MEASURES, Turn
from systems import SYSTEMS

KNOWN = {**SYSTEMS, micro.NAME: micro.Parts()}


def pick(known, wanted, what):
    """Of a dictionary, what was asked for by name; else all that is measured without being asked for."""
    if wanted is None:
        return {name: one for name, one in known.items() if not getattr(one, "asked_for", False)}
    names = wanted.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no such {what}: {', '.join(unknown)}; there are {', '.join(known)}")
    return {name: known[name] for name in (names if what == "system" else [name for name in known if name in names])}


class Run:
    """Lets all systems take turns in all rounds, and keeps what they gave."""

    def __init__(self, systems, measures, chosen):
        self.systems, self.measures, self.chosen = systems, measures, chosen
        self.rounds, self.failures = [], []

    def turn(self, system):
        """One system's figures in one round; what fails is told and left out."""
        if system is KNOWN[micro.NAME]:
            return micro.measure(0.05 * self.chosen.seconds)
        figures = {}
        with system.up() as pids:
            check_tunnel()
            turn = Turn(pids, self.chosen.seconds, self.chosen.pings, figures)
            for name, measure in self.measures.items():
                with self.told(f"{system.name}, {name}"):
                    figures.update(measure(turn))
        return figures

    @contextlib.contextmanager
    def told(self, what):
        try:
            yield
        except Exception as error:  # whatever it is: the other figures are still wanted
            lines = str(error).strip().splitlines()
            self.failures.append(f"round {len(self.rounds) + 1}, {what}: {type(error).__name__}: {' '.join(lines[:3])[:400]}")
            print(self.failures[-1], file=sys.stderr)

    def all_rounds(self):
        """Returns the congestion control that TCP had."""
        with Hosts(self.chosen.congestion) as hosts:
            for number in range(self.chosen.rounds):
                gathered = {}
                for system in list(self.systems.values())[::-1 if number % 2 else 1]:
                    start = time.monotonic()
                    with self.told(system.name):
                        gathered[system.name] = self.turn(system)
                        shown = ", ".join(f"{name} {value:.4g}" for name, value in gathered[system.name].items())
                        print(f"round {number + 1}, {system.name}, {time.monotonic() - start:.0f} s: {shown}", file=sys.stderr)
                self.rounds.append({name: gathered[name] for name in self.systems if name in gathered})
            return hosts.congestion()


def measure(chosen):
    """Everything that was chosen on the command line; returns what results.json holds."""
    systems = pick(KNOWN, chosen.systems, "system")
    not_run = {name: system.missing() for name, system in systems.items() if system.missing()}
    systems = {name: system for name, system in systems.items() if name not in not_run}
    results = {"format": 1, "when": provenance.now(), "command": sys.argv, "machine": provenance.machine(),
               "programs": provenance.programs(systems.values()),
               "systems": {name: system.settings for name, system in systems.items()}, "not_run": not_run}
    run = Run(systems, pick(MEASURES, chosen.measures, "measure"), chosen)
    settings = {"rounds": chosen.rounds, "seconds": chosen.seconds, "pings": chosen.pings, "mtu": MTU,
                "congestion": run.all_rounds()}
    middle = goals.medians(run.rounds)
    return {**results, "settings": settings, "failures": run.failures, "rounds": run.rounds, "medians": middle,
            "goals": goals.judge_all(middle, run.rounds)}
