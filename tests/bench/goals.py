"""The goals of the data plane as ratios of medians of one run, and whether they were reached."""
import dataclasses
import statistics

from micro import NAME as PARTS


@dataclasses.dataclass(frozen=True)
class Goal:
    """figure of ours, divided by a figure of theirs, is at least or at most the bound. theirs "": no division."""
    ours: str
    figure: str
    theirs: str
    at_least: bool
    bound: float
    their_figure: str = ""  # the same

    def text(self):
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.bound:g}" + (f" × {self.their_figure or self.theirs}" if self.theirs else "")

    def ratio(self, value):
        """value(system, figure) -> number or None. None where one is missing."""
        ours = value(self.ours, self.figure)
        theirs = value(self.theirs, self.their_figure or self.figure) if self.theirs else 1
        return ours / theirs if ours is not None and theirs else None


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
    Goal(PARTS, "lookup_v4/100000/100000", PARTS, False, 2, "lookup_v4/1000/1000"),
    Goal(PARTS, "lookup_v6/100000/100000", PARTS, False, 2, "lookup_v6/1000/1000"),
    Goal(PARTS, "seal/1420", PARTS, False, 0.9, "openssl speed/1420"),
    Goal(PARTS, "seal/64", PARTS, False, 0.25, "openssl speed/1420"),
    Goal(PARTS, "open/1420", PARTS, False, 0.9, "openssl speed/1420"),
    Goal(PARTS, "open/64", PARTS, False, 0.25, "openssl speed/1420"),
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


def judge(goal, middle, rounds):
    """The goal as a record: its words, the ratio (None where a figure is missing) of medians, the least and the greatest of
    single rounds, which say how much a busy moment moves it, and the verdict: pass, miss or not measured."""
    ratio = goal.ratio(lambda system, figure: middle.get(system, {}).get(figure, {}).get("median"))
    single = [goal.ratio(lambda system, figure, one=one: one.get(system, {}).get(figure)) for one in rounds]
    spread = [value for value in single if value is not None]
    verdict = "not measured"
    if ratio is not None:
        verdict = "pass" if (ratio >= goal.bound if goal.at_least else ratio <= goal.bound) else "miss"
    return {"system": goal.ours, "figure": goal.figure, "goal": goal.text(), "ratio": ratio,
            "min": min(spread, default=None), "max": max(spread, default=None), "verdict": verdict}


def judge_all(middle, rounds):
    return [judge(goal, middle, rounds) for goal in GOALS]
