"""Verbs of policies, the provider pool and the negative list."""

from __future__ import annotations

from google.protobuf.message import Message

from adapters.runtime.policy_faults import FieldFault
from adapters.runtime.policy_file import PolicyFileError, policy_from_mapping
from hub.cli.scenario import parties
from hub.cli.scenario.acting import Sender
from hub.cli.scenario.answers import done, outcome
from hub.cli.scenario.arguments import Args, Unsendable
from hub.cli.scenario.model import Outcome
from hub.cli.scenario.stage import Stage
from hub.domain.divisions import COORDINATION
from yrd.credit.v1 import credit_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2

_REGISTRY = "yrd.registry.v1.RegistryService"
_CREDIT = "yrd.credit.v1.CreditService"
_NO_REASON = "未说明"


async def publish_policy(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Publish a policy as its issuer."""
    try:
        policy = policy_from_mapping(args.without("by", "request_id"))
    except PolicyFileError as error:
        raise Unsendable(str(error)) from None
    request = policy_pb2.PublishPolicyRequest(request_id=args.request_id(), policy=policy)

    def read(response: policy_pb2.PublishPolicyResponse) -> Outcome:
        stage.policies[policy.issuer, policy.version] = policy
        return done("PUBLISHED")

    return outcome(await sender.send(args.by(policy.issuer), "yrd.policy.v1.PolicyService.PublishPolicy", request), read)


async def recognize(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Recognise a provider as the issuer."""
    try:
        recognition = parties.recognition(args.without("by", "request_id"), stage.names)
    except FieldFault as fault:
        raise Unsendable(f"{'.'.join(map(str, fault.spot))}: {fault.message}") from None
    request = registry_pb2.RecognizeProviderRequest(request_id=args.request_id(), recognition=recognition)
    result = await sender.send(args.by(recognition.issuer), f"{_REGISTRY}.RecognizeProvider", request)
    return outcome(result, lambda _: done("RECOGNIZED"))


async def revoke_recognition(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """End a recognition as the issuer."""
    issuer, provider = args.text("issuer"), stage.names.code(args.text("provider"))
    request = registry_pb2.RevokeRecognitionRequest(request_id=args.request_id(), issuer=issuer, provider=provider)
    result = await sender.send(args.by(issuer), f"{_REGISTRY}.RevokeRecognition", request)
    return outcome(result, lambda _: done("REVOKED"))


async def suspend_provider(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Suspend a provider as its home province."""
    request = registry_pb2.SuspendProviderRequest(request_id=args.request_id(), provider=_provider(stage, args), reason=_reason(args))
    return await _standing(stage, args, sender, "SuspendProvider", request, "SUSPENDED")


async def reinstate_provider(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Reinstate a provider as its home province."""
    request = registry_pb2.ReinstateProviderRequest(request_id=args.request_id(), provider=_provider(stage, args), reason=_reason(args))
    return await _standing(stage, args, sender, "ReinstateProvider", request, "REINSTATED")


async def sanction_enterprise(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Put an enterprise on the negative list as its own division."""
    uscc = stage.names.code(args.text("enterprise"))
    request = credit_pb2.SanctionEnterpriseRequest(request_id=args.request_id(), enterprise=uscc, reason=_reason(args))
    result = await sender.send(_division(stage, args), f"{_CREDIT}.SanctionEnterprise", request)
    return outcome(result, lambda _: done("SANCTIONED"))


async def clear_enterprise(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Take an enterprise off the negative list as its own division."""
    uscc = stage.names.code(args.text("enterprise"))
    request = credit_pb2.ClearEnterpriseRequest(request_id=args.request_id(), enterprise=uscc, reason=_reason(args))
    result = await sender.send(_division(stage, args), f"{_CREDIT}.ClearEnterprise", request)
    return outcome(result, lambda _: done("CLEAR"))


async def _standing(stage: Stage, args: Args, sender: Sender, method: str, request: Message, status: str) -> Outcome:
    actor = args.by(stage.home(args.text("provider")) or COORDINATION)
    return outcome(await sender.send(actor, f"{_REGISTRY}.{method}", request), lambda _: done(status))


def _provider(stage: Stage, args: Args) -> str:
    return stage.names.code(args.text("provider"))


def _division(stage: Stage, args: Args) -> str:
    known = stage.scenario.enterprises.get(args.text("enterprise"))
    return args.by(known.division if known is not None else COORDINATION)


def _reason(args: Args) -> str:
    return args.text("reason", _NO_REASON)
