"""The control API keeps its document too, whatever Schemathesis draws from it.

About a thousand requests by default: the document's examples, and values at every boundary. In a
nightly run also more than 20,000 random ones. Run with ``-s`` to see how many answers there were of
each status.
"""

from collections import Counter
from itertools import islice

import pytest
import schemathesis

from contracts._documents import openapi
from contracts._targets import TIMEOUT_S
from contracts.test_server_schema import COMPLAINTS_MAX, OF_ANY_SERVER, PHASES, SEED, Tally, run
from fakeserver.doors import live
from fakeserver.serving.options import ServeOptions
from fakeserver.serving.site import Site

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
"""A drawn body may be huge; Hypothesis warns that it is slow to show."""
NAME = "control"
CHECKS = (*OF_ANY_SERVER, "negative_data_rejection", "unsupported_method")
"""Not that all is accepted that the schemas allow: which fields go together, and which ids are
taken, they say in words."""
EXAMPLES = 2_000
"""Of each operation that takes something to vary, in each random phase."""
OPTIONS = ServeOptions(dialect="haravan", clock="simulated", backlog=30, rate_per_s=0.01)


def configuration(phase: str) -> schemathesis.Config:
    return schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "request-timeout": TIMEOUT_S,
            "continue-on-failure": True,
            "generation": {"max-examples": EXAMPLES, "database": "none"},
            "phases": {name: {"enabled": name == phase} for name in PHASES},
            "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS},
            "warnings": False,
        }
    )


@pytest.mark.parametrize(
    "phase",
    [
        "examples",
        "coverage",
        pytest.param("fuzzing", marks=pytest.mark.nightly),
        pytest.param("stateful", marks=pytest.mark.nightly),
    ],
)
def test_every_answer_is_documented(phase: str) -> None:
    """No 5xx, no answer outside the document, and what it does not allow is refused."""
    tally: Tally = Counter()
    schema = schemathesis.openapi.from_dict(openapi(NAME), config=configuration(phase))
    with live(Site(OPTIONS, wall=lambda: 0)) as url:
        schema.config.update(base_url=url)
        complaints = list(islice(run(schema, NAME, tally), COMPLAINTS_MAX))
    statuses = {status: count for (_, status), count in sorted(tally.items())}
    print(f"\n{phase}: {sum(statuses.values())} generated requests, by status {statuses}")
    assert not complaints, "\n\n".join(["", *complaints])
    assert statuses[200] > len(openapi(NAME)["paths"]) // 2  # else there was little to check
