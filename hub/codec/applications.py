"""Applications for vouchers to messages."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from hub.codec.encode import timestamp
from hub.domain.model import WalletKey
from yrd.voucher.v1 import voucher_pb2 as pb


class ApplicationLike(Protocol):
    """An application, wherever it was read."""

    @property
    def application_id(self) -> str:
        """Its id."""
        ...

    @property
    def wallet(self) -> WalletKey:
        """Issuer and enterprise."""
        ...

    @property
    def kind(self) -> str:
        """APPLICATION or TOP_UP."""
        ...

    @property
    def requested(self) -> int:
        """Face asked for, fen."""
        ...

    @property
    def approved(self) -> int:
        """Face approved, fen."""
        ...

    @property
    def state(self) -> str:
        """State of the review."""
        ...

    @property
    def filed_at(self) -> datetime:
        """When it was filed."""
        ...


def application_message(item: ApplicationLike) -> pb.VoucherApplication:
    """An application as participants see it."""
    return pb.VoucherApplication(
        application_id=item.application_id,
        issuer=item.wallet.issuer,
        enterprise=item.wallet.enterprise,
        kind=pb.ApplicationKind.Value(f"APPLICATION_KIND_{item.kind}"),
        requested_fen=item.requested,
        approved_fen=item.approved,
        state=pb.ApplicationState.Value(f"APPLICATION_STATE_{item.state}"),
        filed_at=timestamp(item.filed_at),
    )
