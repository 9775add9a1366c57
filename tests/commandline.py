"""What tests of the command line share: the program, and the one line of a mistake."""

from collections.abc import Callable

from typer.testing import CliRunner, Result

from benchmark.commands.main import app

Program = Callable[..., Result]
STUDY = ("--methods", "mean-distance", "--datasets", "patients", "--preset", "quick", "--pictures", "")


def call(*arguments: object) -> Result:
    """The program called with `arguments`; whatever is no mistake of the user's is raised."""
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(result: Result) -> str:
    """The one line on stderr of a mistake of the user's."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return str(lines[0])
