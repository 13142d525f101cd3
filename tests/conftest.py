"""One complete run of the nano configuration, shared by the tests that start from it."""

from __future__ import annotations

import pytest

from tests.workflow.runs import Workdir, nano


@pytest.fixture(scope="session")
def nano_run(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    workdir = Workdir(tmp_path_factory.mktemp("nano"))
    workdir.run(nano())
    return workdir
