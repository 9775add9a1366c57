from datasets.preparation.progress import Progress


def test_the_time_that_is_left_follows_from_what_is_done() -> None:
    times, said = iter([100.0, 110.0, 120.0]), list[str]()
    progress = Progress(3, said.append, clock=lambda: next(times))
    for name in ("a", "b", "c"):
        progress.finished(name)
    assert said == ["[1/3] a (0:00:20 left)", "[2/3] b (0:00:10 left)", "[3/3] c"]
