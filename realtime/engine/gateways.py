"""The gateways that this worker sends through: the installation's own, and those that a number brings along."""

from uuid import UUID

from mychatflow.settings import Settings
from mychatflow.store.cipher import TenantCipher
from realtime.channels.waha import WahaClient
from realtime.engine.work import Number

_CONNECTIONS = 500


class Gateways:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[tuple[str, str], WahaClient] = {}

    def of(self, number: Number, *, instance_id: UUID, cipher: TenantCipher) -> WahaClient:
        """Raises cipher.Unreadable for a key that nobody can open."""
        address, key = self._settings.gateway_url, self._settings.gateway_key
        if number.base_url:
            address = number.base_url
            key = cipher.decrypt(number.api_key, row_id=instance_id) if number.api_key else ""
        if (address, key) not in self._clients:
            self._clients[address, key] = WahaClient(address, key, connections=_CONNECTIONS)
        return self._clients[address, key]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
