"""What was measured and how it is shown: a value of legerd and of the reference in every round, and the goal."""

import dataclasses
import statistics
import typing


class Goal(typing.NamedTuple):
    """What is wanted of the ratio to the reference, or of legerd's value alone. `floor`: no issue may fall below it."""
    wanted: float
    more_is_better: bool
    of_ratio: bool
    floor: float | None = None

    def text(self):
        sign = "≥" if self.more_is_better else "≤"
        floor = "" if self.floor is None else f", floor {self.floor:g}"
        return f"{sign} {self.wanted:g}{floor}"

    def verdict(self, value):
        if self.is_met(value, self.wanted):
            return "reached"
        if self.floor is None:
            return "not reached"
        return "within the floor" if self.is_met(value, self.floor) else "BEYOND THE FLOOR"

    def is_met(self, value, bound):
        return value >= bound if self.more_is_better else value <= bound


@dataclasses.dataclass
class Figure:
    """One line of a report. Values of one round have the same index; `theirs` is empty without a reference."""
    label: str
    unit: str
    ours: list[float]
    theirs: list[float] = dataclasses.field(default_factory=list)
    goal: Goal | None = None

    def ratios(self):
        """Of each round; both values of a round saw the same machine, which those of two rounds may not have."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs) if theirs > 0]

    def judged(self):
        """The number that the goal is about."""
        of_ratio = self.goal is not None and self.goal.of_ratio
        values = self.ratios() if of_ratio else self.ours
        return statistics.median(values) if values else None

    def as_record(self):
        ratios = self.ratios()
        return {
            "label": self.label, "unit": self.unit, "ours": self.ours, "theirs": self.theirs,
            "ratio": statistics.median(ratios) if ratios else None,
            "ratio_min": min(ratios, default=None), "ratio_max": max(ratios, default=None),
            "goal": self.goal.text() if self.goal else None,
            "verdict": self.goal.verdict(self.judged()) if self.goal and self.judged() is not None else None,
        }


def number(value):
    """With a thin count of digits: 12 345, 123, 12.3, 1.23."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def median_text(values):
    return number(statistics.median(values)) if values else "–"


def line_of(figure):
    ratios = figure.ratios()
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else ""
    goal = ""
    if figure.goal and figure.judged() is not None:
        goal = f"{figure.goal.text()}: {figure.goal.verdict(figure.judged())}"
    return (f"  {figure.label:<26}{median_text(figure.ours):>9} {median_text(figure.theirs):>9}  {figure.unit:<12}"
            f"{ratio:<18} {goal}").rstrip()


def show(figures):
    print(f"  {'median of the rounds':<26}{'legerd':>9} {'reference':>9}  {'':<12}{'ratio (min–max)':<18} goal")
    for figure in figures:
        print(line_of(figure), flush=True)
