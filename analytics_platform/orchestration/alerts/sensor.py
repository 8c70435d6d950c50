"""The sensor that tells people what failed: it reads the event log, asks incidents.py, and sends.

Its cursor holds how far it has read, what goes on, and what could not be sent yet. A message is told at least once: if
the process dies between sending and keeping the cursor, it is sent again. Sending never fails a tick, let alone a run.
"""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from itertools import chain

import dagster as dg
from pydantic import BaseModel, SecretStr, ValidationError

from analytics_platform.catalog import CONTRACTS
from analytics_platform.orchestration.alerts.delivery import DeliveryError, mail, post
from analytics_platform.orchestration.alerts.incidents import Incident, Message, update_incidents
from analytics_platform.orchestration.alerts.messages import Written, to_slack, to_text, write
from analytics_platform.orchestration.alerts.runs_ended import ended_runs
from analytics_platform.orchestration.assets.tables import is_daily
from analytics_platform.settings import Settings, masked

FIRST_LOOK = dt.timedelta(hours=1)
"""Without a cursor, runs that ended in the last hour raise alerts; older ones do not."""

LONGEST_WAIT = dt.timedelta(hours=1)
"""A message that was refused is sent again at the next tick, then after twice as long each time, up to this."""

SENDING_SECONDS = 30.0
"""No further message is sent in a tick after this; Dagster gives a tick 60 seconds."""

MOST_WAITING = 200
"""More messages do not wait: the oldest are dropped, and the log says so."""

WEBHOOK, EMAIL = "webhook", "e-mail"


class Letter(BaseModel):
    """A message on its way to one receiver."""

    receiver: str
    written: Written
    refusals: int = 0
    not_before: dt.datetime


class State(BaseModel):
    """The cursor."""

    after: int | None = None
    since: dt.datetime
    incidents: dict[str, Incident] = {}
    letters: list[Letter] = []


def alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """Sends one message for what fails, and one when it is resolved. Runs from the start if it has a receiver."""
    receivers = _receivers(settings)
    wanted = settings.automation or bool(receivers)

    @dg.sensor(
        name="alerts",
        description="Tells ALERT_WEBHOOK_URL and ALERT_EMAIL what failed, and when it is resolved.",
        minimum_interval_seconds=settings.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if wanted else dg.DefaultSensorStatus.STOPPED,
    )
    def tell(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not receivers:
            return dg.SensorResult(skip_reason="neither ALERT_WEBHOOK_URL nor ALERT_EMAIL is set: nobody to tell")
        now = dt.datetime.now(dt.UTC)
        state = _read_state(context, now)
        runs, after = ended_runs(context.instance, state.after, state.since, _daily_steps())
        incidents, messages = update_incidents(state.incidents, runs, now)
        letters = [*state.letters, *_letters(messages, receivers, settings, now)]
        left = _send_all(context, letters, settings, now)
        kept = State(after=after, since=state.since, incidents=incidents, letters=left)
        reason = f"{len(runs)} runs ended, {len(incidents)} problems go on, {len(left)} messages wait"
        return dg.SensorResult(skip_reason=reason, cursor=kept.model_dump_json())

    return tell


def _receivers(settings: Settings) -> list[str]:
    found = [WEBHOOK] if settings.alert_webhook_url.get_secret_value() else []
    return [*found, EMAIL] if settings.alert_email and settings.smtp_url.get_secret_value() else found


def _daily_steps() -> frozenset[str]:
    """The steps of assets with days."""
    return frozenset(name.replace(".", "__") for name, contract in CONTRACTS.items() if is_daily(contract.table))


def _read_state(context: dg.SensorEvaluationContext, now: dt.datetime) -> State:
    try:
        return State.model_validate_json(context.cursor) if context.cursor else State(since=now - FIRST_LOOK)
    except ValidationError:
        context.log.error("The cursor of the alerts could not be read: they start anew with the last hour.")
        return State(since=now - FIRST_LOOK)


def _letters(
    messages: Sequence[Message], receivers: Sequence[str], settings: Settings, now: dt.datetime
) -> list[Letter]:
    written = [_without_secrets(write(message, settings.dagster_url), settings) for message in messages]
    return [Letter(receiver=name, written=words, not_before=now) for words in written for name in receivers]


def _send_all(
    context: dg.SensorEvaluationContext, letters: Sequence[Letter], settings: Settings, now: dt.datetime
) -> list[Letter]:
    """Send what is due; returns what has to wait. One refusal spares its receiver for the rest of the tick."""
    left: list[Letter] = []
    refusing: set[str] = set()
    end = time.monotonic() + SENDING_SECONDS
    for letter in letters:
        if letter.not_before > now or letter.receiver in refusing or time.monotonic() > end:
            left.append(letter)
            continue
        try:
            _send(letter, settings)
        except DeliveryError as error:
            refusing.add(letter.receiver)
            left.append(_later(letter, settings, now))
            context.log.error(
                f"An alert could not be sent and is tried again: {error}. It says: {letter.written.title}"
            )
    for lost in left[:-MOST_WAITING]:
        context.log.error(f"An alert is given up, {MOST_WAITING} others wait. It said: {lost.written.title}")
    return left[-MOST_WAITING:]


def _later(letter: Letter, settings: Settings, now: dt.datetime) -> Letter:
    wait = min(LONGEST_WAIT, dt.timedelta(seconds=settings.sensor_seconds) * 2 ** min(letter.refusals, 20))
    # The first refusal is tried again at the very next tick.
    return letter.model_copy(update={"refusals": letter.refusals + 1, "not_before": now + wait * (letter.refusals > 0)})


def _send(letter: Letter, settings: Settings) -> None:
    if letter.receiver == WEBHOOK:
        post(settings.alert_webhook_url.get_secret_value(), to_slack(letter.written))
        return
    mail(settings.smtp_url.get_secret_value(), settings.alert_email, letter.written.title, to_text(letter.written))


def _without_secrets(written: Written, settings: Settings) -> Written:
    """The words without any secret of the settings, should an error message hold one."""
    secrets = sorted(_secrets(settings), key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return masked(text)

    return Written(title=hide(written.title), parts=tuple(map(hide, written.parts)), link=written.link)


def _secrets(settings: Settings) -> set[str]:
    """The secret settings, and the passwords in addresses."""
    values: Mapping[str, object] = dict(settings)
    whole = [value.get_secret_value() for value in values.values() if isinstance(value, SecretStr)]
    addresses = [*whole, settings.warehouse_url]
    passwords = [part.rpartition("@")[0].rpartition(":")[2] for part in addresses if "@" in part]
    return {secret for secret in chain(whole, passwords) if len(secret) > 3}
