"""Training: mini base models and PRMs. Entry points import torch only when called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vlprm.config.base_model import BaseModelConfig
from vlprm.config.models import ModelConfig
from vlprm.config.training import PRMTrainingConfig
from vlprm.records import PRMExample

if TYPE_CHECKING:
    from vlprm.io.images import ImageStore


def train_base(config: BaseModelConfig, out_dir: Path) -> dict[str, int]:
    """See ``training.base_model.train_base``."""
    from vlprm.training.base_model import train_base as run

    return run(config, out_dir)


def train_prm(
    config: PRMTrainingConfig,
    base: ModelConfig,
    base_dir: Path,
    examples: Sequence[PRMExample],
    store: ImageStore,
    out_dir: Path,
    *,
    workers: int = 0,
    save_minutes: float = 30,
    digest: str | None = None,
) -> dict[str, int]:
    """See ``training.prm.train_prm`` and ``training.prm.Conduct``."""
    from vlprm.training.prm import Conduct
    from vlprm.training.prm import train_prm as run

    conduct = Conduct(workers, save_minutes, digest)
    return run(config, base, base_dir, examples, store, out_dir, conduct)


def forget_training(out_dir: Path) -> None:
    """See ``training.prm.forget``."""
    from vlprm.training.prm import forget

    forget(out_dir)
