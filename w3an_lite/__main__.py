"""The command line: `python -m w3an_lite COMMAND`, each over a function of the library."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

import torch

from .commands import COMMANDS
from .data_commands import DATA_COMMANDS
from .experiment_commands import EXPERIMENT_COMMANDS
from .marks_command import MARKS_COMMANDS
from .speed import cpu_threads
from .train_command import TRAIN_COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one line on stderr and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console without β shows ? in its place
            stream.reconfigure(errors="replace")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="w3an_lite", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    known = {**EXPERIMENT_COMMANDS, **TRAIN_COMMANDS, **COMMANDS, **DATA_COMMANDS, **MARKS_COMMANDS}
    for name, command in known.items():
        command.arguments(
            commands.add_parser(
                name,
                help=command.help,
                description=command.help,
                epilog=f"example: python -m w3an_lite {command.example}",
            )
        )
    options = vars(parser.parse_args(arguments))
    run: Callable[..., object] = known[options.pop("command")].run
    try:
        with cpu_threads(torch.get_num_threads()):  # a command sets its own
            run(**options)
    except KeyboardInterrupt as stopped:
        print(f"stopped: {stopped}" if str(stopped) else "stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OverflowError as error:
        print(f"error: a number is too large ({error}); give a smaller one", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _out_of_memory(error):
            raise
        why = str(error).strip().splitlines()
        print(
            f"error: this needs more memory than there is ({why[0] if why else 'no more is said'})"
            "; ask for less: fewer people or frames, a smaller size or batch",
            file=sys.stderr,
        )
        return 2
    return 0


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether this is how PyTorch says that there is no memory, of a GPU or of the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


if __name__ == "__main__":
    sys.exit(main())
