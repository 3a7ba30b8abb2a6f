"""What all plot commands have in common: a folder in, a picture out, and one line when it cannot be."""

import argparse
import sys
from pathlib import Path

from .look import save
from .results import Refusal, load

FORMATS = (".png", ".svg", ".pdf")


def main(about: str, draw, *options: tuple[str, dict]) -> None:
    """Reads the command line, draws, writes. `draw(results, **options)` gives the figure."""
    first, _, rest = about.strip().partition("\n\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder that stickysim has written")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="picture to write: .png, .svg or .pdf"
    )
    for flag, more in options:
        parser.add_argument(flag, **more)
    parser.add_argument("--title", metavar="TEXT", help="instead of the question in the scenario's opening comment")
    parser.add_argument("--dpi", type=int, default=110, metavar="N", help="dots per inch of a .png (default 110)")
    asked = vars(parser.parse_args())
    folder, output, dpi = asked.pop("results"), asked.pop("output"), asked.pop("dpi")
    try:
        if output.suffix not in FORMATS:
            raise Refusal(f"--output {output}: a picture ends in one of {', '.join(FORMATS)}")
        if not 20 <= dpi <= 1200:
            raise Refusal(f"--dpi {dpi}: take 20 to 1200")
        figure = draw(load(folder), **asked)
        output.parent.mkdir(parents=True, exist_ok=True)
        save(figure, output, dpi)
    except Refusal as refusal:
        print(f"{parser.prog}: {refusal}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(1)


# Options that several commands have.
POINT = (
    "--point",
    {"metavar": "POINT", "help": "point of a sweep, as in the column `point`; the only one unless given"},
)
INCIDENT = ("--incident", {"metavar": "NAME", "help": "which fault or change; the first unless given"})
SEED = ("--seed", {"type": int, "default": 1, "metavar": "N", "help": "which run (default 1)"})
