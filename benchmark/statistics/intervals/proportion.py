"""exact_interval: of a share, where a few of few and none of many say something too."""


def exact_interval(count: float, n: int, *, alpha: float) -> tuple[float, float]:
    """The (1 - alpha) interval of count / n; it holds the truth at least that often.

    Args:
        count: need not be whole: of people whose values are means over training seeds the sum. Their spread is at
            most that of a yes or no, so that the interval is too wide rather than too narrow.
        n: at least 1.

    References:
        Clopper and Pearson, Biometrika 26 (1934) 404-413.

    Example:
        >>> low, high = exact_interval(0, 30, alpha=0.05)
        >>> low, round(high, 3)
        (0.0, 0.116)
    """
    from scipy.stats import beta

    low = 0.0 if count <= 0 else float(beta.ppf(alpha / 2, count, n - count + 1))
    high = 1.0 if count >= n else float(beta.ppf(1 - alpha / 2, count + 1, n - count))
    return low, high
