/** The ledger of each connection, as `GET /v1/status?connections=1` shows it. */

import type { Ledger, LedgerConnection } from '../ring/ledger.js';
import type { Clients } from '../state/clients.js';
import { readSlot } from '../state/tables.js';

export function connectionViews(ledger: Ledger, clients: Clients): object[] {
  return ledger.connections().map((connection) => ({
    id: connection.slot,
    client: clientOf(connection, ledger, clients),
    pid: connection.peer?.pid ?? null,
    uid: connection.peer?.uid ?? null,
    gid: connection.peer?.gid ?? null,
    state: stateOf(connection),
    since: connection.sinceUs / 1e6,
    lines: connection.lines,
    bytes: connection.bytes,
    accepted: connection.accepted,
    rejected: connection.rejected,
    dropped: connection.dropped,
    in_flight: connection.inFlight,
    unread_bytes: connection.unreadBytes,
  }));
}

function stateOf({ isOpen, isSuperseded }: LedgerConnection): string {
  if (isSuperseded) return 'superseded';
  return isOpen ? 'open' : 'closing';
}

/** null: it said no hello, or its client is another connection's by now. */
function clientOf({ slot, client }: LedgerConnection, ledger: Ledger, clients: Clients): string | null {
  if (client === 0) return null;
  const id = readSlot(clients, client, () => Buffer.from(clients.idOf(client)).toString('utf8'));
  // Its client may have lost the slot before the id was read; then the connection says so now.
  return ledger.isSuperseded(slot) || id === undefined ? null : id;
}
