"""`fit`: config, examples and recipe in, a trained model out."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from affectkit.batch_checks import check_batch
from affectkit.caching import digest
from affectkit.configs import ModelConfig
from affectkit.errors import ConfigError, InputError, UntrainedWarning, unlike_targets
from affectkit.files import config_to_data, write_text
from affectkit.folders import make_folder
from affectkit.graphs import check_no_graphs
from affectkit.model import Model
from affectkit.recipes import Recipe, recipe_to_data
from affectkit.registry import Registry, default_registry
from affectkit.seeds import check_seed
from affectkit.training.balancing import balance
from affectkit.training.examples import Examples
from affectkit.training.lightning_import import import_lightning
from affectkit.training.runs import check_record
from affectkit.training.sampling import balanced_head, make_sampler
from affectkit.training.stopping import told_to_stop
from affectkit.training.tails import cut_recipe, cut_state, cut_tail, join_tail

if TYPE_CHECKING:
    from affectkit.ensemble import EnsembleConfig
    from affectkit.pipeline import PipelineConfig

CHECKPOINT = "last.ckpt"
# What a checkpoint is of, beside it.
RUN = "run.json"


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where a model is trained, in Lightning's words.

    Attributes:
        accelerator: `auto`, `cpu`, `gpu`.
        devices: how many of them, or `auto`.
        strategy: how several work together, such as `ddp`.
        nodes: machines.
    """

    accelerator: str = "auto"
    devices: int | str = 1
    strategy: str = "auto"
    nodes: int = 1


def fit(
    config: ModelConfig,
    examples: Examples,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    start: Model | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    logger: str = "csv",
    hardware: Hardware | None = None,
    after_epoch: Callable[[Model, int], None] | None = None,
    cache: str | Path | bool = False,
    registry: Registry | None = None,
) -> Model:
    """Train a model, from random weights or those of another one.

    Arguments:
        config: of a pipeline or ensemble that takes the inputs and has the heads of `examples`. Motion front-ends that
            do not learn are computed once, and without augmentation, which is applied to their maps.
        examples: all that it is trained on.
        recipe: how; by default a `Recipe()`.
        seed: of weights, order, augmentation and dropout: the same one gives the same model on one machine.
        start: model whose weights it begins with; it has the same stages, and its dials may be set otherwise.
        folder: for logs and a checkpoint after every epoch; None for neither.
        resume: go on from the checkpoint that is in `folder`, if it is of the same config, examples, seed and start,
            and of a recipe that differs in the number of epochs at most; from the beginning where there is none.
        logger: of losses in `folder`: `csv` or `tensorboard`.
        hardware: by default one device, a GPU where there is one.
        after_epoch: called with what learns, the model behind its fixed front-ends, and the number of epochs done.
        cache: folder where maps of motion front-ends are kept and found again; True for the default one.

    Returns:
        The model after the last epoch, on the CPU, in evaluation mode.

    Raises:
        ConfigError: the recipe doesn't fit the model, or the seed is not from 0 to 2**63 - 1.
        InputError: a member is an exported pipeline; the examples don't fit the model, or the weights of `start`; or
            `folder` is a file or can't be made, or has a checkpoint and `resume` is False, or one of another run.
        MissingDependencyError: Lightning is not installed.
        KeyboardInterrupt: Ctrl-C; and SystemExit with the code 143 where SIGTERM says so. `resume` goes on.
    """
    check_seed(seed)
    check_no_graphs(config, "which can't be trained; put the pipeline there that it was made of")
    recipe = Recipe() if recipe is None else recipe
    state = None if start is None else start.state_dict()
    if start is not None:
        _check_start(config, start, registry)
    if folder is not None:
        _open_folder(Path(folder), _record(config, examples, recipe, seed, state, registry), resume=resume)
    tail, mapped = cut_tail(config, examples, turned=recipe.random_dials, weights=state, cache=cache, registry=registry)
    whole = state
    if tail is not config:
        recipe, state = cut_recipe(config, recipe), state and cut_state(config, state)
    model = fit_tail(
        tail,
        mapped,
        recipe,
        seed=seed,
        start=state,
        folder=folder,
        logger=logger,
        hardware=hardware,
        after_epoch=after_epoch,
        registry=registry,
    )
    trained = join_tail(config, model, weights=whole, registry=registry)
    trained.encoders = dict(examples.encoders)
    return trained


def fit_tail(
    config: ModelConfig,
    examples: Examples,
    recipe: Recipe,
    *,
    seed: int = 0,
    start: Mapping[str, Tensor] | None = None,
    folder: str | Path | None = None,
    logger: str = "csv",
    hardware: Hardware | None = None,
    after_epoch: Callable[[Model, int], None] | None = None,
    registry: Registry | None = None,
) -> Model:
    """As `fit`, with every stage computed in every step, `start` as a state dict, and any checkpoint in `folder`."""
    hardware = Hardware() if hardware is None else hardware
    lightning = import_lightning()
    if examples.pictures is None:
        # before augmentation, which takes frames for what the streams say
        check_batch(examples.inputs, config.input_streams())
    from affectkit.training.learner import Learner, make_loader

    folder = None if folder is None else Path(folder)
    checkpoint = None if folder is None else folder / CHECKPOINT
    sampler = make_sampler(examples, recipe, config, seed, registry=registry)
    if recipe.class_weights != "none":
        # what is drawn equally often would be weighed twice
        without = balanced_head(recipe, config, registry=registry)
        config = balance(config, examples, recipe.class_weights, without=without)
    # The caller's random numbers stay as they were.
    with torch.random.fork_rng(), warnings.catch_warnings():
        # on workers of loaders, and on torch's own deprecations
        warnings.filterwarnings("ignore", module=r"lightning\..*|torch\..*")
        warnings.filterwarnings("ignore", message=r".*(LeafSpec|num_workers|treespec).*")
        torch.manual_seed(seed)
        model = cast("PipelineConfig | EnsembleConfig", config).build(registry=registry)
        _check_labels(model, examples)
        if start is not None:
            model.load_state_dict(dict(start))
        else:
            _warn_of_random(model)
        loader = make_loader(examples, recipe.batch_size, sampler)
        trainer = lightning.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            strategy=hardware.strategy,
            num_nodes=hardware.nodes,
            precision="32-true" if recipe.precision == "32" else recipe.precision,
            max_epochs=recipe.epochs,
            gradient_clip_val=recipe.gradient_clip or None,
            logger=_logger(lightning, folder, logger),
            callbacks=[] if folder is None else [_checkpointing(lightning, folder)],
            enable_checkpointing=folder is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        steps = recipe.epochs * -(-len(loader) // (trainer.world_size or 1))
        learner = Learner(model, recipe, steps=steps, seed=seed, after_epoch=after_epoch)
        path = checkpoint if checkpoint is not None and checkpoint.is_file() else None
        # Plain tensors and numbers only: a checkpoint is a pickle, and may come from elsewhere.
        with told_to_stop(trainer, checkpoint):
            trainer.fit(learner, loader, ckpt_path=path, weights_only=True if path else None)
    return model.cpu().eval()


def _record(
    config: ModelConfig,
    examples: Examples,
    recipe: Recipe,
    seed: int,
    start: Mapping[str, Tensor] | None,
    registry: Registry | None,
) -> dict[str, Any]:
    """What decides the weights; a run may be made longer, so not the number of epochs."""
    names = registry if registry is not None else default_registry()
    return {
        "config": config_to_data(config, registry=names),
        "recipe": {name: value for name, value in recipe_to_data(recipe, registry=names).items() if name != "epochs"},
        "seed": seed,
        "start": None if start is None else digest([dict(start)]),
        "examples": examples.digest(),
    }


def _open_folder(folder: Path, record: dict[str, Any], *, resume: bool) -> None:
    """Say in the folder what the run is, unless there is a checkpoint, which has to be of the same one."""
    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file():
        make_folder(folder, "the run")
        write_text(folder / RUN, json.dumps(record, indent=1))
    elif not resume:
        raise InputError(f"{checkpoint}: is there from an earlier run; resume it, or give another folder")
    elif not (folder / RUN).is_file():
        raise InputError(f"{checkpoint}: no {RUN} beside it says of which run it is; give another folder")
    else:
        check_record(folder / RUN, record)


def _warn_of_random(model: Model) -> None:
    """What is frozen stays as it was built, and building loads no weights."""
    stages = model.stages().items()
    paths = [path for path, stage in stages if stage.config.is_frozen and any(True for _ in stage.parameters())]
    if paths:
        fact = f"{', '.join(paths)}: frozen, and their weights are random"
        remedy = "start with a model in which they are trained, or write frozen=False"
        warnings.warn(f"{fact}; {remedy}", UntrainedWarning, stacklevel=4)


def _check_labels(model: Model, examples: Examples) -> None:
    for name in examples.targets:
        if name not in model.traced.outputs:
            outputs = ", ".join(model.traced.outputs)
            raise InputError(f"examples: labels of {name!r}; the model scores {outputs}: rename one of them")


def _check_start(config: ModelConfig, start: Model, registry: Registry | None) -> None:
    mine = cast("PipelineConfig | EnsembleConfig", config).build(registry=registry).state_dict()
    theirs = start.state_dict()
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in (mine, theirs)]
    for name in sorted(mine.keys() | theirs.keys()):
        if shapes[0].get(name) != shapes[1].get(name):
            there, here = (shape.get(name, "no such tensor") for shape in reversed(shapes))
            raise InputError(f"start: {name}: {there}, and {here} in what is trained; give a model of the same stages")
    for name, output in config.trace(registry=registry).outputs.items():
        given = start.traced.outputs.get(name)
        # a map without weights may be new
        if given is not None and given.targets != output.targets:
            raise InputError(f"start: {name} {unlike_targets(given.targets, output.targets)}")


def _logger(lightning: Any, folder: Path | None, name: str) -> Any:
    if name not in ("csv", "tensorboard"):
        raise ConfigError(f"{name!r} is no logger", "write csv or tensorboard", path="logger")
    if folder is None:
        return False
    if name == "csv":
        return lightning.loggers.CSVLogger(folder, name="", version="logs")
    return lightning.loggers.TensorBoardLogger(folder, name="", version="logs")


def _checkpointing(lightning: Any, folder: Path) -> Any:
    return lightning.callbacks.ModelCheckpoint(
        dirpath=folder, filename="last", enable_version_counter=False, save_top_k=1, every_n_epochs=1
    )
