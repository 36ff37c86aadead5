"""Stand-ins for optional packages, as far as overtone talks to them; `make test-callbacks` uses the packages."""

import sys
from types import ModuleType

import torch


def install(monkeypatch, name, **content):
    """Put a module with this content where `import name` finds it, and its parents too."""
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        path = ".".join(parts[:i])
        if path == name or path not in sys.modules:
            monkeypatch.setitem(sys.modules, path, ModuleType(path))
    for key, value in content.items():
        setattr(sys.modules[name], key, value)


class LightningCallback:
    """Lightning's hooks, all doing nothing."""


class LightningTrainer:
    """The hooks that Lightning calls around full-batch training, in their order and with their arguments."""

    def __init__(self, callback, accumulate=1):
        self.callback, self.accumulate = callback, accumulate
        self.global_step, self.world_size, self.optimizers = 0, 1, []

    def fit(self, module, optimizer, loss, steps, fail_at=None):
        self.optimizers = [optimizer]
        self.callback.on_train_start(self, module)
        for batch in range((steps - self.global_step) * self.accumulate):
            found = loss(module)
            found.backward()
            if (batch + 1) % self.accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
                self.global_step += 1
            self.callback.on_train_batch_end(self, module, {"loss": found.detach()}, None, batch)
            if batch == fail_at:
                error = KeyboardInterrupt()
                self.callback.on_exception(self, module, error)
                raise error
        self.callback.on_train_end(self, module)


class TransformersCallback:
    """The callback of transformers, whose hooks do nothing."""


class Names:
    """An object with these attributes."""

    def __init__(self, **names):
        self.__dict__ |= names


def transformers_train(callback, model, optimizer, loss, steps, log_every=5):
    """The hooks that the Trainer of transformers calls, in their order and with their arguments."""
    args, state = Names(world_size=1), Names(global_step=0)
    callback.on_train_begin(args, state, None, model=model, optimizer=None)
    for _ in range(steps):
        found = loss(model)
        found.backward()
        optimizer.step()
        optimizer.zero_grad()
        state.global_step += 1
        callback.on_step_end(args, state, None, model=model, optimizer=optimizer)
        if state.global_step % log_every == 0:
            callback.on_log(args, state, None, logs={"loss": float(found.detach())}, model=model)
    callback.on_train_end(args, state, None, model=model)


class SummaryWriter:
    """Keeps what is logged, by the names of `torch.utils.tensorboard`."""

    def __init__(self, folder=None):
        self.folder, self.scalars, self.images, self.closed = folder, [], [], False

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def add_image(self, name, pixels, step, dataformats):
        assert dataformats == "HWC"
        self.images.append((name, pixels, step))

    def flush(self):
        pass

    def close(self):
        self.closed = True


class Run:
    """A run of wandb."""

    def __init__(self):
        self.metrics, self.logged = {}, []

    def define_metric(self, name, step_metric=None):
        self.metrics[name] = step_metric

    def log(self, values):
        self.logged.append(values)


class Idle:
    """A callback that does nothing at each of Lightning's hooks."""

    def on_train_start(self, trainer, pl_module):
        pass

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        pass

    def on_train_end(self, trainer, pl_module):
        pass


class DeepXDEModel:
    """What DeepXDE's Model with the backend of PyTorch shows to callbacks, and when it calls their hooks."""

    def __init__(self, net, loss):
        self.net, self._loss = net, loss
        self.opt = None
        self.train_state = Names(step=0, epoch=0, loss_train=None)

    def train(self, iterations, callbacks, display_every=2):
        for callback in callbacks:
            callback.set_model(self)
        self.opt = torch.optim.Adam(self.net.parameters(), 1e-3)
        self._call(callbacks, "on_train_begin")
        for _ in range(iterations):
            self._call(callbacks, "on_epoch_begin")
            self._call(callbacks, "on_batch_begin")
            self.opt.zero_grad()
            loss = self._loss(self.net)
            loss.backward()
            self.opt.step()
            self.train_state.epoch += 1
            self.train_state.step += 1
            if self.train_state.step % display_every == 0:
                self.train_state.loss_train = [float(loss.detach()), 0.0]
            self._call(callbacks, "on_batch_end")
            self._call(callbacks, "on_epoch_end")
        self._call(callbacks, "on_train_end")

    @staticmethod
    def _call(callbacks, hook):
        for callback in callbacks:
            getattr(callback, hook)()


class LabelTensor(torch.Tensor):
    """PINA's tensor whose columns have names."""

    def __new__(cls, x, labels):
        tensor = torch.Tensor._make_subclass(cls, x, x.requires_grad) if x.is_leaf else x.as_subclass(cls)
        tensor.labels = labels
        return tensor
