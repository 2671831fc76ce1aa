"""Who may do what in Kafka: each province its own topics and consumer groups, the hub what it needs, nobody anything else.

Kafka refuses by default what no entry allows (`allow.everyone.if.no.acl.found=false`, as it is unless set). The right to write to an
in-topic is the identity of a province's commands, so these entries are the door of the exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType
from kafka.errors import KafkaError

from hub.messaging.client import opened
from hub.messaging.topics import TopicPlan, dead_topic, in_topic, out_topic, pool_topic

ANY_HOST = "*"


class Grant(NamedTuple):
    """One entry: `principal` (such as `User:yrd-330000`) may do `operation` to a topic, group or the cluster, from anywhere."""

    principal: str
    operation: str
    kind: str
    name: str
    prefixed: bool = False


def default_principal(prefix: str, division: str) -> str:
    """Return the principal of a province where no other is named, such as `User:yrd-330000`."""
    return f"User:{prefix}-{division}"


def groups_of(prefix: str, division: str) -> str:
    """Return what the names of a province's consumer groups begin with, such as `yrd.330000.`."""
    return f"{prefix}.{division}."


def province_grants(prefix: str, division: str, principal: str) -> list[Grant]:
    """Return what one province needs: write its in-topic; read its out-topic, its dead letters and the pool, in groups of its own.

    Transactional ids are not among it: a command's request id makes it take effect once, and a foreign transaction left open would
    keep readers waiting. Idempotent producers need no entry beside the right to write.
    """
    reads = (out_topic(prefix, division), dead_topic(prefix, division), pool_topic(prefix))
    grants = [Grant(principal, operation, "TOPIC", in_topic(prefix, division)) for operation in ("DESCRIBE", "WRITE")]
    grants += [Grant(principal, operation, "TOPIC", topic) for topic in reads for operation in ("DESCRIBE", "READ")]
    return [*grants, Grant(principal, "READ", "GROUP", groups_of(prefix, division), prefixed=True)]


def hub_grants(plan: TopicPlan, principal: str, group: str) -> list[Grant]:
    """Return what the hub's own roles need: read every in-topic in their group, write every other topic, make what is missing."""
    grants = [Grant(principal, "READ", "GROUP", group)]
    inbound = plan.inbound()
    for name in plan.names():
        operations = ("DESCRIBE", "READ") if name in inbound else ("DESCRIBE", "WRITE")
        grants += [Grant(principal, operation, "TOPIC", name) for operation in (*operations, "CREATE")]
    return grants


def plan_grants(plan: TopicPlan, principals: Mapping[str, str], hub_principal: str, group: str) -> list[Grant]:
    """Return every entry of an exchange. `principals` names those of provinces that differ from the default.

    Raise ValueError where two provinces, or a province and the hub, would share a principal: one could then speak for the other.
    """
    strangers = sorted(set(principals) - set(plan.divisions))
    if strangers:
        raise ValueError(f"{', '.join(strangers)}: no province of this exchange")
    named = {division: principals.get(division) or default_principal(plan.prefix, division) for division in plan.divisions}
    everyone = [*named.values(), hub_principal]
    wrong = [name for name in everyone if not name.startswith("User:") or name == "User:*" or name == "User:"]
    if wrong:
        raise ValueError(f"{wrong[0]!r}: a principal reads User:<name>")
    if len(set(everyone)) < len(everyone):
        raise ValueError("every province and the hub need a principal of their own")
    grants = [grant for division, principal in named.items() for grant in province_grants(plan.prefix, division, principal)]
    return [*hub_grants(plan, hub_principal, group), *grants]


def apply_grants(bootstrap: str, client_config: Mapping[str, Any], grants: Sequence[Grant]) -> None:
    """Have Kafka keep the entries; those it has already stay. Blocks. Raises kafka.errors.KafkaError, as where Kafka has no authorizer."""
    client = opened(KafkaAdminClient, bootstrap, {"bootstrap_timeout_ms": 5_000}, client_config)
    try:
        failed = client.create_acls([_acl(grant) for grant in grants])["failed"]
        if failed:
            acl, error = failed[0]
            raise error if isinstance(error, KafkaError) else KafkaError(f"{acl}: {error}")
    finally:
        client.close()


def shell_lines(bootstrap: str, grants: Sequence[Grant]) -> list[str]:
    """Return the same entries as calls of Kafka's own `kafka-acls.sh`, for an operator who keeps the rights to do so himself."""
    return [
        f"kafka-acls.sh --bootstrap-server {bootstrap} --add --allow-principal '{each.principal}' --operation {each.operation.title()} "
        f"--{each.kind.lower()} '{each.name}'" + (" --resource-pattern-type prefixed" if each.prefixed else "")
        for each in grants
    ]


def _acl(grant: Grant) -> ACL:
    pattern = ACLResourcePatternType.PREFIXED if grant.prefixed else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(ResourceType[grant.kind], grant.name, pattern)
    return ACL(grant.principal, ANY_HOST, ACLOperation[grant.operation], ACLPermissionType.ALLOW, resource)
