"""What the words at the edge of a report mean: its labels and its outcomes, for `explain`."""

from __future__ import annotations

from collections.abc import Mapping

OUTCOMES: Mapping[str, str] = {
    "KEPT": "the promise held in every world that was tried. It proves nothing about others. Exit "
    "status 0.",
    "BROKEN": "the promise did not hold in the world that is shown, with what proves it. Exit "
    "status 1.",
    "INCONCLUSIVE": "nothing was proved: a fault of ours, or nothing came up that could go wrong. "
    "It accuses nobody. Exit status 3.",
}
"""The outcomes of a verdict, as its first word."""

LABELS: Mapping[str, str] = {
    "Cause": "where between the log and the client's own code an event was lost. Each "
    "cause can be explained too.",
    "Class": "the mistake, from a list of forty, where the history allows only one; with a public "
    "thread in which the same happened.",
    "Why": "the proof: what each later request covered, why it could not help, and what else of "
    "the history shows the mistake.",
    "Saved": "what the client had saved when it went wrong, where that decided what it did next.",
    "Allowed": "why the API may do this, and where its document says so.",
    "Would": "advice: what mends the mistake that shows, or else a request that would have "
    "returned the event, tried against the log before it is said.",
    "Tried": "what was seen: the unchanged client played this world again with that one change to "
    "its traffic, and the promise held. It is a clue to the mistake, not how to mend it. "
    "verify tries it; replay does with --tried.",
    "Switches": "the answers to open questions of the API's document that are not at their default "
    "in this world. After it was made small, those are left that matter.",
    "Also": "what else was broken in this world, by its rule.",
    "Calm": "from which poll on nothing goes wrong any more, and how long the judge waits before "
    "the last poll, so that a client that holds events back is not accused.",
    "Hazards": "what could trip a client: what is in the world that is shown, or what all worlds "
    "held and how often, and what never came up.",
    "Notes": "what is worth knowing and held against nobody: repeats that the promise allows, what "
    "nobody could have done.",
    "Next": "how to try all answers to what the API's document leaves open, after a search that "
    "was kept with one answer to each.",
    "Margins": "how far a client that is kept would go on keeping its promise, one hardship at a "
    "time (--margins). No accusation.",
    "Replay": "the command that plays this world again.",
}
"""The labels of a report's paragraphs, in their order."""
