"""An account keeps limits and money for all jobs of a run, and forgets neither at a kill."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.ledger import account as module
from vlprm.ledger.account import Account, Entry, Quota, Wait, read_bill

FREE = Quota("free", None, None)


def entered(found: Entry | Wait) -> Entry:
    assert isinstance(found, Entry)
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    return now


def test_requests_are_spread_over_the_minute_and_never_more_than_the_limit(
    clock: list[float],
) -> None:
    account, quota, sent = Account(None, "j"), Quota("a", 12, None), []
    while clock[0] < 1180:
        found = account.enter([quota], 10, 0.0, None)
        if isinstance(found, Wait):
            clock[0] += max(found.seconds, 0.01)
        else:
            sent.append(clock[0])
            account.refused(found.number)
    for start in sent:
        assert sum(start <= at < start + 60 for at in sent) <= 12
        assert sum(start <= at < start + 10 for at in sent) <= 2
    assert len(sent) >= 0.9 * 36


def test_tokens_are_limited_and_the_larger_count_holds(clock: list[float]) -> None:
    account, quota = Account(None, "j"), Quota("a", None, 100)
    first = entered(account.enter([quota], 40, 0.0, None))
    account.answered(first.number, (50, 20), 0.0)  # 70, not 40
    found = account.enter([quota], 40, 0.0, None)
    assert isinstance(found, Wait)
    assert 60 < found.seconds < 62
    assert isinstance(account.enter([quota], 30, 0.0, None), Entry)


def test_the_endpoint_with_the_larger_share_left_is_asked(clock: list[float]) -> None:
    account = Account(None, "j")
    quotas = [Quota("small", 600, None), Quota("large", 1200, None)]
    places = [entered(account.enter(quotas, 1, 0.0, None)).place for _ in range(90)]
    assert places.count(1) == 60


def test_without_limits_calls_under_way_decide() -> None:
    account, quotas = Account(None, "j"), [FREE, Quota("other", None, None)]
    first, second = (entered(account.enter(quotas, 1, 0.0, None)) for _ in range(2))
    assert {first.place, second.place} == {0, 1}
    account.refused(second.number)
    assert entered(account.enter(quotas, 1, 0.0, None)).place == second.place


def test_a_budget_is_never_passed(tmp_path: Path) -> None:
    path = tmp_path / "accounts.sqlite"
    account = Account(path, "j")
    first = entered(account.enter([FREE], 1, 0.6, 1.0))
    refused = account.enter([FREE], 1, 0.6, 1.0)
    assert isinstance(refused, Wait)
    assert math.isinf(refused.seconds)
    account.answered(first.number, (10, 5), 0.1)  # it cost less than was set aside
    second = entered(account.enter([FREE], 1, 0.6, 1.0))
    account.lost(second.number)
    third = entered(account.enter([FREE], 1, 0.3, 1.0))
    account.answered(third.number, None, None)  # nobody says what it cost
    bill = read_bill(path, "j")
    assert (bill.calls, bill.prompt, bill.reply) == (2, 10, 5)
    assert (round(bill.cost, 6), round(bill.lost, 6)) == (0.4, 0.6)
    assert read_bill(path, "another").spent == 0


def test_calls_of_a_process_that_was_killed_count_as_paid(tmp_path: Path) -> None:
    path = tmp_path / "accounts.sqlite"
    process = os.fork()
    if process == 0:
        Account(path, "j").enter([FREE], 1, 0.5, None)
        os._exit(0)
    os.waitpid(process, 0)
    bill = read_bill(path, "j")
    assert (bill.lost, bill.open) == (0.5, 0.0)


def test_two_jobs_share_one_limit(tmp_path: Path) -> None:
    path, quota = tmp_path / "accounts.sqlite", Quota("a", 6, None)
    first, second = Account(path, "j"), Account(path, "k")
    assert isinstance(first.enter([quota], 1, 0.0, None), Entry)
    assert isinstance(second.enter([quota], 1, 0.0, None), Wait)


def test_processes_that_ask_at_once_pass_no_limit(tmp_path: Path) -> None:
    path, quota = tmp_path / "accounts.sqlite", Quota("a", 60, None)
    processes = []
    for _ in range(3):
        processes.append(os.fork())
        if processes[-1] == 0:
            account = Account(path, "j")
            found = [account.enter([quota], 1, 0.0, None) for _ in range(20)]
            os._exit(sum(isinstance(item, Entry) for item in found))
    entered_by = [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in processes]
    assert sum(entered_by) == 10, "a sixth of the minute's"


def test_a_file_that_is_no_account(tmp_path: Path) -> None:
    path = tmp_path / "accounts.sqlite"
    path.write_text("hello " * 300)
    with pytest.raises(UserError, match="the account cannot be kept"):
        Account(path, "j")
    assert read_bill(tmp_path / "none.sqlite", "j").calls == 0
