"""From a finished run and a claim to a verdict: by intervals, and by p-values corrected for their number."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from dnnlab.errors import unknown
from dnnlab.report.columns import Column
from dnnlab.reproduce.readings import Reader, Reading
from dnnlab.reproduce.reasons import Reason, together
from dnnlab.runner.recipe import Claim
from dnnlab.runner.result import Run
from dnnlab.statistics.comparisons import holm
from dnnlab.statistics.intervals import SIGNIFICANT

HOLDS, HOLDS_IF, REFUTED, NOT_DECIDED = "holds", "holds if …", "refuted", "not decided"
REPORTED, NOT_RUN = "reported", "not run"
COMPUTED, MEASURED, BY_OTHERS = "computed", "measured here", "reported by others"


@dataclass(frozen=True)
class Finding:
    """The result of one condition in one row: ``true`` is `None` where it is left open."""

    reading: Reading
    true: bool | None
    p: float
    """The p-value of what was read against the limit of the condition, corrected for all findings of the claim, of a
    control not corrected; nan where nothing was measured, or the run's own verdict is what counts."""
    why: Reason | None
    """Why it is open; None where it is not."""
    when: str = ""
    """The circumstances of the condition, in words."""

    @property
    def source(self) -> str:
        """Where it comes from: `COMPUTED`, `MEASURED` or `BY_OTHERS`."""
        return BY_OTHERS if self.reading.reported else COMPUTED if self.reading.counted else MEASURED


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, with its reasons."""

    verdict: str
    circumstances: str
    """For *holds if …*: when it holds, when not, and when that is open. For *not decided*: why, and what would decide
    it."""
    findings: tuple[Finding, ...]
    controls: tuple[Finding, ...] = ()
    """What was found of the conditions without which the claim is not tested."""

    @property
    def measured(self) -> str:
        """What was measured, in words: of the conditions, then of the controls."""
        said = dict.fromkeys(finding.reading.measured for finding in self.findings)
        control = dict.fromkeys(f"control: {finding.reading.measured}" for finding in self.controls)
        return "; ".join([*said, *control])

    @property
    def telling(self) -> Finding:
        """The finding that decides: for a refuted claim one that is against it, else the first."""
        against = [finding for finding in self.findings if finding.true is False]
        return against[0] if self.verdict == REFUTED else self.findings[0]

    @property
    def sources(self) -> str:
        """What the verdict rests on: what was computed, measured here or reported by others."""
        decisive = [finding for finding in self.findings if finding.true is not None or finding.reading.reported]
        return " and ".join(dict.fromkeys(finding.source for finding in decisive))

    @property
    def p(self) -> float:
        """The p-value of the verdict: the chance that it says what is not so is at most that, where all that was
        measured decides. The largest of the findings that it rests on. For a refuted claim it is the smallest of those
        against it, and where each condition says ``when`` the largest of the smallest of each, since all are
        contradicted. It is not less than that of any control; nan where nothing was measured."""
        known = [finding for finding in self.findings if finding.p == finding.p]
        if self.verdict == REFUTED:
            against: dict[str, float] = {}
            for finding in known:
                if finding.true is False:
                    against[finding.when] = min(finding.p, against.get(finding.when, 1.0))
            decisive = max if all(finding.when for finding in self.findings) else min
            rests = [decisive(against.values(), default=math.nan)]
        else:
            rests = [f.p for f in known if f.true is not None or self.verdict != HOLDS_IF]
        ps = [p for p in (*rests, *(control.p for control in self.controls)) if p == p]
        return max(ps, default=math.nan)


def check(claim: Claim, columns: Sequence[Column]) -> None:
    """Check that the columns of ``claim`` are in the summary, before anything is measured.

    Raises:
        UsageError: it does not.
    """
    names = [column.name for column in columns]
    for condition in (*claim.holds, *claim.control):
        other = condition.level if isinstance(condition.level, dict) else {}
        for name in (condition.metric, *condition.where, *other):
            if name not in names:
                raise unknown("column in [[claim.holds]]", name, names)


def judge(run: Run, claim: Claim) -> Judgement:
    """Decide ``claim`` on ``run``.

    What is measured decides a condition in a row where its p-value against the limit of the condition is below .05,
    corrected for all that the claim measures (Holm). A condition that is true in all of its rows is met, one that is
    false in any is not; conditions that say the same ``when`` are one. All are met: holds. Some are, and each says when
    it is looked at: holds if. One is not, or where each says when, none is: refuted. Else it is open; where nothing but
    what others reported is, and that is in favour, it is reported. Whatever the conditions say, nothing is decided
    where a control of the claim is not met. Controls can only hold a verdict back, so that they are not among what is
    corrected.

    Raises:
        DnnlabError: a condition names a row that the run does not have.
    """
    reader = Reader(run, (*claim.holds, *claim.control))
    controls = tuple(_found(each, each.p) for control in claim.control for each in reader.readings(control))
    judgement = dataclasses.replace(_judged(reader, claim), controls=controls)
    unmet = dict.fromkeys(_unmet(control) for control in controls if control.true is not True)
    return dataclasses.replace(judgement, verdict=NOT_DECIDED, circumstances="; ".join(unmet)) if unmet else judgement


def _unmet(control: Finding) -> str:
    """Why a control keeps a claim from being decided."""
    said = f"the control does not show what it must: {control.reading.measured}"
    return f"{said}; {control.why}" if control.why else said


def _judged(reader: Reader, claim: Claim) -> Judgement:
    """The verdict by the conditions alone."""
    read = [(condition, reader.readings(condition)) for condition in claim.holds]
    every = [reading for _, readings in read for reading in readings]
    found = iter([_found(reading, p) for reading, p in zip(every, holm([reading.p for reading in every]), strict=True)])
    findings: list[Finding] = []
    truths: dict[str, list[bool | None]] = {}
    for condition, readings in read:
        here = [dataclasses.replace(next(found), when=condition.when) for _ in readings]
        findings += here
        truths.setdefault(condition.when, []).extend(finding.true for finding in here)
    outcomes = {when: False if False in each else None if None in each else True for when, each in truths.items()}
    if all(outcomes.values()):
        return Judgement(HOLDS, "", tuple(findings))
    said = [f"{'holds' if met else 'open' if met is None else 'not'} {when}" for when, met in outcomes.items()]
    if True in outcomes.values() and "" not in outcomes:
        return Judgement(HOLDS_IF, "; ".join(said), tuple(findings))
    # Where each says when, it may still hold in the circumstances that are open.
    if False in outcomes.values() and ("" in outcomes or None not in outcomes.values()):
        return Judgement(REFUTED, "", tuple(findings))
    open_ = [finding for finding in findings if finding.true is None]
    reasons = together([finding.why for finding in open_ if finding.why])
    if False in outcomes.values():
        return Judgement(NOT_DECIDED, "; ".join([*said, *reasons]), tuple(findings))
    if all(finding.reading.reported and finding.reading.side for finding in open_):
        return Judgement(REPORTED, "others measured it, this run did not", tuple(findings))
    return Judgement(NOT_DECIDED, "; ".join(reasons), tuple(findings))


def _found(reading: Reading, p: float) -> Finding:
    if reading.reported:
        says = "in favour" if reading.side else "against it"
        return Finding(reading, None, p, Reason(f"what others reported is {says}, and decides nothing by itself"))
    if reading.open:
        return Finding(reading, None, p, Reason(reading.open))
    if p < SIGNIFICANT or reading.undecided is None:
        return Finding(reading, reading.side, p, None)
    return Finding(reading, None, p, reading.undecided.at(p))
