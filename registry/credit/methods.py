"""Use cases of the credit service, by the full name of their RPC."""

from __future__ import annotations

from hub.application.methods import Handle
from hub.application.transaction import UseCase
from registry.credit.asking import CreditQuestions
from registry.credit.negative_list import clear_enterprise, sanction_enterprise
from registry.credit.queries import get_credit_record, list_credit_queries, list_credit_records
from registry.credit.recording import (
    correct_credit,
    decide_credit_appeal,
    end_credit,
    file_credit_appeal,
    record_credit,
    refer_credit,
)

_SERVICE = "yrd.credit.v1.CreditService"

METHODS: dict[str, UseCase] = {
    f"{_SERVICE}.SanctionEnterprise": sanction_enterprise,
    f"{_SERVICE}.ClearEnterprise": clear_enterprise,
    f"{_SERVICE}.RecordCredit": record_credit,
    f"{_SERVICE}.CorrectCredit": correct_credit,
    f"{_SERVICE}.EndCredit": end_credit,
    f"{_SERVICE}.ReferCredit": refer_credit,
    f"{_SERVICE}.FileCreditAppeal": file_credit_appeal,
    f"{_SERVICE}.DecideCreditAppeal": decide_credit_appeal,
    f"{_SERVICE}.GetCreditRecord": get_credit_record,
    f"{_SERVICE}.ListCreditRecords": list_credit_records,
    f"{_SERVICE}.ListCreditQueries": list_credit_queries,
}


def handlers(questions: CreditQuestions) -> dict[str, Handle]:
    """Return what answers questions, which run outside the unit of work: reads that take tokens and leave a log."""
    return {f"{_SERVICE}.CheckCredit": questions.check, f"{_SERVICE}.GetPersonReference": questions.reference}
