"""The command `mtdata`: build stores, look into them, draw regimes."""

import click

from cli.shared.common import entry_point
from cli.shared.groups import Lazy, LazyGroup, examples

COMMANDS = {
    "build": Lazy("cli.mtdata.build:build", "Build a store from a data set."),
    "init": Lazy("cli.mtdata.init:init", "Propose the tasks.yaml of a folder of your own."),
    "info": Lazy("cli.mtdata.info:info", "Say what a store holds."),
    "keys": Lazy("cli.mtdata.keys:keys", "List the keys of images."),
    "stats": Lazy("cli.mtdata.stats:stats", "Class frequencies, ranges, labels that go together."),
    "show": Lazy("cli.mtdata.show:show", "Picture images beside their labels."),
    "browse": Lazy("cli.mtdata.browse:browse", "Look at a store in a web browser."),
    "report": Lazy("cli.mtdata.report:report", "Write all that is known of a store as one page."),
    "verify": Lazy("cli.mtdata.verify:verify", "Check every sample of a store."),
    "diff": Lazy("cli.mtdata.diff:diff", "Say in what two stores differ."),
    "update": Lazy("cli.mtdata.update:update", "Add what the source of a store has since."),
    "merge": Lazy("cli.mtdata.merge:merge", "Join stores over all their tasks and images."),
    "shard": Lazy("cli.mtdata.shard:shard", "Write a store as files of some images each."),
    "derive": Lazy("cli.mtdata.derive:derive", "Add labels that follow from others exactly."),
    "export": Lazy("cli.mtdata.export:export", "Write a store as files for other programs."),
    "regime": Lazy("cli.mtdata.regime:regime", "Draw and list which labels may be seen."),
    "datasets": Lazy("cli.mtdata.datasets:datasets", "List what can be built, and from where."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=examples(
        "mtdata build --dataset rooms --images 400,100 --regime one",
        "mtdata info data/rooms.h5",
        "mtdata COMMAND --help",
    ),
)
@click.version_option(package_name="mtpartial", prog_name="mtdata")
def mtdata() -> None:
    """Build data sets with several labels an image, say which labels may be seen, look at them.

    An error is one paragraph; --debug adds the traceback. Exit codes: 0 done, 1 failed, 2 wrong
    usage, 3 bad data, 130 interrupted.
    """


main = entry_point(mtdata)
