"""Medians, percentiles and verdicts, from figures that are made up."""
import micro
import pytest
from goals import GOALS, Goal, judge, medians
from measures import FIGURES, LOST_PING, percentile
from report import BEGIN, DOCUMENT, END, figures_table
from systems import SYSTEMS

AT_LEAST = Goal("ours", "tcp", "theirs", True, 3)
AT_MOST = Goal("ours", "cpu", "theirs", False, 0.5)
ALONE = Goal("ours", "rss", "", False, 16)


def rounds(figure, ours, theirs):
    return [{"ours": {figure: one}, "theirs": {figure: other}} for one, other in zip(ours, theirs)]


def verdict(goal, made):
    return judge(goal, medians(made), made)


def test_a_median_comes_with_the_least_and_the_greatest_of_the_rounds():
    made = medians(rounds("tcp", [5, 1, 3], [1, 1, 1]))
    assert made["ours"]["tcp"] == {"median": 3, "min": 1, "max": 5, "count": 3}


@pytest.mark.parametrize("ours, said", [(3.0, "pass"), (2.9, "miss")])
def test_at_least_is_reached_at_the_bound_and_missed_below_it(ours, said):
    assert verdict(AT_LEAST, rounds("tcp", [ours], [1]))["verdict"] == said


@pytest.mark.parametrize("ours, said", [(5, "pass"), (5.1, "miss")])
def test_at_most_is_reached_at_the_bound_and_missed_above_it(ours, said):
    assert verdict(AT_MOST, rounds("cpu", [ours], [10]))["verdict"] == said


@pytest.mark.parametrize("ours, said", [(16, "pass"), (16.1, "miss")])
def test_a_goal_without_another_system_is_about_the_figure_itself(ours, said):
    made = verdict(ALONE, rounds("rss", [ours], [100]))
    assert (made["verdict"], made["ratio"]) == (said, ours)


def test_the_ratio_is_of_medians_and_its_spread_of_rounds():
    made = verdict(AT_LEAST, rounds("tcp", [2, 8, 9], [1, 2, 10]))
    assert made["ratio"] == 4 and made["min"] == 0.9 and made["max"] == 4


def test_a_missing_figure_is_neither_reached_nor_missed():
    made = rounds("tcp", [1], [1])
    del made[0]["theirs"]
    assert verdict(AT_LEAST, made)["verdict"] == "not measured"
    assert verdict(AT_MOST, made)["ratio"] is None


def test_a_round_in_which_a_system_failed_does_not_count_for_it():
    made = rounds("tcp", [3, 3], [1, 1])
    del made[1]["theirs"]["tcp"]
    assert medians(made)["theirs"]["tcp"]["count"] == 1
    assert verdict(AT_LEAST, made)["verdict"] == "pass"


def test_a_percentile_is_a_value_that_was_measured():
    hundred = list(range(1, 101))
    assert [percentile(hundred, share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert percentile([7], 0.99) == 7


def test_two_lost_pings_of_a_hundred_show_in_the_99th_percentile():
    assert percentile([1.0] * 98 + [LOST_PING] * 2, 0.99) == LOST_PING


def test_every_goal_is_about_systems_and_figures_that_there_are():
    for goal in GOALS:
        if goal.ours != micro.NAME:
            assert goal.ours in SYSTEMS and goal.figure in FIGURES and (goal.theirs in SYSTEMS or not goal.theirs)


def test_a_goal_can_be_about_two_figures_of_one_system():
    many = Goal("ours", "many", "ours", False, 2, "few")
    made = [{"ours": {"many": 30, "few": 10}}]
    assert judge(many, medians(made), made)["ratio"] == 3 and many.text() == "≤ 2 × few"


def test_the_table_has_a_dash_where_nothing_was_measured():
    table = figures_table({"medians": medians(rounds("tcp", [1, 2], [3, 3]))}, ["tcp", "cpu"])
    assert [cell.strip() for cell in table.splitlines()[2].split("|")[1:-1]] == ["ours", "1.50 (1.00-2.00)", "-"]


def test_the_document_has_one_place_for_figures():
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    assert text.count(BEGIN) == 1 and text.count(END) == 1 and text.index(BEGIN) < text.index(END)
