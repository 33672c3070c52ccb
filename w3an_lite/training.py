"""One training loop: progress, a log of every term, checkpoints, resume; one process or many.

Algorithm 1 of the paper, with its schedule of Sec. 4.2 as the defaults of `Recipe`.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import torch
from tqdm.auto import tqdm

from .checkpoint import Row
from .data.sampling import Batches
from .data.tracklet import DISTRACTOR, DataError, Tracklet
from .distributed import Ranks, whole_batch_norms
from .files import remove_left_over
from .losses import Objective
from .model import W3AN
from .provenance import digest_of
from .reading import HeldFrames, fits, read_ahead
from .recipe import Recipe
from .run import Judge, Run
from .run_record import WRITTEN, check_new
from .runlog import RunLog
from .speed import Speed, device_of

log = logging.getLogger(__name__)

COLLECT = 50
"""Steps after which the log is brought from the device, and many processes agree to stop."""


class Stopped(KeyboardInterrupt):
    """Training was asked to stop and has saved its state; the message says how to go on."""


def train(
    model: W3AN,
    tracklets: Sequence[Tracklet],
    objective: Objective | None = None,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str | torch.device = "cpu",
    progress: bool = True,
    *,
    speed: Speed | None = None,
    judge: Judge | None = None,
    evaluate_every: int = 0,
    save_every: int | None = None,
    tensorboard: bool = False,
) -> list[Row]:
    """Train `model` in place on `tracklets`; returns the log, one row a step.

    out: folder for `log.csv` and `last.pt`, written every `save_every` epochs under a temporary
        name and renamed; left out, after each epoch, unless writing would take more than a
        twentieth of the time. An earlier run's are never overwritten: ValueError names one.
    resume: go on from `out/last.pt`; on the CPU to the same weights, bit for bit.
    speed: what to switch on or off of `Speed`.
    judge: evaluates the model after every `evaluate_every` epochs and at the end; its scores go to
        `evaluations.csv`, the weights with the best mAP to `best.pt`. tensorboard: see `RunLog`.

    Within a process group (torchrun) every process calls this with the same arguments and takes its
    share of each batch, see `distributed`; the first one writes.

    Ctrl-C and SIGTERM finish the step (many processes: the next `COLLECT` steps), save, and raise
    `Stopped`. A frame that cannot be read raises DataError; one process saves first, of many the
    one that met it ends, and torchrun ends the others. FloatingPointError names term, step and
    tracklets when a loss is not finite (what was saved stays); ValueError when the model has
    another number of identities than the tracklets, the checkpoint is of another run, there is no
    such device, `out` is a file, or a step cannot be recorded (`Speed`); OSError when `out` cannot
    be written.
    """
    objective, recipe, ranks = objective or Objective(), recipe or Recipe(), Ranks.now()
    if evaluate_every < 0 or (save_every is not None and save_every < 1):
        raise ValueError(
            f"evaluate_every is {evaluate_every}, save_every {save_every}; give 0 epochs (at the "
            "end alone) or more, and at least 1 (None: if it costs little)"
        )
    device = device_of(device)
    batches = recipe.batches(tracklets, model.clip_length, model.attributes)
    _check(model, batches, objective, recipe, ranks)
    folder = Path(out) if out else None
    if folder is not None and not resume:
        check_new(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(f"out is {folder}, but a file is in its way; give a folder") from error
    speed = (speed or Speed()).on(device, ranks)
    model.to(device).train()
    optimiser = recipe.optimise(model, fused=bool(speed.fused))
    events = RunLog(None)
    data = digest_of(tracklets)
    run = Run(model, optimiser, objective, recipe, folder, ranks, speed, events, data)
    if resume:
        run.load()
    length = len(batches)
    last = recipe.epochs * length

    def due(epoch: int) -> bool:
        return epoch == recipe.epochs or bool(evaluate_every and not epoch % evaluate_every)

    def worth_saving(epoch: int) -> bool:
        return run.may_save() if save_every is None else epoch % save_every == 0

    with ExitStack() as stack:
        if ranks.first:
            run.log = RunLog(folder, tensorboard, len(run.rows))
            stack.callback(run.log.close)
            for path in map(folder.joinpath, WRITTEN) if folder else ():
                remove_left_over(path)  # by a run killed while it wrote
        run.log.write(run.rows, run.evaluations)  # one killed after last.pt left an older log
        stack.enter_context(whole_batch_norms(model, ranks, device))
        stack.enter_context(speed.applied(*run.gradients.pieces))
        run.gradients.network = ranks.wrap(model, device)
        hold = fits(tracklets, recipe.load_size, device) if speed.hold is None else speed.hold
        shown = progress and ranks.first
        held = HeldFrames(tracklets, recipe.load_size, device, shown) if hold else None
        bar = stack.enter_context(
            tqdm(total=last, initial=len(run.rows), desc="training", unit="step", disable=not shown)
        )
        stop = stack.enter_context(_stop_requests())
        judged = {scores["epoch"] for scores in run.evaluations}
        at_end = run.epoch and not run.first_step and run.epoch not in judged
        if judge and at_end and due(run.epoch):
            run.evaluate(judge, run.epoch)  # stopped between an epoch's end and its evaluation
            run.save(run.epoch, 0)
        steps = range(run.epoch * length + run.first_step, last)
        for k, batch in read_ahead(batches, steps, device, recipe.workers, ranks, held):
            epoch, step = divmod(k, length)
            if isinstance(batch, DataError):
                if ranks.size == 1:  # the others of many know nothing of it, and would not answer
                    run.collect()
                    run.save(epoch, step)
                raise DataError(f"{batch}{run.kept}")
            run.step(epoch, step, length, batch)
            bar.update()
            done, asked = step + 1 == length, ranks.size == 1 and stop.is_set()
            if done or asked or k % COLLECT == COLLECT - 1:
                run.collect()
                asked = ranks.any(stop.is_set(), device)
                frames = (bar.format_dict["rate"] or 0) * recipe.batch * model.clip_length
                bar.set_postfix(loss=f"{run.rows[-1]['loss']:.3f}", frames=f"{frames:,.0f}/s")
            judging = judge if done and not asked and due(epoch + 1) else None
            if asked or judging or (done and (k + 1 == last or worth_saving(epoch + 1))):
                run.save(epoch + done, 0 if done else step + 1)
            if judging:
                run.evaluate(judging, epoch + 1)
                run.save(epoch + 1, 0)
            if asked:
                raise Stopped(f"stopped at epoch {epoch}, step {step}; go on with resume")
    model.eval()
    return run.rows


def _check(
    model: W3AN, batches: Batches, objective: Objective, recipe: Recipe, ranks: Ranks
) -> None:
    """ValueError when these do not go together."""
    nobody = [t for t in batches.tracklets if t.identity <= DISTRACTOR]
    if nobody:
        raise DataError(
            f"{nobody[0].name or nobody[0]} has the identity {nobody[0].identity}, which is of "
            "nobody (a distractor or junk); leave it out of training, or number people from 1 on"
        )
    if model.identities != len(batches.identities):
        raise ValueError(
            f"the model has {model.identities} identities, the tracklets "
            f"{len(batches.identities)}; build the model with that number"
        )
    if objective.order_weight and not recipe.paste:
        raise ValueError(
            "order_weight needs pasted frames; set paste above 0, or order_weight to 0"
        )
    if objective.avoid_weight and not (recipe.paste or recipe.surround):
        raise ValueError("avoid_weight needs foreign pixels; set paste or surround above 0")
    widths = {len(t.attributes) for t in batches.tracklets if t.attributes is not None}
    if widths - {model.attributes}:
        raise ValueError(
            f"the model has {model.attributes} attributes, the tracklets {sorted(widths)}; "
            "build the model with that number"
        )
    if recipe.people % ranks.size:
        raise ValueError(
            f"{recipe.people} people a batch do not divide among {ranks.size} processes; start a "
            "number of processes that divides people (P)"
        )


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; the handlers that were there come back afterwards."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        log.warning("stopping after this step")
        stop.set()

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
