"""Sends one command over Kafka and waits for its outcome. Needs kafka-python and the generated protobuf classes.

    python kafka_command.py localhost:9092            # the address `deltahub up` prints; a topic prefix may follow (default yrd)

The command registers a firm of Changxing county as the platform of Zhejiang: `yrd.330000.in.v1` in, `yrd.330000.out.v1` back.
"""

from __future__ import annotations

import sys
import time
import uuid
from datetime import UTC, datetime

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from yrd.common.v1 import refusal_pb2, types_pb2
from yrd.events.v1 import events_pb2
from yrd.participant.v1 import participant_pb2

PROVINCE = "330000"
METHOD = "yrd.participant.v1.EnterpriseService.RegisterEnterprise"
FIRM = "91330522MA2B12343A"
WAIT_SECONDS_MAX = 60


def main(bootstrap: str, prefix: str = "yrd") -> None:
    """Send the command, then read the province's own topic until its outcome comes."""
    request = participant_pb2.RegisterEnterpriseRequest(request_id=str(uuid.uuid4()))
    request.enterprise.uscc, request.enterprise.name, request.enterprise.division = FIRM, "示例科技有限公司", "330522"
    request.enterprise.kind, request.enterprise.sme_no = types_pb2.ENTERPRISE_KIND_TECH_SME, "2025330522A0000001"
    # One native record has one id, however often it is sent: the hub drops what it has seen.
    source_id = f"firm-{request.request_id}"
    headers = {
        "ce_specversion": "1.0",
        "ce_id": source_id,
        "ce_source": "//platform.example/330000",
        "ce_type": METHOD,
        "ce_time": datetime.now(UTC).isoformat(),
        "content-type": "application/protobuf",
    }
    outcomes = reader(bootstrap, f"{prefix}.{PROVINCE}.out.v1")
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    # The key orders: commands of one enterprise are handled in the order in which they were sent.
    sent = producer.send(
        f"{prefix}.{PROVINCE}.in.v1",
        key=FIRM.encode(),
        value=request.SerializeToString(),
        headers=[(name, text.encode()) for name, text in headers.items()],
    )
    sent.get(timeout=30)
    producer.close()
    print(f"sent     {METHOD} as {source_id}")
    report(await_outcome(outcomes, source_id))
    outcomes.close()


def reader(bootstrap: str, topic: str) -> KafkaConsumer:
    """Return a consumer of all partitions of a topic. A platform would keep its positions, and the ids of the events it has seen."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, part) for part in consumer.partitions_for_topic(topic)])
    consumer.seek_to_beginning()
    return consumer


def await_outcome(consumer: KafkaConsumer, source_id: str) -> events_pb2.CommandOutcome:
    """Return the outcome of a command; other events of the topic are passed over here."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                if dict(record.headers)["ce_type"] == b"yrd.events.v1.CommandOutcome":
                    outcome = events_pb2.CommandOutcome.FromString(record.value)
                    if outcome.source_id == source_id:
                        return outcome
    raise SystemExit("no outcome came")


def report(outcome: events_pb2.CommandOutcome) -> None:
    """Print what became of the command."""
    if outcome.WhichOneof("outcome") == "refusal":
        code = refusal_pb2.RefusalCode.Name(outcome.refusal.code).removeprefix("REFUSAL_CODE_")
        print(f"refused  {code} {outcome.refusal.zh} | {outcome.refusal.en}")
    else:
        response = participant_pb2.RegisterEnterpriseResponse.FromString(outcome.response)
        print(f"done     {response.enterprise.uscc} {response.enterprise.name}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
