/*
 * kill -9 under load, again and again on the same data: what was acknowledged is there, what was not acknowledged can
 * be asked again with the same key and has one effect, and the books balance.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { api, auditClean, finish, killServer, newKey, send, sleep, startServer, temporaryDirectory } from './harness.mjs';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 50);
const CONNECTIONS = 16;
const AUDIT_EVERY = 5;
const SKUS = Array.from({ length: 8 }, (_, i) => `C-${i}`);
const LOCATIONS = ['leeds', 'york'];

/* A seed can be given to choose the same operations again; the moment of the kill stays the machine's. */
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 2147483647);
let random_state = seed;
function random(n) {
  random_state = (Math.imul(random_state, 1103515245) + 12345) & 0x7fffffff;
  return (random_state >>> 8) % n;
}
const pick = (list) => list[random(list.length)];

/*
 * What the clients know. `sent` holds each write whose answer never came; `acknowledged` each reservation's last
 * answered state; `net` the units that acknowledged adjustments and fulfilments added to on_hand.
 */
const known = { acknowledged: new Map(), sent: [], operations: 0, retried: 0, net: new Map(SKUS.map((sku) => [sku, 0])) };

async function write(server, agent, operation) {
  const body = JSON.stringify(operation.body);
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': operation.key, 'Content-Length': Buffer.byteLength(body) };
  const { status, text, headers: got } = await send(server, 'POST', operation.target, { headers, body, agent });
  const replayed = got['idempotent-replayed'] === 'true';
  return { status, replayed, json: JSON.parse(text) };
}

/* Business refusals that may happen: too little is left, or a correction took units that were promised. */
const REFUSALS = { reserve: 'insufficient_stock', fulfill: 'negative_quantity' };
const NEXT = { reserve: 'held', commit: 'committed', fulfill: 'fulfilled', release: 'released', cancel: 'cancelled' };

/* Takes an answer into what is known; the operation is over. */
function learn(operation, { status, json }) {
  known.operations++;
  if (operation.verb === 'adjust') {
    if (status === 201) {
      known.net.set(operation.sku, known.net.get(operation.sku) + operation.delta);
    } else {
      assert.equal(`${status} ${json.code}`, '409 negative_quantity');
    }
    return;
  }
  if (status === 409 && json.code === REFUSALS[operation.verb]) {
    return;
  }
  assert.ok(status === 200 || status === 201, `${operation.verb}: ${status} ${JSON.stringify(json)}`);
  assert.equal(json.state, NEXT[operation.verb]);
  known.acknowledged.set(json.id, { state: json.state, lines: json.lines });
  if (operation.verb === 'fulfill') {
    for (const { sku, quantity } of json.lines) {
      known.net.set(sku, known.net.get(sku) - quantity);
    }
  }
}

function adjustment() {
  const [sku, delta] = [pick(SKUS), random(40) - 12];
  const lines = [{ sku, location: pick(LOCATIONS), quantity: 'on_hand', delta: delta === 0 ? 5 : delta }];
  return { verb: 'adjust', target: '/v1/adjustments', key: newKey(), body: { lines, reason: 'load' }, sku, delta: lines[0].delta };
}

function reservation() {
  const first = random(SKUS.length);
  const lines = [{ sku: SKUS[first], quantity: 1 + random(3) }];
  if (random(3) === 0) {
    lines.push({ sku: SKUS[(first + 1) % SKUS.length], quantity: 1 });
  }
  return { verb: 'reserve', target: '/v1/reservations', key: newKey(), body: { lines, ttl_s: 86400 } };
}

const step = (verb, id) => ({ verb, target: `/v1/reservations/${id}/${verb}`, key: newKey(), body: {} });

/* One client: orders that go all the way, part of it, or back; it ends when the server is gone. */
async function buyer(server, agent) {
  for (;;) {
    if (random(5) === 0) {
      await attempt(server, agent, adjustment());
      continue;
    }
    const { status, json } = await attempt(server, agent, reservation());
    if (status !== 201) {
      continue;
    }
    for (const verb of pick([['commit', 'fulfill'], ['commit', 'fulfill'], ['commit', 'cancel'], ['release'], ['commit'], []])) {
      await attempt(server, agent, step(verb, json.id));
    }
  }
}

async function attempt(server, agent, operation) {
  let answer;
  try {
    answer = await write(server, agent, operation);
  } catch (error) {
    known.sent.push(operation);
    throw error;
  }
  if (answer.status === 503) {
    known.sent.push(operation);
    throw new Error('503');
  }
  learn(operation, answer);
  return answer;
}

async function loadAndKill(server) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const clients = Array.from({ length: CONNECTIONS }, () => buyer(server, agent).catch((error) => {
    if (error.code === 'ERR_ASSERTION') {
      throw error;
    }
  }));
  const load = Promise.all(clients);
  load.catch(() => {});
  await sleep(20 + Math.floor(Math.random() * 350));
  await killServer(server);
  await load;
  agent.destroy();
}

/* What never got an answer is sent again with the same key, twice: one effect, one answer. */
async function retry(server, agent) {
  for (const operation of known.sent.splice(0)) {
    const first = await write(server, agent, operation);
    const second = await write(server, agent, operation);
    assert.equal(second.replayed, true);
    assert.deepEqual([second.status, second.json], [first.status, first.json]);
    learn(operation, first);
    known.retried++;
  }
}

async function verify(server, ids) {
  const client = await api(server);
  await retry(server, client.agent);
  for (const id of ids) {
    const { json } = await client.get(`/v1/reservations/${id}`, { status: 200 });
    const { state, lines } = known.acknowledged.get(id);
    assert.equal(json.state, state, `${id} is as it was acknowledged`);
    assert.deepEqual(json.lines.map(({ sku, location, quantity }) => ({ sku, location, quantity })),
      lines.map(({ sku, location, quantity }) => ({ sku, location, quantity })));
  }
  await verifyLevels(client);
  client.close();
}

/* Every unit is accounted for: on_hand is what acknowledged writes made it, and the promises are those that are open. */
async function verifyLevels(client) {
  const open = new Map();
  for (const { state, lines } of known.acknowledged.values()) {
    for (const { sku, quantity } of state === 'held' || state === 'committed' ? lines : []) {
      const entry = open.get(sku) ?? { held: 0, committed: 0 };
      entry[state] += quantity;
      open.set(sku, entry);
    }
  }
  for (const sku of SKUS) {
    const { json } = await client.get(`/v1/levels/${sku}`, { status: 200 });
    const sum = (name) => json.levels.reduce((units, level) => units + level[name], 0);
    for (const level of json.levels) {
      assert.ok(['on_hand', 'reserved', 'committed'].every((name) => level[name] >= 0), JSON.stringify(level));
    }
    assert.equal(sum('on_hand'), START + known.net.get(sku), `${sku} on_hand`);
    assert.equal(sum('reserved'), open.get(sku)?.held ?? 0, `${sku} reserved`);
    assert.equal(sum('committed'), open.get(sku)?.committed ?? 0, `${sku} committed`);
  }
}

const START = 400;

test(`${ROUNDS} times kill -9 under load (CRASH_SEED=${seed})`, async () => {
  const data = temporaryDirectory();
  let server = await startServer({ data });
  const client = await api(server);
  await client.stock(Object.fromEntries(SKUS.map((sku) => [sku, { leeds: START / 2, york: START / 2 }])));
  client.close();
  for (let round = 1; round <= ROUNDS; round++) {
    const before = new Map([...known.acknowledged].map(([id, { state }]) => [id, state]));
    await loadAndKill(server);
    if (round % AUDIT_EVERY === 0) {
      auditClean(data);
    }
    server = await startServer({ data });
    const changed = [...known.acknowledged].filter(([id, { state }]) => before.get(id) !== state).map(([id]) => id);
    await verify(server, changed);
  }
  await verify(server, [...known.acknowledged.keys()]);
  await finish(server);
  assert.ok(known.operations > ROUNDS * 20, `there was load: ${known.operations} operations`);
  assert.ok(known.retried > ROUNDS, `the kills hit requests in flight: ${known.retried}`);
});
