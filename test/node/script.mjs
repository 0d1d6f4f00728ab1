/*
 * A fixed script of requests, for faults that hit one call of the program to the kernel: what the script knows from the
 * run with the fault is held against what the next start finds, and both against a run without one.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {
  abandonServers, api, auditCleanMeanwhile, killServer, launchServer, sleep, startServer, stopServer, temporaryDirectory,
} from './harness.mjs';

const WAL_BYTES_BEFORE = 900 * 4120; /* the script's own writes pass the mark at which the log is moved */
const FILLER_BYTES = 4000;
const FILLERS_MAX = 5000; /* ten times as many as it takes */
const EXIT_MS_MAX = 15000;
const RETRY_MS = 50;
/* store failed while running; data directory cannot be opened */
const FAIL_STOP = [70, 73];
const SKUS = ['F-0', 'F-1', 'F-2'];

/* ---- The script ---- */

const reserve = (name, lines) => ({ name, target: '/v1/reservations', body: { lines, ttl_s: 86400 }, status: 201 });
const act = (of, verb, body = {}) => ({ target: ({ [of]: made }) => `/v1/reservations/${made.id}/${verb}`, body, status: 200 });
const adjust = (sku, delta, status = 201) =>
  ({ target: '/v1/adjustments', body: { lines: [{ sku, location: 'leeds', quantity: 'on_hand', delta }], reason: 'script' }, status });
const line = (sku, quantity) => ({ sku, quantity });

function script() {
  const steps = [];
  for (const i of [0, 1, 2, 3]) {
    const [a, b] = [SKUS[i % 3], SKUS[(i + 1) % 3]];
    steps.push(
      reserve(`sold${i}`, [line(a, 3), line(b, 1)]), act(`sold${i}`, 'commit'), act(`sold${i}`, 'fulfill', { lines: [line(a, 2)] }),
      act(`sold${i}`, 'fulfill'), act(`sold${i}`, 'return', { lines: [line(a, 1)] }),
      reserve(`released${i}`, [line(b, 2)]), act(`released${i}`, 'extend', { ttl_s: 86400 }), act(`released${i}`, 'release'),
      { method: 'PUT', target: `/v1/items/F-${i % 3}`, body: { name: `Name ${i}` }, status: 200 },
      adjust(a, i % 2 === 0 ? 7 : -4));
  }
  steps.push(
    adjust('F-0', -1000000, 409), reserve('kept', [line('F-2', 5)]), reserve('cancelled', [line('F-0', 1)]),
    act('cancelled', 'commit'), act('cancelled', 'cancel'),
    { target: '/v1/receipts', body: { lines: [{ ...line('F-1', 9), location: 'york' }] }, status: 201 },
    { target: '/v1/transfers', body: { from: 'leeds', to: 'york', lines: [line('F-1', 4)] }, status: 201 });
  return steps;
}

export const STEPS = script();

/* What one run of the script was told: the answer of each step, and what the steps made. */
export const newRun = () => ({ answers: [], made: {} });

async function ask(client, run, i) {
  const { method = 'POST', target, body, name, status } = STEPS[i];
  const at = typeof target === 'function' ? target(run.made) : target;
  const answer = await client.request(method, at, { body, key: method === 'POST' ? `step-${i}` : null });
  if (answer.status !== 503) {
    assert.equal(answer.status, status, `step ${i}: ${answer.text}`);
    run.made[name ?? i] = answer.json;
  }
  return answer;
}

/* Runs until the end or until the server is gone. A 503 asks again: the fault comes once. */
export async function runScript(server, run) {
  const client = await api(server);
  try {
    while (run.answers.length < STEPS.length) {
      const answer = await ask(client, run, run.answers.length);
      if (answer.status !== 503) {
        run.answers.push(answer);
      } else {
        await sleep(RETRY_MS);
      }
    }
  } catch (error) {
    if (error.code === 'ERR_ASSERTION') {
      throw error;
    }
  } finally {
    client.close();
  }
}

/* ---- How a run ends ---- */

/* A server that serves, or how it ended instead. */
export async function startOrEnd(options) {
  const server = launchServer(options);
  try {
    await server.ready;
    return { server };
  } catch {
    return { end: await endOf(server, false) };
  }
}

/* The server ends by itself, or by our kill when it goes on. */
export async function endOf(server, goesOn) {
  if (goesOn) {
    await killServer(server);
    return null;
  }
  const late = setTimeout(() => server.child.kill('SIGABRT'), EXIT_MS_MAX);
  const end = await server.exited;
  clearTimeout(late);
  return end;
}

/* It stops by itself, with a code of its own. */
export function checkFailStop(end) {
  assert.ok(end.signal === null && FAIL_STOP.includes(end.code), `it stops by itself, with its own code: ${JSON.stringify(end)}`);
}

/* ---- What the world is like when the script is through ---- */

async function summary(client) {
  const levels = {};
  for (const sku of SKUS) {
    const { json } = await client.get(`/v1/levels/${sku}`, { status: 200 });
    levels[sku] = json.levels.map(({ location, version, on_hand, reserved, committed, damaged }) =>
      ({ location, version, on_hand, reserved, committed, damaged }));
  }
  const items = (await client.walk('/v1/items')).map(({ sku, name }) => `${sku} ${name}`);
  const reservations = (await client.walk('/v1/reservations')).map(({ state }) => state);
  return { levels, items, reservations, movements: (await client.walk('/v1/movements')).length };
}

/* Every answer that was given is given again byte by byte; what had none has one effect, however often it is asked. */
async function goOn(client, run) {
  const given = run.answers.splice(0);
  for (let i = 0; i < STEPS.length; i++) {
    const answer = await ask(client, run, i);
    const before = given[i] ?? answer;
    const again = given[i] === undefined ? await ask(client, run, i) : answer;
    if (STEPS[i].method !== 'PUT') {
      assert.equal(again.headers['idempotent-replayed'], 'true', `step ${i} was done already`);
      assert.deepEqual([again.status, again.text], [before.status, before.text], `step ${i} answers as before`);
    }
  }
}

/* The next start, and what is found after it; `ready_ms` is how long it took. */
export async function settle(data, run) {
  const server = await startServer({ data });
  const client = await api(server);
  await goOn(client, run);
  const found = await summary(client);
  client.close();
  await stopServer(server);
  await auditCleanMeanwhile(data);
  return { found, ready_ms: server.ready_ms };
}

/* ---- The data it runs on ---- */

/*
 * Data with stock and a long write-ahead log, as a kill leaves it. What fills the log is one large item, written again
 * and again: so the data stays small, and quick to look through.
 */
export async function makeFixture() {
  const data = temporaryDirectory();
  const server = await startServer({ data });
  const client = await api(server);
  await client.stock(Object.fromEntries(SKUS.map((sku) => [sku, { leeds: 1000, york: 1000 }])));
  const attributes = { filler: 'x'.repeat(FILLER_BYTES) };
  for (let i = 0; fs.statSync(`${data}/onhand.db-wal`).size < WAL_BYTES_BEFORE; i++) {
    assert.ok(i < FILLERS_MAX, 'the log grows to where the script begins before it is moved');
    await client.put('/v1/items/FILLER', { name: `Filler ${i}`, attributes }, { status: i === 0 ? 201 : 200 });
  }
  client.close();
  await killServer(server);
  return data;
}

/* Runs `use` on a copy of the fixture; nothing is left of it, nor of a server on it. */
export async function onCopy(fixture, use) {
  const data = temporaryDirectory();
  fs.cpSync(fixture, data, { recursive: true });
  try {
    return await use(data);
  } finally {
    await abandonServers(data);
    fs.rmSync(data, { recursive: true });
  }
}
