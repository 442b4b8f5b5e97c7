"""With CI set, a test may only be skipped for one of the reasons listed here."""

import os

import pytest

# An admitted reason begins with one of these
ADMITTED = ("there is no GPU", "Detectron2", "the shared data", "signals of POSIX", "/proc is only")


@pytest.fixture(autouse=True)
def no_waits_for_the_disk(monkeypatch):
    "No power is cut here; processes that a test starts wait as usual"
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def skip_reasons(reporter):
    "Why tests were skipped"
    skipped = reporter.stats.get("skipped", [])
    return {report.longrepr[2].removeprefix("Skipped: ") for report in skipped}


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    for reason in sorted(skip_reasons(reporter)):
        if not reason.startswith(ADMITTED):
            reporter.write_line(f"\nCI does not admit this skip: {reason}", red=True)
            session.exitstatus = 1
