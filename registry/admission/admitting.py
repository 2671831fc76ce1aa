"""Admission of applicants, after the public notice and when no objection is open; renewal of those in the pool."""

from __future__ import annotations

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal
from registry.admission import application, application_store, criteria_store, domain
from registry.admission.application import Act, State
from registry.admission.application_codec import stored_applicant
from registry.admission.changing import change, claim
from registry.admission.criteria import Applicant, Criteria
from registry.admission.domain import Member
from registry.admission.tables import AdmissionApplicationRow as Row
from yrd.registry.v1 import admission_pb2 as pb


async def admit_applicant(tx: Transaction, request: pb.AdmitApplicantRequest) -> pb.AdmitApplicantResponse | Refusal:
    """Admit an applicant from today on, or renew its admission.

    APPLICATION_NOT_FOUND; NOT_PERMITTED for anyone but the home's platform; INVALID_STATE before the notice is over, while an objection is
    open, or where the application is over; ALREADY_EXISTS where the provider was admitted with another home meanwhile.
    """
    row = await application_store.find(tx, Fields(), request.application_id, lock=True)
    if isinstance(row, Refusal):
        return row
    refusal = application.may_decide(tx.caller, row.home) or await _refused(tx, row)
    if refusal is not None:
        return refusal
    criteria = await criteria_store.by_id(tx.session, row.criteria_id)
    applicant = stored_applicant(row)
    known = await claim(tx, _member(applicant, None, criteria, tx))
    refusal = domain.moved(known, row.home) if known else None
    if refusal is not None:
        return refusal
    cause, after = domain.admit(known, _member(applicant, known, criteria, tx))
    message = await application_store.happen(tx, row, Act.ADMIT)
    if isinstance(message, Refusal):
        return message
    provider = await change(tx, known, after, cause, application_id=row.application_id)
    return pb.AdmitApplicantResponse(application=message, provider=provider)


async def _refused(tx: Transaction, row: Row) -> Refusal | None:
    state = application.after(State(row.state), Act.ADMIT)
    if isinstance(state, Refusal):
        return state
    objections = await application_store.open_objections(tx.session, [row.application_id])
    return application.admission_refused(row.notice_until, objections.get(row.application_id, 0), tx.today)


def _member(applicant: Applicant, known: Member | None, criteria: Criteria, tx: Transaction) -> Member:
    """What the applicant is in the pool; one that is there keeps its first day and its rating."""
    here = known if known is not None and known.removed_on is None else None
    return Member(
        uscc=applicant.uscc,
        name=applicant.name,
        home=applicant.home,
        categories=applicant.categories,
        admitted_on=here.admitted_on if here else tx.today,
        rating=here.rating if here else 0,
        valid_until=domain.lasts_until(here, criteria.validity_months, tx.today),
    )
