"""Reads of applications, each scoped to the caller's side, and of public notices, which are everyone's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.application.within import stem
from hub.codec.fields import Fields
from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal, not_permitted
from registry.admission import application, application_store
from registry.admission.application import Act, State
from registry.admission.application_codec import STATE_IN, history_message, notice_message, step_message
from registry.admission.positions import identifier, instant
from registry.admission.tables import AdmissionApplicationRow as Row
from yrd.registry.v1 import admission_pb2 as pb


async def get_application(tx: Transaction, request: pb.GetApplicationRequest) -> pb.GetApplicationResponse | Refusal:
    """Return an application with its steps and history. APPLICATION_NOT_FOUND; NOT_PERMITTED for who may not see it."""
    row = await application_store.find(tx, Fields(), request.application_id)
    if isinstance(row, Refusal):
        return row
    refusal = application.may_see(tx.caller, row.provider, row.home)
    if refusal is not None:
        return refusal
    (message,) = await application_store.messages(tx.session, [row])
    events = await application_store.history(tx.session, row)
    applicant = tx.caller.role is Role.PROVIDER
    return pb.GetApplicationResponse(
        application=message,
        steps=[step_message(item, applicant=applicant) for item in events if item.cause == Act.REVIEW],
        history=[history_message(item, applicant=applicant) for item in events],
    )


async def list_applications(tx: Transaction, request: pb.ListApplicationsRequest) -> pb.ListApplicationsResponse | Refusal:
    """List applications, newest first. NOT_PERMITTED for a home or a provider that is not on the caller's side."""
    fields = Fields()
    wanted: list[Any] = []
    if request.home:
        wanted.append(col(Row.home).startswith(stem(fields.division("home", request.home))))
    if request.provider:
        wanted.append(col(Row.provider) == fields.uscc("provider", request.provider))
    if request.state:
        wanted.append(col(Row.state) == fields.enum("state", request.state, STATE_IN).value)
    refusal = fields.refusal or _foreign(tx.caller, request)
    page = refusal or keyset.read_page(tx.caller, request, instant, identifier)
    if isinstance(page, Refusal):
        return page
    order = (col(Row.filed_at), col(Row.application_id))
    statement = select(Row).where(*_visible(tx.caller), *wanted).order_by(*(part.desc() for part in order)).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(tuple_(*order) < page.after)
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda row: [row.filed_at.isoformat(), str(row.application_id)])
    return pb.ListApplicationsResponse(applications=await application_store.messages(tx.session, shown), next_page_token=token)


def _foreign(caller: Caller, request: pb.ListApplicationsRequest) -> Refusal | None:
    """Asking for another side by name is refused, not answered with nothing."""
    others_home = bool(request.home) and caller.role is Role.PLATFORM and not caller.acts_for(request.home)
    others_own = bool(request.provider) and caller.role is Role.PROVIDER and not caller.is_provider(request.provider)
    if others_home or others_own:
        return not_permitted("只能查看本地区或本机构的申请", "only applications of the caller's own side are listed")
    return None


def _visible(caller: Caller) -> list[Any]:
    if caller.role is Role.COORDINATOR:
        return []
    if caller.role is Role.PLATFORM:
        return [col(Row.home).startswith(stem(caller.division))]
    return [col(Row.provider) == caller.participant_id.rpartition("/provider-")[2]]


async def list_public_notices(tx: Transaction, request: pb.ListPublicNoticesRequest) -> pb.ListPublicNoticesResponse | Refusal:
    """List what is under public notice today, the first to end first."""
    fields = Fields()
    wanted: list[Any] = [Row.state == State.PUBLIC_NOTICE.value, col(Row.notice_until) > tx.today]
    if request.home:
        wanted.append(col(Row.home).startswith(stem(fields.division("home", request.home))))
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.day, identifier)
    if isinstance(page, Refusal):
        return page
    order = (col(Row.notice_until), col(Row.application_id))
    statement = select(Row).where(*wanted).order_by(*order).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda row: [str(row.notice_until), str(row.application_id)])
    return pb.ListPublicNoticesResponse(notices=[notice_message(row) for row in shown], next_page_token=token)
