"""The hub's public Python client: what a platform written in Python uses to call the hub.

async with HubClient("hub.example:8443", "hub.example:8080", Path("identity")) as hub:
    result = await hub.call("yrd.clearing.v1.ClearingService.Authorize", request)
    if result.refusal:
        print(result.code, result.refusal.zh)
"""

from hub.client.client import HubClient
from hub.client.identity import ClientIdentity
from hub.client.result import CallResult, HubRefused, item_result
from hub.client.retrying import RetryPolicy
from hub.client.tokens import TokenRefused, TokenSource

__all__ = ["CallResult", "ClientIdentity", "HubClient", "HubRefused", "RetryPolicy", "TokenRefused", "TokenSource", "item_result"]
