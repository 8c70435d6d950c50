"""Where the job of a run is defined: Dagster's timeline and pages of jobs leave out runs that do not say so."""

import dagster as dg

# Private: a run that is executed in process has no origin, and nothing public gives it one. An argument of
# `execute_in_process` would replace it. `dagster run migrate-repository` changes origins in the same way.
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("analytics_platform"), "__repository__")
"""The repository that Dagster makes of the definitions, in the code location of `workspace.yaml`."""


def show_in_timeline(instance: dg.DagsterInstance, run_id: str) -> None:
    """Note in a finished run of this process where its job is defined."""
    instance.add_run_tags(run_id, {REPOSITORY_LABEL_TAG: REPOSITORY.get_label()})
    if run := instance.get_run_by_id(run_id):
        instance.run_storage.replace_job_origin(run, REPOSITORY.get_job_origin(run.job_name))
