"""A provider with the key of the person's account: out of the environment, or the keyring."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Keyring
from sovdeck.remote.http_json import JsonApi
from sovdeck.remote.rent.provider import PROVIDER_NAMES, Provider
from sovdeck.remote.rent.providers import autodl, lambda_cloud, runpod, vast
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.sign_in import WritableKeyring

# NAME=http://127.0.0.1:PORT, comma between several: a simulator in a provider's place.
SIMULATORS_VARIABLE = "SOVDECK_RENT_SIMULATORS"
SIMULATED_KEY = "simulated-5150"


@dataclass(frozen=True)
class _Kind:
    """variable: of the environment, as the provider's own tools read it. scheme: before the key."""

    make: Callable[[JsonApi], Provider]
    base: str
    variable: str
    scheme: str = "Bearer "


_KINDS: Mapping[str, _Kind] = {
    "runpod": _Kind(runpod.RunPodAccount, runpod.BASE, "RUNPOD_API_KEY"),
    "vast": _Kind(vast.VastAccount, vast.BASE, "VAST_API_KEY"),
    "lambda": _Kind(lambda_cloud.LambdaAccount, lambda_cloud.BASE, "LAMBDA_API_KEY"),
    "autodl": _Kind(autodl.AutoDLAccount, autodl.BASE, "AUTODL_TOKEN", scheme=""),
}
assert tuple(_KINDS) == PROVIDER_NAMES


def keyring_account(provider: str) -> str:
    """Return the keyring's account name for a provider's key."""
    return f"rent:{provider}"


def find_key(provider: str, keyring: Keyring) -> Secret | None:
    """Return the key of the account; None where there is none.

    While providers are simulated no real key is sent anywhere, and no other provider is asked.
    """
    simulators = find_simulators()
    if simulators:
        return Secret(SIMULATED_KEY) if provider in simulators else None
    given = os.environ.get(_KINDS[provider].variable, "").strip()
    return Secret(given) if given else keyring.get_password(keyring_account(provider))


def open_provider(
    name: str,
    keyring: Keyring,
    *,
    key: Secret | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Provider:
    """Return a provider ready to be asked; Problem `remote.rent.no_key` without a key for it.

    key: one that is tried, in place of the one that is kept.
    """
    kind = _KINDS[name]
    key = key or find_key(name, keyring)
    if key is None:
        raise Problem("remote.rent.no_key", ExitCode.CONFIG, provider=name, variable=kind.variable)

    def headers() -> Mapping[str, str]:
        return {"Authorization": kind.scheme + key.reveal()}

    base = find_simulators().get(name, kind.base)
    return kind.make(JsonApi(name, base, headers, sleep=sleep))


def keep_key(provider: str, key: Secret, keyring: WritableKeyring) -> int:
    """Keep a key in the keyring, once the provider has taken it; return how many servers it lists.

    Problem `remote.rent.no_key_given` for an empty one; a refused one is not kept.
    """
    if not key.reveal():
        raise Problem("remote.rent.no_key_given", ExitCode.CONFIG, provider=provider)
    count = len(open_provider(provider, keyring, key=key).list_instances())
    keyring.set_password(keyring_account(provider), key)
    return count


def open_providers(keyring: Keyring) -> list[Provider]:
    """Return every provider there is a key for; Problem `remote.rent.no_keys` without any."""
    known = [name for name in _KINDS if find_key(name, keyring) is not None]
    if not known:
        raise Problem("remote.rent.no_keys", ExitCode.CONFIG, known=", ".join(_KINDS))
    return [open_provider(name, keyring) for name in known]


def find_simulators() -> dict[str, str]:
    """Return the addresses of simulators by the provider whose place they take."""
    pairs = (each.partition("=") for each in os.environ.get(SIMULATORS_VARIABLE, "").split(","))
    return {name.strip(): address.strip() for name, _, address in pairs if address}
