"""The report's sections of numbers; each is Markdown, "" where it has nothing to show."""

from benchmark.study.protocols import protocol_named
from reports.model.cohort_results import Board
from reports.model.headline import domain, headlines, healthy_protocol, sees_test
from reports.model.ranking import under
from reports.model.run_results import Findings, cohort_title
from reports.sections.healthy_false_positives import alarms_compared
from reports.sections.notes import notes
from reports.sections.secondary_tables import closeness_table, lesion_table
from reports.sections.tables import alarm_table, cut_off_table, dice_table, leaderboard, nan_table

LEGEND = (
    "Numbers are means over patients (a patient's scans first), then over training seeds; (sd) is the spread over "
    "patients. `[a/b]`: over a of b cases, all seeds counted; the others are undefined or missing. `n/a`: undefined. "
    "`-`: missing, not computed. **Bold**: best of its column among the methods, floors included; nothing where the "
    "best is not over all cases. It says nothing of significance. A floor is what any method has to beat. The perfect "
    "map is the truth itself sent through the same chain: what the chain leaves of a flawless answer. It is no method "
    "and takes no part in the order; where lesions are small, a map that is too large can come out ahead of it. "
    "Supervision is the most that a map has seen; what chose its threshold stands under Data cards. Intervals and "
    "ranks are made as in At a glance, under this choice: all but the primary endpoint is exploratory."
)
UPPER = (
    "Upper bound of the pooled Dice, never ranked: this threshold has seen the test labels. The mean over patients "
    "can still be lower than under another threshold."
)


def leaderboards(findings: Findings) -> str:
    if not findings.lesion:
        return ""
    parts = [findings.heading("Leaderboards"), LEGEND]
    for name, board in findings.lesion.items():
        order = "Sorted by AUPRC." if board.testable else "In the order of the study."
        parts += [findings.heading(cohort_title(name), 3), *_caution(board)]
        for first in headlines(findings, board):
            found = under(findings, name, "dice", first.chain, first.protocol)
            parts += [f"{first.why} {order}", leaderboard(board, first.chain, first.protocol, found)]
            parts += filter(None, [lesion_table(board, first.chain, first.protocol)])
    return "\n\n".join(parts)


def dice_matrices(findings: Findings) -> str:
    """Thresholds that see test labels stand apart, and nowhere while the test split is closed."""
    if not findings.lesion:
        return ""
    parts = [findings.heading("Mean Dice by post-processing and threshold")]
    chains, protocols = findings.scoring.postprocessing, findings.scoring.protocols
    deployable, upper = ([name for name in protocols if sees_test(name) is seen] for seen in (False, True))
    for name, board in findings.lesion.items():
        parts += [findings.heading(cohort_title(name), 3), *_caution(board)]
        if deployable:
            parts.append(dice_table(board, chains, deployable, marked=True))
        if upper and not findings.validation:
            parts += [UPPER, dice_table(board, chains, upper, marked=False)]
    return "\n\n".join(parts)


def false_alarms(findings: Findings) -> str:
    protocol = healthy_protocol(findings)
    if not protocol or not findings.scanned:
        return ""
    parts = [
        findings.heading("False alarms in healthy scans"),
        f"Threshold `{protocol}`: {protocol_named(protocol).what}. Everything raised is false.",
        *filter(None, [alarms_compared(findings)]),
    ]
    explained = {
        "in-domain": "in-domain: the cohort that the methods were fitted on",
        "out-of-domain": "out-of-domain: another cohort",
    }
    for name, board in findings.scanned.items():
        where = domain(findings, name)
        parts += [findings.heading(f"{cohort_title(name)}, {explained[where]}", 3), *_caution(board)]
        if findings.validation and where == "in-domain":
            parts.append("These are the scans that the threshold was chosen on: what it aims at is what it gets.")
        table = alarm_table(board, findings.scoring.postprocessing, protocol)
        parts += ["<details><summary>By chain, the unit is the scan</summary>", table, "</details>"]
    return "\n\n".join(parts)


def reconstructions(findings: Findings) -> str:
    tables = {name: closeness_table(board) for name, board in findings.healthy.items()}
    parts = [
        part
        for name, table in tables.items()
        if table
        for part in (findings.heading(cohort_title(name), 3), *_caution(findings.healthy[name]), table)
    ]
    told = "Over the brain, intensities in [0, 1]. Close is no merit by itself: a copy of the input has an l1 of 0."
    return "\n\n".join([findings.heading("Reconstruction of healthy scans"), told, *parts]) if parts else ""


def field_of_view(findings: Findings) -> str:
    if not findings.lesion:
        return ""
    return "\n\n".join(
        [
            findings.heading("Loss by field of view"),
            "Lesion outside the grid's box cannot be found and counts as missed in every number above.",
            cut_off_table(findings.lesion),
        ]
    )


def noted(findings: Findings) -> str:
    undefined = nan_table({**findings.healthy, **findings.lesion})
    return "\n\n".join(
        [
            findings.heading("Notes"),
            "\n".join(f"- {note}" for note in notes(findings)) or "- Every cell is done, every threshold defined.",
            f"Undefined by decision, over all methods, chains and thresholds:\n\n{undefined}" if undefined else "",
        ]
    ).strip()


def _caution(board: Board) -> list[str]:
    return [f"**{board.caution}**"] if board.caution else []
