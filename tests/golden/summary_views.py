"""Lines of `summary.csv` as the tables that the values were recorded from, when each kind of line had its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from public_names import Line

from datasets.simulation.implants import host_cohort

UNIVERSE = ("dataset", "metric", "postprocessing", "protocol", "normalisation", "seed")
ABLATION = ("dataset", "split", "postprocessing", "method")
MATCHED, RETUNED, NO_INTERVAL = "+match", "@shifted", "no interval"
STANDINGS = (
    "dataset", "split", "metric", "postprocessing", "protocol", "endpoint", "endpoints", "decides", "unranked",
    "question", "method", "n", "left_out", "scans", "seeds", "planned", "mean", "low", "high", "level", "interval",
    "why_none", "coverage", "rank_low", "rank_high", "rank_level", "rivals",
)  # fmt: skip
HEALTHY = (
    "dataset", "split", "domain", "postprocessing", "protocol", "metric", "method", "n", "scans", "seeds", "mean",
    "low", "high", "level",
)  # fmt: skip
SUBGROUPS = (
    "dataset", "split", "attribute", "group", "metric", "postprocessing", "protocol", "method", "n", "seeds", "mean",
    "low", "high", "level",
)  # fmt: skip
AREAS = (
    "dataset", "split", "shift", "side", "arm", "metric", "postprocessing", "protocol", "method", "n", "seeds",
    "levels", "dose", "mean", "unshifted", "change", "low", "high", "level",
)  # fmt: skip


def standings(lines: Sequence[Line]) -> Iterator[Line]:
    for line in lines:
        if line["order"] != "0":
            failed = line["interval"].startswith(NO_INTERVAL)
            why = line["interval"].removeprefix(NO_INTERVAL).removeprefix(": ") if failed else ""
            ranks = {name: line[name].removesuffix(".0") for name in ("rank_low", "rank_high")}
            yield _recorded(STANDINGS, line, **ranks, decides=str(int(line["order"] == "1")), why_none=why,
                            interval="" if failed else line["interval"])  # fmt: skip


def healthy(lines: Sequence[Line]) -> Iterator[Line]:
    for line in lines:
        if line["cases"] == "healthy" and line["question"] and not line["group"]:
            home = host_cohort(line["dataset"]) == line["healthy"]
            yield _recorded(HEALTHY, line, domain="in-domain" if home else "out-of-domain")


def subgroups(lines: Sequence[Line]) -> Iterator[Line]:
    for line in lines:
        attribute, found, group = line["group"].partition("=")
        if line["kind"] == "mean" and found:
            yield _recorded(SUBGROUPS, line, attribute=attribute, group=group)


def areas(lines: Sequence[Line]) -> Iterator[Line]:
    key = ("dataset", "metric", "postprocessing", "protocol", "shift", "group", "method")
    found = {tuple(line[name] for name in key): line["mean"] for line in lines if line["kind"] == "area"}
    for line in lines:
        if line["kind"] == "area change":
            mean = found[tuple(line[name] for name in key)]
            arm = "matched" if line["shift"].endswith(MATCHED) else "frozen"
            yield _recorded(
                AREAS, line, arm="re-tuned" if line["protocol"].endswith(RETUNED) else arm,
                shift=line["shift"].removesuffix(MATCHED), protocol=line["protocol"].removesuffix(RETUNED),
                side=line["group"], levels=str(_levels(lines, line)), mean=mean, change=line["mean"],
                unshifted=repr(float(mean) - float(line["mean"])),
            )  # fmt: skip


def multiverse(lines: Sequence[Line]) -> Iterator[Line]:
    universes: dict[tuple[str, ...], dict[str, str]] = {}
    taus = {}
    for line in lines:
        scaled = line["grid"].rpartition(", ")[2]
        seed = line["group"].removeprefix("seed ") or "mean"
        place = (*(line[name] for name in ("dataset", "metric", "postprocessing", "protocol")), scaled, seed)
        if line["kind"] == "universe":
            universes.setdefault(place, {})[line["method"]] = line["mean"]
        elif line["kind"] == "universe tau":
            taus[place] = f"{float(line['mean']):.4f}" if line["mean"] else ""
    for place, means in universes.items():
        best = max(map(float, means.values()))
        first = " ".join(method for method, mean in means.items() if float(mean) == best)
        named = zip(UNIVERSE, place, strict=True)
        yield {**dict(named), "tau": taus[place], "first": first, **means}


def ablation(lines: Sequence[Line]) -> Iterator[Line]:
    own = [line for line in lines if line["kind"] == "ablation"]
    groups = list(dict.fromkeys(line["group"] for line in own if line["method"]))
    outside = {line["postprocessing"]: line["mean"] for line in own if not line["method"]}
    for place in dict.fromkeys(tuple(line[name] for name in ABLATION) for line in own if line["method"]):
        mine = {line["group"]: line for line in own if tuple(line[name] for name in ABLATION) == place}
        means = {group: mine[group]["mean"] if group in mine else "" for group in groups}
        patients = str(max(int(line["n"]) + int(line["left_out"]) for line in mine.values()))
        named = zip(("dataset", "split", "chain", "method"), place, strict=True)
        yield {**dict(named), **means, "patients": patients, "outside the box": outside[place[2]]}


def calibration(lines: Sequence[Line]) -> Iterator[Line]:
    """A fit's lines come together: its threshold, what that promises, then cohort by cohort, each from `alarm` on."""
    start: Line = {}
    power: dict[str, Line] = {}
    for line in (line for line in lines if line["kind"] == "calibration"):
        alpha, _, site = line["protocol"].removeprefix("conformal-").partition(":")
        if power and line["metric"] in ("threshold", "alarm"):
            yield {**start, **_power(power)}
            power = {}
        if line["metric"] == "threshold":
            start = {"method": line["method"], "seed": line["group"].removeprefix("seed "),
                     "postprocessing": line["postprocessing"], "alpha": alpha, "scans": line["n"],
                     "rank": "", "guaranteed": "", "threshold": line["mean"]}  # fmt: skip
        elif line["dataset"] == site:
            scans = int(start["scans"])
            start |= {"rank": str(round((scans + 1) * (1 - float(line["mean"])))), "guaranteed": line["mean"]}
        else:
            power[line["metric"]] = line
    if power:
        yield {**start, **_power(power)}


def _power(told: Mapping[str, Line]) -> Line:
    alarm, hit = told["alarm"], told.get("hit")
    counts = {"dataset": alarm["dataset"], "people": alarm["n"], "with_lesion": hit["n"] if hit else "0",
              "alarmed": _counted(alarm), "hit": _counted(hit) if hit else "0"}  # fmt: skip
    shares = {name: told[name]["mean"] if name in told else "" for name in ("dice", "recall", "voxel_recall")}
    return {**counts, **shares}


def _counted(line: Line) -> str:
    return str(round(float(line["mean"]) * int(line["n"])))


VIEWS: Mapping[str, Callable[[Sequence[Line]], Iterator[Line]]] = {
    "standings": standings, "alarms": healthy, "groups": subgroups, "areas": areas,
}  # fmt: skip


def _levels(lines: Sequence[Line], area: Line) -> int:
    """How many levels of a shift lie on the side of an area."""
    where = ("dataset", "metric", "postprocessing", "protocol", "shift", "method")
    levels = [
        float(line["severity"]) for line in lines
        if line["kind"] == "mean" and line["severity"] and all(line[name] == area[name] for name in where)
    ]  # fmt: skip
    sides = {"": levels, "below": [one for one in levels if one < 1], "above": [one for one in levels if one > 1]}
    return len(sides[area["group"]])


def _recorded(columns: Sequence[str], line: Line, **changed: str) -> Line:
    return {name: {**line, **changed}[name] for name in columns}
