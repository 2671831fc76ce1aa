"""One set of Kafka settings serves both directions; a misspelt one is told."""

from __future__ import annotations

import pytest
from kafka import KafkaConsumer, KafkaProducer

from adapters.runtime.kafka_open import known_to

GIVEN = {"security_protocol": "SSL", "session_timeout_ms": 3000, "linger_ms": 20}


def test_each_direction_takes_the_settings_it_knows() -> None:
    assert known_to(KafkaProducer, GIVEN) == {"security_protocol": "SSL", "linger_ms": 20}
    assert known_to(KafkaConsumer, GIVEN) == {"security_protocol": "SSL", "session_timeout_ms": 3000}


def test_a_misspelt_setting_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="ssl_cafil"):
        known_to(KafkaProducer, {"ssl_cafil": "ca.pem"})
