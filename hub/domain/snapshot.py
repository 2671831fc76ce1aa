"""What one decision may look at: the rows of its command, put together by the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from hub.domain.model import Agreement, ClassRule, Enterprise, InvoiceUse, OrderState, Provider, Recognition, Redemption, Wallet
from hub.domain.policy import Policy


@dataclass(slots=True, init=False)
class Snapshot:
    """All that one decision may read. Absent things are None; nothing else exists for the decision."""

    enterprise: Enterprise | None
    provider: Provider | None
    policy: Policy | None
    recognitions: tuple[Recognition, ...]
    class_rules: tuple[ClassRule, ...]
    agreements: tuple[Agreement, ...]
    wallet: Wallet | None
    order: OrderState | None
    redemption: Redemption | None
    invoice_uses: tuple[InvoiceUse, ...]

    def __init__(
        self,
        enterprise: Enterprise | None = None,
        provider: Provider | None = None,
        policy: Policy | None = None,
        recognitions: tuple[Recognition, ...] = (),
        class_rules: tuple[ClassRule, ...] = (),
        agreements: tuple[Agreement, ...] = (),
        wallet: Wallet | None = None,
        order: OrderState | None = None,
        redemption: Redemption | None = None,
        invoice_uses: tuple[InvoiceUse, ...] = (),
    ) -> None:
        self.enterprise, self.provider, self.policy = enterprise, provider, policy
        self.recognitions, self.class_rules, self.agreements = recognitions, class_rules, agreements
        self.wallet, self.order, self.redemption, self.invoice_uses = wallet, order, redemption, invoice_uses
