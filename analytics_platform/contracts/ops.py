"""Contracts of the ledger and the history of rules: what arrived, what was rejected and why, who accepted it."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Instant, Money, Ratio, Text, Whole, column
from analytics_platform.contracts.rules import Rule
from analytics_platform.contracts.table import Days

SET_ASIDE = ["failed", "withdrawn", "erased"]


class PipelineLogs(
    Contract,
    table="ops.pipeline_logs",
    key="batch_id",
    write="batches",
    rules=Rule(
        "rows_conserved",
        "rows_read = rows_accepted + rows_duplicate + rows_quarantined",
        "Every record read ended in exactly one place.",
    ),
):
    """One row per batch that passed the gate: what came, and what became of its records?

    It is the audit log, and the ledger of what was seen.
    For every batch rows_read = rows_accepted + rows_duplicate + rows_quarantined.
    """

    batch_id: Text = column("Stable hash of the source and of the content of the batch.")
    source: Text = column("The source the batch came from, e.g. clickstream.")
    input: Text = column("Name of the file (or of the queue, collection, page) the batch was read from.")
    content_sha256: Text = column("SHA-256 of the raw bytes; the same content is never loaded twice.")
    rows_read: Whole = column("Records in the batch.", ge=0)
    rows_accepted: Whole = column("Records that are now in the cleaned table.", ge=0)
    rows_duplicate: Whole = column("Records that were there already, in this batch or an earlier one.", ge=0)
    rows_quarantined: Whole = column("Records rejected with a reason, kept in ops.quarantine.", ge=0)
    id_reused: Whole = column(
        "Accepted records whose own id another event within a day of theirs had before, in this batch or an earlier "
        "one. Empty for batches that were loaded before it was counted.",
        nullable=True,
        ge=0,
    )
    error_rate: Ratio = column("rows_quarantined / rows_read; 0 for an empty batch.", ge=0.0, le=1.0)
    min_event_date: Day = column("Earliest day (UTC) of an accepted record.", nullable=True)
    max_event_date: Day = column("Latest day (UTC) of an accepted record.", nullable=True)
    drift: Text = column("How the layout differed from the usual one, in words; empty when it did not.", nullable=True)
    arrived_at: Instant = column("When the batch was put into the lake.")
    started_at: Instant = column("When the load began.")
    finished_at: Instant = column("When the load was committed.")
    run_id: Text = column("The run that loaded the batch.")


class SetAside(PipelineLogs, table="ops.set_aside", key=("batch_id",), write="batches", rules=PipelineLogs.table.rules):
    """One row per batch of the lake that is not loaded: did its load fail, and why, or who withdrew it?

    It is loaded again only when asked (`analytics-platform replay`). The figures are those of the load that was
    withdrawn, 0 if the batch was never loaded. A row without source is no batch: it says when a person was erased, who
    did it, and for which days (ops.batch_days), not whom it concerned.
    """

    state: Text = column(
        "failed: nothing of it could be stored. withdrawn: a person took it out. erased: see above.", isin=SET_ASIDE
    )
    reason: Text = column("Why, as a sentence or in the person's words.")
    decided_by: Text = column("Who withdrew it (login name).", nullable=True)
    finished_at: Instant = column("When the batch was set aside.")


class Quarantine(Contract, table="ops.quarantine", key=("batch_id", "position"), write="batches"):
    """One row per rejected record: what was its text, and which rules does it break?"""

    batch_id: Text = column("The batch the record came in.")
    source: Text = column("The source the batch came from.")
    input: Text = column("Name of the file the record was read from.")
    position: Whole = column("Line of the file on which the record starts; the header is line 1.", ge=1)
    raw: Text = column(
        "The original text, whole unless raw_length is given. Bytes that are not UTF-8, and NUL, are written as \\xNN."
    )
    raw_length: Whole = column("Characters of a text that was cut; the lake has all of it.", nullable=True)
    raw_md5: Text = column("MD5 of the whole text, where it was cut.", nullable=True)
    error_reason: Text = column("Every broken rule: `column: rule; column: rule`.")
    event_date: Day = column("Day (UTC) of the event, where its time could be read.", nullable=True)
    neighbour_date: Day = column("Day (UTC) of the accepted record before it in the batch.", nullable=True)
    quarantined_at: Instant = column("When the record was rejected.")
    event_name: Text = column("Name of the event as the record gives it, where it could be read.", nullable=True)


class BatchDays(
    Contract, table="ops.batch_days", key=("batch_id", "event_date"), write="batches", partition="event_date"
):
    """One row per batch and day of events in it: which days did it touch, and how many records were rejected?

    A rejected record whose time cannot be read counts on the day of the accepted record before it in the batch.
    Of a withdrawn batch the days stay, without records.
    """

    batch_id: Text = column("The batch.")
    source: Text = column("The source the batch came from.")
    event_date: Day = column("Day (UTC) of the events.")
    rows_accepted: Whole = column("Records accepted for the day.", ge=0)
    rows_duplicate: Whole = column("Records of the day that were there already.", ge=0)
    rows_quarantined: Whole = column("Records rejected that belong to the day.", ge=0)


class PersonLinks(
    Contract, table="ops.person_links", key=("batch_id", "client_id", "email", "user_id"), write="batches"
):
    """One row per batch and pair of ids in one event, order or customer: which ids belong to one person?

    Persons (cleaned.person_members) are made from them. Of a client or e-mail address that is not there the text is
    empty. That a log of a user knows no client makes no pair.
    """

    batch_id: Text = column("The batch.", random=True)
    client_id: Text = column("The browser or device; empty for an e-mail address.")
    email: Text = column("E-mail address in lower case; empty for a client.")
    user_id: Text = column("The signed-in user, or the shop's customer.")


class Acceptances(Contract, table="ops.acceptances", key="batch_id", write="batches"):
    """One row per batch above the error threshold that a person accepted: who took responsibility, and why?"""

    batch_id: Text = column("The batch.")
    reason: Text = column("Why the batch may pass, in the person's words.")
    accepted_by: Text = column("Who took responsibility (login name).")
    accepted_at: Instant = column("When.")


class RuleResults(
    Contract, table="ops.rule_results", key=("run_id", "table_name", "rule", "checked_at"), write="batches"
):
    """One row per run, table and rule of its contract: how many rows were checked, and how many broke it?

    The history of a rule is `SELECT checked_at, failing FROM ops.rule_results WHERE table_name = … AND rule = …`.
    """

    run_id: Text = column("The Dagster run.")
    table_name: Text = column("The table, as schema.table.")
    rule: Text = column(
        "The rule; for a gate the reason for which it rejects a record. upgrade: all days were to be built then."
    )
    severity: Text = column("error: nothing is published. warn: the rows are published.", isin=["error", "warn"])
    first_day: Day = column("First of the days that were built; empty for a table without days.", nullable=True)
    last_day: Day = column("Last of them.", nullable=True)
    checked: Whole = column("Rows that were checked.", ge=0)
    failing: Whole = column("Rows among them that broke the rule.", ge=0)
    checked_at: Instant = column("When the rows were checked.")


class Orphans(Contract, table="ops.orphans", key="user_id", write="whole"):
    """One row per user that interaction logs name and that is no known customer: how much did they do, and when?

    Their events are kept and counted, and left out of customer metrics until the users API or the
    shop's database tells of the user.
    """

    user_id: Text = column("The user.")
    log_interactions: Whole = column("Interaction logs of the user.", ge=1)
    first_seen_at: Instant = column("First event.")
    last_active_at: Instant = column("Last event.")


FIGURES_AGREE = Rule(
    "figures_agree",
    "left_value = right_value OR reason IS NOT NULL",
    "A figure is the same in every table that says it, or there is a reason. Build these days again.",
    "warn",
)


class CustomerReconciliations(
    Contract,
    table="ops.customer_reconciliations",
    key=("month", "name", "right_table"),
    write="whole",
    rules=FIGURES_AGREE,
):
    """One row per month, figure of customers and table that says it again: do growth, cohorts and scores agree?

    Additive over months, but for customers. Customers and facts are compared by day in ops.reconciliations. What
    someone bought in all is of the month of the first order, or of the last.
    """

    month: Day = column("First day of the month (UTC).")
    name: Text = column("The figure.")
    left_table: Text = column("The rollup that it comes from.")
    left_value: Money = column("Its value there: a count, or an amount (shop currency).")
    right_table: Text = column("The other table, and what of it.")
    right_value: Money = column("Its value there.")
    reason: Text = column("Why they differ by definition; missing where they agree.", nullable=True)


class Reconciliations(
    Contract,
    table="ops.reconciliations",
    key=("date", "name", "right_table"),
    partition="date",
    # An order after midnight is in a session of the day before.
    reads={"star.fact_orders": Days(after=1)},
    rules=FIGURES_AGREE,
):
    """One row per day and pair of tables that say the same: do orders, revenue, refunds, sessions and people agree?

    Additive over days, but for visitors and customers, who are persons. A figure of several names is compared under
    each: revenue of orders on the day of the order, revenue of sessions on the day they start, revenue of lines without
    shipping, tax, discounts and items that could not be read.
    """

    date: Day = column("Day (UTC).")
    name: Text = column("The figure.")
    left_table: Text = column("The fact that it comes from.")
    left_value: Money = column("Its value there: a count, or an amount (shop currency).")
    right_table: Text = column("The other table, and what of it.")
    right_value: Money = column("Its value there.")
    reason: Text = column("Why they differ by definition; missing where they agree.", nullable=True)
