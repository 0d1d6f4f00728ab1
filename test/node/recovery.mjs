/*
 * How long a start takes on a large store that was killed with a full write-ahead log: it is filled by batches of whole
 * orders, killed, and started again.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { api, auditCleanMeanwhile, killServer, newKey, send, startServer, stopServer } from './harness.mjs';

const SKUS = Array.from({ length: 200 }, (_, i) => `R-${i}`);
const ORDERS_A_BATCH = 500;
const BATCHES_AT_ONCE = 4;
const UNITS = 1000000;
const WAL_BYTES_FULL = 3900 * 4120; /* about where the log is moved into the database */

const sizeOf = (file) => (fs.existsSync(file) ? fs.statSync(file).size : 0);

async function stock(client) {
  await client.put('/v1/locations/leeds', { name: 'Leeds', priority: 1 });
  for (const sku of SKUS) {
    await client.put(`/v1/items/${sku}`, { name: sku }, { status: 201 });
    await client.put(`/v1/levels/${sku}/leeds`, { on_hand: UNITS }, { headers: { 'If-None-Match': '*' }, status: 201 });
  }
}

/* Every operation of a batch does what it was asked; gives what they say. So many are not held against the document. */
async function batch({ server, agent }, operations) {
  const body = JSON.stringify({ operations });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), 'Idempotency-Key': newKey() };
  const { status, text } = await send(server, 'POST', '/v1/batch', { headers, body, agent });
  assert.equal(status, 200, text.slice(0, 500));
  const json = JSON.parse(text);
  assert.ok(json.results.every(({ status }) => status === 200 || status === 201), JSON.stringify(json.results[0]));
  return json.results.map(({ body }) => body);
}

/* Orders that are made, and most of them shipped. */
async function sell(client, turn) {
  const reserve = (i) => ({ op: 'reserve', lines: [{ sku: SKUS[(turn * 7 + i) % SKUS.length], quantity: 1 }], ttl_s: 86400, reference: newKey() });
  const made = await batch(client, Array.from({ length: ORDERS_A_BATCH }, (_, i) => reserve(i)));
  const shipped = made.slice(0, ORDERS_A_BATCH * 0.9);
  await batch(client, [...shipped.map(({ id }) => ({ op: 'commit', id })), ...shipped.map(({ id }) => ({ op: 'fulfill', id }))]);
  return ORDERS_A_BATCH + 2 * shipped.length;
}

/* Sells until `isEnough`; gives the number of operations. */
async function sellUntil(client, lanes, isEnough) {
  let [operations, turn] = [0, 0];
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (!isEnough()) {
      operations += await sell(client, turn++);
    }
  }));
  return operations;
}

/* Gives what was measured. */
export async function recover(bytes) {
  const server = await startServer();
  const client = await api(server);
  const [database, log] = [`${server.data}/onhand.db`, `${server.data}/onhand.db-wal`];
  await stock(client);
  const began = performance.now();
  let operations = await sellUntil(client, BATCHES_AT_ONCE, () => sizeOf(database) >= bytes);
  const fill_s = (performance.now() - began) / 1000;
  client.close();
  /* A log that starts anew: then it is filled to just below the mark. */
  await stopServer(server);
  const filled = await startServer({ data: server.data });
  const again = await api(filled);
  operations += await sellUntil(again, 1, () => sizeOf(log) >= WAL_BYTES_FULL * 0.9);
  again.close();
  await killServer(filled);
  const sizes = { database_bytes: sizeOf(database), log_bytes: sizeOf(log) };
  const recovered = await startServer({ data: server.data });
  await stopServer(recovered);
  await auditCleanMeanwhile(server.data);
  return { operations, fill_s, ...sizes, clean_start_ms: filled.ready_ms, recovery_ms: recovered.ready_ms };
}
