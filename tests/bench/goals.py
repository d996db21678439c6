"""The goals of the data plane as ratios of medians of one run, and whether they were reached."""
import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Goal:
    """figure of ours, divided by the same figure of theirs, is at least or at most the bound. theirs "": no division."""
    ours: str
    figure: str
    theirs: str
    at_least: bool
    bound: float

    def text(self):
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.bound:g}" + (f" × {self.theirs}" if self.theirs else "")


GOALS = (
    Goal("vpntun-plain", "tcp", "vxlan", True, 0.6),
    Goal("vpntun-plain", "tcp", "openvpn-none", True, 12),
    Goal("vpntun-plain", "tcp", "wireguard-go-new", True, 5.5),
    Goal("vpntun-wireguard", "tcp", "wireguard-go-new", True, 3),
    Goal("vpntun-plain", "udp", "vxlan", True, 0.9),
    Goal("vpntun-wireguard", "udp", "wireguard-go-new", True, 6),
    Goal("vpntun-plain", "ping", "loop", False, 1.15),
    Goal("vpntun-wireguard", "ping", "loop", False, 1.15),
    Goal("vpntun-plain", "ping_load_p99", "wireguard-go-new", False, 1),
    Goal("vpntun-wireguard", "ping_load_p99", "wireguard-go-new", False, 1),
    Goal("vpntun-plain", "cpu", "wireguard-go-new", False, 0.12),
    Goal("vpntun-wireguard", "cpu", "wireguard-go-new", False, 0.33),
    Goal("vpntun-plain", "rss", "", False, 16),
    Goal("vpntun-wireguard", "rss", "", False, 16),
)


def medians(rounds):
    """{system: {figure: {median, min, max, count}}} of [{system: {figure: value}}]."""
    values = {}
    for one in rounds:
        for system, figures in one.items():
            for figure, value in figures.items():
                values.setdefault(system, {}).setdefault(figure, []).append(value)
    return {system: {figure: {"median": statistics.median(seen), "min": min(seen), "max": max(seen), "count": len(seen)}
                     for figure, seen in figures.items()} for system, figures in values.items()}


def _ratios_of_rounds(goal, rounds):
    """Of the rounds that have both figures: how much a busy moment moves the ratio."""
    found = []
    for one in rounds:
        ours = one.get(goal.ours, {}).get(goal.figure)
        theirs = one.get(goal.theirs, {}).get(goal.figure) if goal.theirs else 1
        if ours is not None and theirs:
            found.append(ours / theirs)
    return found


def judge(goal, middle, rounds):
    """The goal as a record: its words, the ratio (None where a figure is missing), verdict pass, miss or not measured."""
    ours = middle.get(goal.ours, {}).get(goal.figure, {}).get("median")
    theirs = middle.get(goal.theirs, {}).get(goal.figure, {}).get("median") if goal.theirs else 1
    ratio = ours / theirs if ours is not None and theirs else None
    spread = _ratios_of_rounds(goal, rounds)
    verdict = "not measured"
    if ratio is not None:
        verdict = "pass" if (ratio >= goal.bound if goal.at_least else ratio <= goal.bound) else "miss"
    return {"system": goal.ours, "figure": goal.figure, "goal": goal.text(), "ratio": ratio,
            "min": min(spread, default=None), "max": max(spread, default=None), "verdict": verdict}


def judge_all(middle, rounds):
    return [judge(goal, middle, rounds) for goal in GOALS]
