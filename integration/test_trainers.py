import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from overtone.probes import EveryN, Probe, ProbeWarning, views
from overtone.probes.callbacks import LightningProbe as ForLightning
from overtone.probes.callbacks import TransformersProbe as ForTransformers
from overtone.probes.loggers import TensorBoard


def table():
    x = torch.randn(128, 8, generator=torch.Generator().manual_seed(0))
    return x, x[:, :1].square()


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        return self.body(x)

    def training_step(self, batch, index):
        return nn.functional.mse_loss(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


def fit(callbacks, steps=12, checkpoint=None, **options):
    pl.seed_everything(1, verbose=False)
    module = Module()
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accumulate_grad_batches=2,
        callbacks=callbacks,
        **options,
    )
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*table()), batch_size=16, shuffle=True)
    trainer.fit(module, data, ckpt_path=checkpoint)
    return trainer, [p.detach().clone() for p in module.parameters()]


def test_lightning(tmp_path):
    callback = ForLightning(views.graph(*table()), tmp_path / "run", schedule=EveryN(4))
    trainer, weights = fit([callback])
    assert all(torch.equal(a, b) for a, b in zip(fit([])[1], weights, strict=True))
    assert list(callback.probe.record.step) == [0, 4, 8, 12]
    assert np.isfinite(callback.probe.record.loss[1:]).all()
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    later = ForLightning(views.graph(*table()), tmp_path / "run", schedule=EveryN(4))
    fit([later], steps=18, checkpoint=tmp_path / "end.ckpt")
    assert list(later.probe.record.step) == [0, 4, 8, 12, 16, 18]


def test_lightning_in_mixed_precision(tmp_path):
    callback = ForLightning(views.graph(*table()), tmp_path)
    fit([callback], precision="bf16-mixed")
    assert callback.probe.faults == []


def test_transformers(tmp_path):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 100, (96, 12), generator=generator)
    labels = (ids.float().mean(1) > 52).long()
    tokens = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    features = nn.functional.one_hot(ids, 100).float().mean(1)

    def train(callbacks):
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=100,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
            num_labels=2,
        )
        model = BertForSequenceClassification(config)
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "out"),
            max_steps=9,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=2,
            logging_steps=2,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        )
        data = [
            {"input_ids": i, "attention_mask": torch.ones_like(i), "labels": label}
            for i, label in zip(ids, labels, strict=True)
        ]
        Trainer(model=model, args=arguments, train_dataset=data, callbacks=callbacks).train()
        return [p.detach().clone() for p in model.parameters()]

    view = views.graph(tokens, labels, features=features, classes=2)
    callback = ForTransformers(view, tmp_path / "run", schedule=EveryN(4))
    with_probe = train([callback])
    assert all(torch.equal(a, b) for a, b in zip(train([]), with_probe, strict=True))
    assert list(callback.probe.record.step) == [0, 4, 8, 9]
    assert callback.probe.faults == []


def test_tensorboard(tmp_path):
    view = views.graph(*table())
    logger = TensorBoard(tmp_path / "log")
    with Probe(view, nn.Linear(8, 1), tmp_path / "run", schedule=EveryN(), loggers=[logger]) as probe:
        probe(0)
        probe(1)
    log = EventAccumulator(str(tmp_path / "log"), {"images": 0, "scalars": 0}).Reload()
    errors = [event.value for event in log.Scalars("overtone/graph/train_error")]
    np.testing.assert_allclose(errors, probe.record.train_error, rtol=1e-6)
    assert len(log.Images("overtone/graph/learning order")) == 2


class Sized(Module):
    def __init__(self):
        super().__init__()
        self.batch_size = 4

    def train_dataloader(self):
        return torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(*table()), batch_size=self.batch_size
        )


def quiet(callbacks, **options):
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
        **options,
    )


def test_lightning_searches_for_a_batch_size(tmp_path):
    callback = ForLightning(views.graph(*table()), tmp_path, schedule=EveryN(4))
    finder = pl.callbacks.BatchSizeFinder(max_trials=2, steps_per_trial=2)
    quiet([finder, callback], max_steps=9).fit(Sized())
    assert list(callback.probe.record.step) == [0, 4, 8, 9]
    assert callback.probe.faults == []


def test_lightning_that_fits_twice(tmp_path):
    callback = ForLightning(views.graph(*table()), tmp_path / "on", schedule=EveryN(20))
    module, trainer = Sized(), quiet([callback], max_epochs=1)
    trainer.fit(module)
    trainer.fit_loop.max_epochs = 2
    trainer.fit(module)
    assert list(callback.probe.record.step) == [0, 20, 40, 60, 64]
    callback = ForLightning(views.graph(*table()), tmp_path / "anew", schedule=EveryN(4))
    quiet([callback], max_steps=8).fit(Sized())
    with pytest.warns(ProbeWarning, match="step 0 came after step 8"):
        quiet([callback], max_steps=5).fit(Sized())
    assert list(callback.probe.record.step) == [0, 4, 5]


class Full(nn.Module):
    """Runs out of memory once, with more than eight samples."""

    def __init__(self):
        super().__init__()
        self.last, self.calls = nn.Linear(8, 1), 0

    def forward(self, x, labels=None):
        if self.training and len(x) > 8:
            self.calls += 1
            if self.calls == 4:
                raise torch.OutOfMemoryError("CUDA out of memory.")
        outputs = self.last(x)
        loss = {} if labels is None else {"loss": nn.functional.mse_loss(outputs, labels)}
        return loss | {"logits": outputs}


def test_transformers_search_for_a_batch_size(tmp_path):
    x, y = table()
    networks = []

    def forward(network, inputs):
        networks.append(type(network))
        return network(**inputs)["logits"]

    view = views.graph({"x": x}, y, features=x)
    callback = ForTransformers(view, tmp_path / "run", schedule=EveryN(2), forward=forward)
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=7,
        per_device_train_batch_size=16,
        auto_find_batch_size=True,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    data = [{"x": row, "labels": target} for row, target in zip(x, y, strict=True)]
    with pytest.warns(ProbeWarning, match="training began again"):
        Trainer(model=Full(), args=arguments, train_dataset=data, callbacks=[callback]).train()
    assert list(callback.probe.record.step) == [0, 2, 4, 6, 7]
    assert callback.probe.record.attrs["restarts"][0]["step"] == 0
    assert set(networks) == {Full}
