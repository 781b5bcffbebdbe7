"""Usage: the page, its table, the exports and the API tell the same numbers."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from llmrack.accounts import people
from llmrack.inference.context import AppContext
from llmrack.keys import authentication
from llmrack.metering.meter import Admission, Meter, Settlement
from server import background
from tests.blueprints.conftest import Post
from tests.support import made
from tests.support.visitor import Visitor, make_person


class Load:
    """Requests of one key at chosen times."""

    def __init__(self, context: AppContext, secret: str) -> None:
        self.context, self.now = context, datetime.now(UTC)
        self.secret = secret
        self.meter = Meter(context.store, clock=lambda: self.now, owner="test")
        self._count = 0

    def use(
        self, at: datetime, prompt: int, completion: int, model: str = "phi-3-mini", outcome: str = "completed"
    ) -> str:
        self.now = at
        self._count += 1
        request_id = f"req_{self.secret[8:20]}{self._count:020x}"
        caller = authentication.resolve(self.context.store, self.context.plans, self.secret, at)
        row = self.context.catalog.get(model)
        assert row is not None
        self.meter.admit(Admission(request_id, caller, "chat", row, prompt, completion, None, True))
        self.meter.settle(request_id, Settlement(outcome, prompt, completion, total_ns=10**9, first_token_ns=10**8))
        return request_id


@pytest.fixture
def load(app: Flask, member: Visitor, context: AppContext, email: str) -> Load:
    business = context.plans.get("business")
    assert business is not None
    made.put_on(context.store, email, business)
    return Load(context, member.key(name="worker", mode="live"))


def table(page: str) -> list[list[str]]:
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    assert body is not None
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_page_table_exports_and_api_agree(app: Flask, member: Visitor, load: Load, context: AppContext) -> None:
    now = datetime.now(UTC)
    for day in range(20):
        for count in range(3):
            model = ("phi-3-mini", "mistral-7b")[count % 2]
            load.use(now - timedelta(days=day, minutes=count), 100 + day, 10 + count, model)
    page = member.get("/dashboard/usage").text
    api = app.test_client().get("/v1/usage", headers={"Authorization": f"Bearer {load.secret}"}).json
    rows = table(page)
    assert sum(int(row[-1].replace(",", "")) for row in rows) == api["total"]["total_tokens"]
    assert len(rows) == len({row["day"] for row in api["data"]})
    exported = json.loads(member.get("/dashboard/usage/export.json").data)
    lines = list(csv.DictReader(io.StringIO(member.get("/dashboard/usage/export.csv").text)))
    assert len(exported) == len(lines) == api["total"]["requests"] == 60
    for name, total in (("charged_prompt_tokens", "prompt_tokens"), ("charged_completion_tokens", "completion_tokens")):
        assert sum(row[name] for row in exported) == sum(int(row[name]) for row in lines) == api["total"][total]
    cost = sum(round(float(row["cost_usd"]) * 10**9) for row in exported)
    assert cost == api["total"]["cost_nanousd"] > 0
    shown = re.search(r"Tokens</p>\s*<p class=\"stat-value\">([\d,]+)", page)
    assert shown is not None
    assert int(shown[1].replace(",", "")) == api["total"]["total_tokens"]


@pytest.mark.parametrize("measure", ["tokens", "requests", "cost"])
@pytest.mark.parametrize("group", ["model", "key"])
@pytest.mark.parametrize("span", ["24h", "7d", "30d", "custom"])
def test_every_view_has_a_chart_and_its_table(member: Visitor, load: Load, measure: str, group: str, span: str) -> None:
    load.use(datetime.now(UTC), 100, 10)
    page = member.get(f"/dashboard/usage?range={span}&measure={measure}&group={group}")
    assert page.status_code == 200
    assert page.text.count('class="hit"') == {"24h": 24, "7d": 7, "30d": 30, "custom": 30}[span]
    assert len(table(page.text)) == 1
    assert "resets at 00:00 UTC, in " in page.text


@pytest.mark.parametrize(
    "query",
    [
        "range=x&mode=y&model=z&key=q&measure=w&group=v", "range=custom&from=x&to=y",
        "range=custom&from=0001-01-01&to=9999-12-31", "range=custom&from=2026-12-01&to=2026-01-01", "key=-1",
        "before=x~y", "before=2026-01-01T00:00:00~", "model=%00", "key=99999999999999999999",
    ],
)  # fmt: skip
def test_nonsense_in_the_address_is_ignored(member: Visitor, query: str) -> None:
    for path in ("", "/requests", "/export.csv", "/export.json"):
        assert member.get(f"/dashboard/usage{path}?{query}").status_code == 200


def test_the_log_turns_its_pages_without_losing_a_request(member: Visitor, load: Load) -> None:
    now = datetime.now(UTC)
    made = {load.use(now - timedelta(seconds=number // 3), 10, 1) for number in range(120)}
    seen, path = [], "/dashboard/usage/requests"
    for _ in range(3):
        page = member.get(path).text
        seen += re.findall(r"/requests/(req_\w+)", page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert path == ""
    assert len(seen) == 120
    assert set(seen) == made


def test_a_receipt_says_what_was_charged_and_why(member: Visitor, load: Load) -> None:
    request_id = load.use(datetime.now(UTC), 100, 10, outcome="upstream_error")
    page = member.get(f"/dashboard/usage/requests/{request_id}").text
    assert "nothing is charged" in page
    assert "0 + 0 tokens" in page


def test_a_name_cannot_become_a_formula_in_a_spreadsheet(member: Visitor, context: AppContext) -> None:
    load = Load(context, member.key(name='=HYPERLINK("http://evil.example")'))
    load.use(datetime.now(UTC), 1, 1)
    line = member.get("/dashboard/usage/export.csv?mode=test").text.splitlines()[1]
    assert "'=HYPERLINK" in line


def test_the_overview_tells_today_and_the_month(member: Visitor, load: Load) -> None:
    load.use(datetime.now(UTC), 1000, 234)
    page = member.get("/dashboard").text
    assert "1,234 <small>of 5,000,000</small>" in page
    assert "Business plan" in page
    assert "worker" in page


def test_a_new_account_is_told_what_to_do_first(member: Visitor) -> None:
    assert "Your first request is two steps away" in member.get("/dashboard").text
    member.key()
    assert "Send the first request" in member.get("/dashboard").text


def test_mails_go_out_at_80_and_100_percent_once_a_day(
    app: Flask, member: Visitor, load: Load, post: Post, email: str, context: AppContext
) -> None:
    free = context.plans.get("free")
    assert free is not None
    made.put_on(context.store, email, free)
    now = datetime.now(UTC)

    def mails() -> list[str]:
        background.send_budget_mails(app, now)
        background.send_budget_mails(app, now)
        return [mail.subject for mail in post.sent if mail.to == email]

    load.use(now, 7000, 900)
    assert mails() == []
    load.use(now, 50, 50)
    background.send_budget_mails(app, now)
    post.last(email, "80%")
    assert len(mails()) == 1
    load.use(now, 1500, 500)
    background.send_budget_mails(app, now)
    assert "10,000 of the 10,000 tokens" in post.last(email, "used up").text
    assert len(mails()) == 2


def test_whoever_switched_the_mails_off_gets_none(
    app: Flask, member: Visitor, load: Load, post: Post, email: str, context: AppContext
) -> None:
    free = context.plans.get("free")
    assert free is not None
    made.put_on(context.store, email, free)
    assert member.post("/dashboard/settings/mails").status_code == 303
    assert people.find(context.store, email) is not None
    load.use(datetime.now(UTC), 9000, 900)
    background.send_budget_mails(app, datetime.now(UTC))
    assert [mail for mail in post.sent if mail.to == email] == []
    member.post("/dashboard/settings/mails", {"budget": "1"})
    assert background.send_budget_mails(app, datetime.now(UTC)) == 1


def refuse(app: Flask, secret: str, **fields: object) -> str:
    body = {"model": "phi-3-mini", "messages": [{"role": "user", "content": "a secret word"}], **fields}
    answer = app.test_client().post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code >= 400
    return answer.headers["x-request-id"]


def test_the_request_log_shows_refusals_with_a_link_to_what_their_code_means(
    app: Flask, member: Visitor, load: Load
) -> None:
    whole = load.use(datetime.now(UTC) - timedelta(minutes=5), 10, 5)
    failed = load.use(datetime.now(UTC) - timedelta(minutes=4), 10, 0, outcome="upstream_error")
    many, unknown = refuse(app, load.secret, n=2), refuse(app, load.secret, model="gpt-4o")
    page = member.get("/dashboard/usage/requests").text
    for request_id in (whole, failed, many, unknown):
        assert request_id in page
    assert page.index(unknown) < page.index(many) < page.index(failed) < page.index(whole)
    assert 'href="/docs/errors#unsupported_value"' in page
    assert 'href="/docs/errors#model_not_found"' in page
    assert "field <code>n</code>" in page
    assert "POST /v1/chat/completions" in page
    assert "secret word" not in page
    ids = re.findall(r'id="([^"]+)"', app.test_client().get("/docs/errors").text)
    assert {"unsupported_value", "model_not_found"} <= set(ids)


def test_the_filter_for_errors_leaves_out_what_succeeded(app: Flask, member: Visitor, load: Load) -> None:
    whole = load.use(datetime.now(UTC) - timedelta(minutes=5), 10, 5)
    failed = load.use(datetime.now(UTC) - timedelta(minutes=4), 10, 0, outcome="upstream_error")
    refused = refuse(app, load.secret, n=2)
    page = member.get("/dashboard/usage/requests?show=errors").text
    assert whole not in page
    assert failed in page
    assert refused in page
    assert '<option value="errors" selected>Errors</option>' in page
    empty = member.get("/dashboard/usage/requests?show=errors&mode=test").text
    assert "No error in this range" in empty


def test_refusals_change_no_export_and_no_total(app: Flask, member: Visitor, load: Load) -> None:
    load.use(datetime.now(UTC) - timedelta(minutes=5), 10, 5)
    pages = ("/dashboard/usage/export.csv", "/dashboard/usage/export.json", "/dashboard/usage")
    before = [member.get(page).text for page in pages]
    refuse(app, load.secret, n=2)
    member.get("/dashboard/usage/requests")
    after = [member.get(page).text for page in pages]
    assert before[:2] == after[:2]
    assert table(before[2]) == table(after[2])


def test_pages_of_the_log_hold_every_request_and_refusal_once(app: Flask, member: Visitor, load: Load) -> None:
    sent = [load.use(datetime.now(UTC) - timedelta(minutes=200 - number), 10, 5) for number in range(70)]
    sent += [refuse(app, load.secret, n=2) for _ in range(45)]
    address, seen = "/dashboard/usage/requests", []
    while address:
        page = member.get(address).text
        seen += re.findall(r"req_\w+(?=</code><|</span></a></td>)", page)
        older = re.search(r'href="([^"]+before=[^"]+)"', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == sorted(sent, key=sent.index, reverse=True)


def test_another_account_sees_nothing_of_it(app: Flask, load: Load) -> None:
    refused = refuse(app, load.secret, n=2)
    other = Visitor(app)
    make_person(app, "stranger@example.com")
    other.sign_in("stranger@example.com")
    assert refused not in other.get("/dashboard/usage/requests").text
    assert refused not in other.get("/dashboard/usage/requests?show=errors").text
