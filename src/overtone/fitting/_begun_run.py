"""A run that is to be resumed, as its directory holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from overtone._config import Decay, FitConfig, TrainingConfig
from overtone._training import Checkpoint
from overtone.errors import InputError
from overtone.fitting._run import reason_to_end
from overtone.fitting._run_directory import RunDirectory
from overtone.fitting._settings import RunSettings
from overtone.nn import Field
from overtone.probes import LogSchedule, Probe, View

if TYPE_CHECKING:
    import xarray


class BegunRun(NamedTuple):
    """A run that is to be resumed, as its directory holds it.

    Attributes:
        settings: The settings that it began with.
        config: The same with the longer budget and the bandwidth that was chosen then.
        checkpoint: Where it goes on.
        record: Its record up to there.
        last_row: The step of the last row in it.
        ended: Why nothing is left to do, in words; None if something is.
    """

    settings: RunSettings
    config: FitConfig
    checkpoint: Checkpoint
    record: xarray.Dataset
    last_row: int
    ended: str | None

    @staticmethod
    def of(directory: RunDirectory, config: FitConfig) -> BegunRun:
        """Read the run in a directory.

        Args:
            directory: Where it is.
            config: The settings that are asked for now; budget and device count.

        Raises:
            InputError: If there is none, it is damaged, or its budget cannot be changed so.
        """
        settings = directory.read_settings()
        directory.check_own()
        begun = settings.config
        training = _longer(begun.training, config.training)
        checkpoint = Checkpoint.load(directory.checkpoint)
        record = directory.load_record()
        ended = reason_to_end(begun.training, training, checkpoint, record, str(directory.path))
        model = begun.model
        if settings.bandwidth is not None:
            model = replace(model, bandwidth=settings.bandwidth)
        config = replace(begun, model=model, training=training, device=config.device)
        # The row of the checkpoint's step is in the record only if the run went on after it, or ends there.
        ends = ended is not None or training.used_up(checkpoint.step, checkpoint.seconds)
        last_row = checkpoint.step if ends or LogSchedule().due(checkpoint.step) else checkpoint.step - 1
        # Rows after the checkpoint are measured again.
        record = record.isel(step=record.step.values <= last_row)
        if checkpoint.average is not None:
            weights, errors = checkpoint.average
            before = [row for row in errors if row[0] <= last_row]
            checkpoint = replace(checkpoint, average=(weights, before))
        return BegunRun(settings, config, checkpoint, record, last_row, ended)

    @property
    def judged(self) -> tuple[xarray.Dataset, Checkpoint]:
        """Data of early stopping so far: the rows of the record, and the errors of averaged weights."""
        return self.record, self.checkpoint

    def check_samples(self, samples: str, name: str, run_path: str) -> None:
        """Check that the run is one of these samples; runs of old versions do not say.

        Args:
            samples: Fingerprint of the signal.
            name: Name of the signal, for the error.
            run_path: The run directory, for the error.

        Raises:
            InputError: If it is not.
        """
        if self.settings.samples not in (None, samples):
            raise InputError(
                "the samples that the run began with",
                f"others in {name}",
                "pass the same source, or begin a new run in another --out",
                run_path,
            )

    def reopen(self, directory: RunDirectory, field: Field, view: View | Sequence[View]) -> Probe:
        """Return the probe that continues the record, and write the longer budget to record and settings.

        Args:
            directory: Where the run is.
            field: The network.
            view: The view of the record, or those of all records.
        """
        training = self.config.training
        probe = Probe.resume(
            view, field, directory.path, after=self.last_row, elapsed=self.checkpoint.seconds, strict=True
        )
        try:
            options = probe.record.attrs.get("options") or {}
            probe.annotate(complete=False, options=options | training.to_json())
            directory.write_settings(
                replace(self.settings, config=replace(self.settings.config, training=training))
            )
        except BaseException:
            probe.close()
            raise
        return probe


def _longer(begun: TrainingConfig, asked: TrainingConfig) -> TrainingConfig:
    """Return the training that a run began with, with the budget that is asked for now."""
    longer = replace(begun, steps=asked.steps or begun.steps, seconds=asked.seconds or begun.seconds)
    if longer != begun and begun.decay is not Decay.CONSTANT:
        raise InputError(
            "the budget the run began with, because its learning rate follows it",
            "another one",
            "leave --steps and --time out",
            "resume",
        )
    return longer
