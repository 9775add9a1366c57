"""How a run's numbers were made, as sentences that can be pasted into a paper."""

from collections.abc import Iterator

from benchmark.statistics.primary_endpoint import Endpoint, read_endpoint
from benchmark.statistics.question import FEWEST_PATIENTS, FEWEST_SEEDS
from benchmark.study.chains import CHAINS, Chain
from benchmark.study.protocols import protocol_named
from datasets.cohorts.catalog import dataset
from datasets.io.atomic import read_json
from reports.markup.markdown import escape
from reports.model.run_results import Findings

PACKAGES = ("python", "torch", "numpy", "scipy")


def methods_section(findings: Findings) -> str:
    """The paragraphs as Markdown, to be copied."""
    intro = "Made from what the run itself keeps; nothing in it was typed. Check it, cite the cohorts, and paste it."
    paragraphs = [escape(one) for one in methods_paragraphs(findings)]
    return "\n\n".join([findings.heading("Methods, as text for a paper"), intro, *paragraphs])


def methods_paragraphs(findings: Findings) -> list[str]:
    """Plain text: data, detectors, scoring, statistics and computation."""
    endpoint = read_endpoint()
    parts = (_data(findings), _detectors(findings), _scoring(findings), _statistics(endpoint), _computation(findings))
    return [" ".join(part) for part in parts]


def _data(findings: Findings) -> Iterator[str]:
    fit, settings = findings.fits[0], findings.settings
    sequence, healthy = fit.healthy.sequence.upper(), dataset(fit.healthy.dataset)
    counts = {(card.train, card.val) for card in findings.cards.values() if card.healthy == healthy.name}
    sizes = " or ".join(f"{train} to train on and {val} to validate on" for train, val in sorted(counts))
    told = f": {sizes}" if sizes else ""
    yield f"Detectors saw healthy {sequence} scans of {healthy.title} ({healthy.reference}){told}."
    scored = [_cohort(findings, name) for name in findings.cohorts if name not in findings.empty]
    where = "validation cases, the test split being closed" if findings.validation else "test split"
    yield f"Anomaly maps were made and scored ({where}) in {'; '.join(scored)}."
    grid = fit.grid
    low, high = grid.percentiles
    yield (
        f"Volumes were resampled to {grid.spacing:g} mm in a box of {' x '.join(map(str, grid.shape))} voxels around "
        f"the volume's centre; intensities were scaled from percentile {low:g} to {high:g} of the brain to [0, 1]. "
        "Lesion outside the box counts as missed."
    )
    if settings["limit"] is not None:
        yield f"At most {settings['limit']} healthy and as many lesion cases of each split were used."
    flags = sorted({flag for cell in findings.cells for flag in cell.flags})
    if flags:
        yield f"All numbers are flagged: {', '.join(flags)}."


def _cohort(findings: Findings, name: str) -> str:
    """A cohort with how many patients and healthy people were scored, and its reference."""
    spec = dataset(name)
    counts = []
    for boards, noun in ((findings.lesion, "patient"), (findings.scanned, "healthy person")):
        board = boards.get(name)
        if board is not None and board.patients:
            plural = {"patient": "patients", "healthy person": "healthy people"}[noun]
            counts.append(f"{board.patients} {noun if board.patients == 1 else plural}")
    return f"{spec.title} ({', '.join([*counts, spec.reference])})"


def _detectors(findings: Findings) -> Iterator[str]:
    whole = findings.whole
    rivals = [name for name in whole.seeds if name not in whole.floors]
    named = ", ".join(rivals) or "none"
    floors = ", ".join(name for name in whole.seeds if name in whole.floors)
    yield f"Methods: {named}." + (f" Floors, which any method has to beat: {floors}." if floors else "")
    counts = sorted(set(whole.seeds.values()))
    folds = findings.fits[0].folds
    if folds:
        yield f"Each was fitted on {folds} folds of the healthy subjects."
    else:
        seeds = " or ".join(map(str, counts))
        noun = "seed" if counts == [1] else "seeds"
        yield f"Each was fitted under {seeds} training {noun}, each of which redraws the validation cases."
    if whole.labelled:
        yield f"Made of lesion labels and ranked with nothing: {', '.join(whole.labelled)}."
    yield "All hyper-parameters are listed in the resolved configuration."


def _scoring(findings: Findings) -> Iterator[str]:
    chains = [f"{name} ({_chain(CHAINS[name])})" for name in findings.scoring.postprocessing if name in CHAINS]
    yield f"Post-processing: {'; '.join(chains)}."
    protocols = [f"{name}: {protocol_named(name).what}" for name in findings.scoring.protocols]
    yield f"Thresholds: {'; '.join(protocols)}."
    oracles = [name for name in findings.scoring.protocols if protocol_named(name).sees_test_labels]
    if oracles:
        yield f"Thresholds that see test labels ({', '.join(oracles)}) are upper bounds and never ranked."
    yield (
        "AUPRC is step-wise average precision over brain voxels after post-processing, equal scores forming one step. "
        "An empty prediction has Dice 0. The truth itself, sent through each chain, stands beside the methods as the "
        "perfect map."
    )


def _chain(chain: Chain) -> str:
    steps = [
        f"{chain.erosion} in-plane erosions of the brain mask" if chain.erosion else "",
        f"{chain.median} x {chain.median} x {chain.median} median{' within the brain' if chain.within_brain else ''}"
        if chain.median > 1
        else "",
        f"components under {chain.min_voxels} voxels removed" if chain.min_voxels > 1 else "",
        f"components under {chain.min_ml:g} ml removed" if chain.min_ml else "",
    ]
    return ", ".join(filter(None, steps)) or "no step"


def _statistics(endpoint: Endpoint) -> Iterator[str]:
    margins = ", ".join(f"{value:g} {name}" for name, value in endpoint.margins.items())
    yield (
        f"The primary endpoint, fixed beforehand (release {endpoint.release}), is {endpoint.metric} after "
        f"{endpoint.postprocessing} at {endpoint.protocol} on the {endpoint.split} split, unshifted; everything else "
        "is exploratory."
    )
    yield (
        "The patient is the unit: scans of one are averaged first. Of these weights: bootstrap-t intervals and paired "
        "sign-flip tests over patients, corrected by max-T over all pairs of a cohort; of this recipe: patients x "
        "training seeds crossed, ANOVA moments with Satterthwaite's t for intervals, generalised p-values with Holm's "
        f"correction for tests. Two-sided level {endpoint.alpha:g}; equivalence: two one-sided tests within {margins}."
    )
    yield (
        f"Under {FEWEST_PATIENTS} patients, and for a recipe under {FEWEST_SEEDS} seeds, nothing is tested. Ranks are "
        "confidence sets from the corrected pairs."
    )


def _computation(findings: Findings) -> Iterator[str]:
    stored = read_json(findings.run.study)
    path = findings.run.root / "environment.json"
    known = read_json(path) if path.is_file() else {}
    versions = ", ".join(f"{name} {known[name]}" for name in PACKAGES if name in known)
    where = ", ".join(filter(None, [known.get("processor"), known.get("gpu")]))
    yield (
        f"Computed with uadbench {stored['version']}{f' ({versions})' if versions else ''}"
        f"{f' on {where}' if where else ''}, inference in {findings.settings['precision']}."
    )
    digests = {cell.cohort.dataset: cell.cohort.digest for cell in findings.cells}
    yield f"Data digests: {', '.join(f'{name} {digest[:12]}' for name, digest in digests.items())}."
