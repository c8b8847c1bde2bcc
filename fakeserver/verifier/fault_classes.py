"""The fault classes: what goes wrong when an event log is followed, and threads where it did.

`about` is the line of `contracts/THEORY.md`. A thread is named ``owner/repository#number``; all of
them are public, and tell of what was seen in production or reported as a bug.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class FaultClass(msgspec.Struct, frozen=True):
    """One class: its `id` (``C01``), a `name` of a few words, a line about it, its threads."""

    id: str
    name: str
    about: str
    threads: tuple[str, ...]


_ALL = (
    FaultClass(
        "C01",
        "exclusive cursor on a key that is not unique",
        "an exclusive cursor on a key that is not unique (`>`, key + 1 ms)",
        ("estuary/connectors#5205", "falcosecurity/plugins#893"),
    ),
    FaultClass(
        "C02",
        "overlap not removed, or wrongly",
        "an inclusive cursor whose overlap is not, or wrongly, removed",
        ("elastic/integrations#5293", "langfuse/langfuse#16613"),
    ),
    FaultClass(
        "C03",
        "equal keys fill the page",
        "a group of equal keys as large as the page",
        ("airbytehq/airbyte#43317", "PostHog/posthog#59215"),
    ),
    FaultClass(
        "C04",
        "unstable order among equal keys",
        "the order among equal keys differs between requests",
        ("getlago/lago-api#5587", "datagouv/api-tabular#122"),
    ),
    FaultClass(
        "C05",
        "cursor in another order than that of appending",
        "the cursor's order is not the order of appending",
        ("Osmantic/ODS#2173", "invoiceninja/invoiceninja#11936"),
    ),
    FaultClass(
        "C06",
        "late visibility, no look-back",
        "an event becomes visible behind the cursor, and nobody looks back",
        ("estuary/connectors#5209", "grafana/alloy#5854"),
    ),
    FaultClass(
        "C07",
        "look-back shorter than the lateness",
        "the look-back is shorter than the lateness",
        ("infiniflow/ragflow#13674", "rapid7/insightconnect-plugins#2000"),
    ),
    FaultClass(
        "C08",
        "look-back from the wrong moment",
        "the look-back starts from the wrong moment",
        ("airweave-ai/airweave#839", "utmstack/UTMStack#2435"),
    ),
    FaultClass(
        "C09",
        "lower id after a higher one",
        "a lower id appears after a higher one",
        ("JasperFx/marten#1629", "confluentinc/kafka-connect-jdbc#1015"),
    ),
    FaultClass(
        "C10",
        "answer from an older state",
        "a read is answered from an older state than the one before",
        ("kubernetes/kubernetes#67998", "mozilla/treeherder-ui-deprecated#364"),
    ),
    FaultClass(
        "C11",
        "resume point from elsewhere",
        "the resume point is taken from somewhere else than the feed",
        ("ActivityWatch/aw-server-rust#696", "tempoxyz/tidx#107"),
    ),
    FaultClass(
        "C12",
        "rows shift under page numbers",
        "rows shift while page numbers are walked",
        ("airbytehq/airbyte#21500", "singer-io/tap-jira#109"),
    ),
    FaultClass(
        "C13",
        "rows go while page numbers are walked",
        "rows are removed while page numbers are walked",
        ("singer-io/tap-jira#109", "galaxyproject/galaxy#2707"),
    ),
    FaultClass(
        "C14",
        "moving upper bound",
        "the upper bound of a walk moves while it is walked",
        ("googleapis/nodejs-logging#1292", "elastic/integrations#3937"),
    ),
    FaultClass(
        "C15",
        "short page taken for the end",
        "a short page is taken for the end",
        ("career-ops-hq/career-ops#2547", "junhoyeo/tokscale#1247"),
    ),
    FaultClass(
        "C16",
        "empty page taken for the end, or not expected",
        "an empty page is taken for the end, or crashes the client",
        ("openai/openai-node#2561", "JasperFx/marten#625"),
    ),
    FaultClass(
        "C17",
        "end not recognised after a full page",
        "the end is not recognised when the last page is full",
        ("airbytehq/airbyte#28226",),
    ),
    FaultClass(
        "C18",
        "counting with a limit that the server caps",
        "the server caps the limit, and the client counts with the one that it asked for",
        ("ohdearquant/khive#894", "Polymarket/ts-sdk#240"),
    ),
    FaultClass(
        "C19",
        "cursor that gets nowhere",
        "a cursor that never moves, or moves in a circle",
        ("boto/botocore#3778", "hashicorp-forge/grove#95"),
    ),
    FaultClass(
        "C20",
        "only the first pages read",
        "only the first page, or pages up to some cap, are read",
        ("estuary/connectors#2007", "MeltanoLabs/tap-github#26"),
    ),
    FaultClass(
        "C21",
        "another order than assumed",
        "the order is not the assumed one, or changes with a parameter",
        ("Shopify/shopify_python_api#367", "airbytehq/airbyte#25727"),
    ),
    FaultClass(
        "C22",
        "newest saved before the walk was complete",
        "the newest event is saved as the checkpoint before a newest-first walk is complete",
        ("elastic/integrations#12873", "dlt-hub/dlt#1059"),
    ),
    FaultClass(
        "C23",
        "checkpoint from an unsorted page",
        "the checkpoint is the last or largest key of an unsorted page",
        ("elastic/integrations#3937", "singer-io/singer-tap-template#11"),
    ),
    FaultClass(
        "C24",
        "saved before delivered",
        "the checkpoint is saved before the delivery is durable",
        ("proteanhq/protean#1262", "netclaw-dev/netclaw#733"),
    ),
    FaultClass(
        "C25",
        "checkpoint not saved whole, or lost",
        "the checkpoint is not saved, or lost",
        ("bitwarden/splunk#189", "elastic/beats#24800"),
    ),
    FaultClass(
        "C26",
        "error taken for the end",
        "an error in the middle of a walk is taken for the end",
        ("pipeshub-ai/pipeshub-ai#3095", "stella/stella#3132"),
    ),
    FaultClass(
        "C27",
        "retry that repeats, or never finishes",
        "a retry repeats what was delivered, or a window never finishes",
        ("Azure/Azure-Sentinel#14984", "jgorset/facepy#147"),
    ),
    FaultClass(
        "C28",
        "ordered pause ignored",
        "the pause that the server asks for is ignored",
        ("icoretech/codex-pooler#390", "Metron-Project/mokkari#165"),
    ),
    FaultClass(
        "C29",
        "token expired, or not sent",
        "the token expires, or is not sent with every request",
        ("airbytehq/airbyte#70223", "PowerShell/PowerShell#27981"),
    ),
    FaultClass(
        "C30",
        "parameters of the next page damaged",
        "the parameters of the next page are damaged or dropped",
        ("DataBiosphere/azul#1812", "WeblateOrg/wlc#1514"),
    ),
    FaultClass(
        "C31",
        "rounded stamps",
        "stamps are rounded",
        ("confluentinc/kafka-connect-jdbc#70", "activepieces/activepieces#4671"),
    ),
    FaultClass(
        "C32",
        "local and universal time mixed up",
        "local and universal time are mixed up",
        ("airbytehq/airbyte#48492", "beestat/app#190"),
    ),
    FaultClass(
        "C33",
        "+ or space not percent-encoded",
        "a `+` or a space is not percent-encoded",
        ("BasedHardware/omi#6427", "up-banking/api#116"),
    ),
    FaultClass(
        "C34",
        "ids compared as text, or cut",
        "ids are compared as text, or lose digits",
        ("drt-hub/drt#44", "plhery/node-twitter-api-v2#73"),
    ),
    FaultClass(
        "C35",
        "null key",
        "a key is null",
        ("PostHog/posthog#76090", "airbytehq/airbyte#23908"),
    ),
    FaultClass(
        "C36",
        "cursor ahead of the log",
        "a stamp in the future, or the client's own clock, becomes the cursor",
        ("vscarpenter/gsd-task-manager#284", "mozilla-services/server-syncstorage#7"),
    ),
    FaultClass(
        "C37",
        "repeats recognised by something else than the id",
        "repeats are recognised by something else than the id",
        ("Logflare/logflare#155", "OpenTSDB/tcollector#58"),
    ),
    FaultClass(
        "C38",
        "memory for known ids too short",
        "the memory for known ids is shorter than the look-back, or grows without bound",
        ("BlueBubblesApp/bluebubbles-server#835", "dlt-hub/dlt#4030"),
    ),
    FaultClass(
        "C39",
        "two runs with one checkpoint",
        "two runs share one checkpoint",
        ("elastic/logstash#13470", "agno-agi/agno#10199"),
    ),
    FaultClass(
        "C40",
        "cursor or data expired",
        "the cursor or its data expire before the client comes back",
        ("PostHog/posthog#52055", "twentyhq/twenty#5563"),
    ),
)

FAULT_CLASSES: Mapping[str, FaultClass] = {found.id: found for found in _ALL}
"""Every class by its id."""
