/*
 * Clients that trade with a server that may fail under them, and what they know of it: what was acknowledged must be
 * there, what has no answer is asked again with its key and has one effect, and every unit is accounted for.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { api, newKey, send, sleep } from './harness.mjs';

/* More than a minute, for which a server may be made to stand still. */
const ANSWER_MS_MAX = 180000;
const SKUS = Array.from({ length: 8 }, (_, i) => `T-${i}`);
const LOCATIONS = ['leeds', 'york'];
const START = 200; /* on_hand of each level */
const CONNECTIONS = 16;
const RETRY_MS = 50;
/* Business refusals that may happen: too little is left, or a correction took units that were promised. */
const REFUSALS = { reserve: 'insufficient_stock', fulfill: 'negative_quantity', adjust: 'negative_quantity' };
const NEXT = { reserve: 'held', commit: 'committed', fulfill: 'fulfilled', release: 'released', cancel: 'cancelled' };
const COURSES = [['commit', 'fulfill'], ['commit', 'fulfill'], ['commit', 'cancel'], ['release'], ['commit'], []];

/* Numbers from a seed: random(n) is 0..n-1. */
export function randomFrom(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % n;
  };
}

const stockLines = (lines) => lines.map(({ sku, location, quantity }) => ({ sku, location, quantity }));

export class Trade {
  constructor(seed) {
    this.random = randomFrom(seed);
    this.states = new Map(); /* the last acknowledged state of each reservation, and its lines */
    this.changed = new Set(); /* reservations to look at */
    this.open = []; /* operations without an answer */
    this.net = new Map(SKUS.map((sku) => [sku, 0])); /* units that acknowledged writes added to on_hand */
    this.acknowledged = 0;
    this.retried = 0;
    this.unavailable = 0; /* answers 503 */
  }

  async stock(server) {
    const client = await api(server);
    await client.stock(Object.fromEntries(SKUS.map((sku) => [sku, Object.fromEntries(LOCATIONS.map((place) => [place, START]))])));
    client.close();
  }

  /* Runs `meanwhile` under load; with `patient` the clients outlast a 503, otherwise it ends them like a broken line. */
  async during(server, meanwhile, { patient = false } = {}) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const load = { server, agent, patient, over: false };
    const clients = Promise.all(Array.from({ length: CONNECTIONS }, () => this.buyer(load)));
    clients.catch(() => {});
    try {
      await meanwhile();
    } finally {
      load.over = true;
    }
    await clients;
    agent.destroy();
  }

  /* One client: orders that go all the way, part of it, or back. */
  async buyer(load) {
    try {
      while (!load.over) {
        await this.order(load);
      }
    } catch (error) {
      if (error.code === 'ERR_ASSERTION') {
        throw error;
      }
    }
  }

  async order(load) {
    if (this.random(5) === 0) {
      await this.attempt(load, this.adjustment());
      return;
    }
    const { status, json } = await this.attempt(load, this.reservation());
    for (const verb of status === 201 ? COURSES[this.random(COURSES.length)] : []) {
      await this.attempt(load, { verb, target: `/v1/reservations/${json.id}/${verb}`, key: newKey(), body: {} });
    }
  }

  adjustment() {
    const [sku, location, delta] = [SKUS[this.random(SKUS.length)], LOCATIONS[this.random(2)], this.random(40) - 12];
    const lines = [{ sku, location, quantity: 'on_hand', delta: delta === 0 ? 5 : delta }];
    return { verb: 'adjust', target: '/v1/adjustments', key: newKey(), body: { lines, reason: 'load' }, sku, delta: lines[0].delta };
  }

  reservation() {
    const first = this.random(SKUS.length);
    const lines = [{ sku: SKUS[first], quantity: 1 + this.random(3) }, { sku: SKUS[(first + 1) % SKUS.length], quantity: 1 }];
    return { verb: 'reserve', target: '/v1/reservations', key: newKey(), body: { lines: lines.slice(this.random(2)), ttl_s: 86400 } };
  }

  async write({ server, agent }, operation) {
    const body = JSON.stringify(operation.body);
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': operation.key, 'Content-Length': Buffer.byteLength(body) };
    const answer = await send(server, 'POST', operation.target, { headers, body, agent, timeout_ms: ANSWER_MS_MAX });
    return { status: answer.status, replayed: answer.headers['idempotent-replayed'] === 'true', json: JSON.parse(answer.text) };
  }

  async attempt(load, operation) {
    let answer;
    for (;;) {
      try {
        answer = await this.write(load, operation);
      } catch (error) {
        this.open.push(operation);
        throw error;
      }
      if (answer.status !== 503 && answer.json.code !== 'idempotency_key_in_flight') {
        break;
      }
      this.unavailable++;
      if (!load.patient || load.over) {
        this.open.push(operation);
        throw new Error('503');
      }
      await sleep(RETRY_MS);
    }
    this.learn(operation, answer);
    return answer;
  }

  /* Takes an answer into what is known; the operation is over. */
  learn(operation, { status, json }) {
    this.acknowledged++;
    if (status === 409 && json.code === REFUSALS[operation.verb]) {
      return;
    }
    assert.ok(status === 200 || status === 201, `${operation.verb}: ${status} ${JSON.stringify(json)}`);
    if (operation.verb === 'adjust') {
      this.net.set(operation.sku, this.net.get(operation.sku) + operation.delta);
      return;
    }
    assert.equal(json.state, NEXT[operation.verb]);
    this.states.set(json.id, { state: json.state, lines: stockLines(json.lines) });
    this.changed.add(json.id);
    for (const { sku, quantity } of operation.verb === 'fulfill' ? json.lines : []) {
      this.net.set(sku, this.net.get(sku) - quantity);
    }
  }

  /* What never got an answer is sent again with the same key, twice: one effect, one answer. */
  async retry(load) {
    await Promise.all(this.open.splice(0).map(async (operation) => {
      const first = await this.write(load, operation);
      const second = await this.write(load, operation);
      assert.equal(second.replayed, true);
      assert.deepEqual([second.status, second.json], [first.status, first.json]);
      this.learn(operation, first);
      this.retried++;
    }));
  }

  /* The server has what it acknowledged, since the last time that this was asked or, with `all`, ever, and no more. */
  async verify(server, { all = false } = {}) {
    const client = await api(server);
    await this.retry({ server, agent: client.agent });
    if (all) {
      await this.verifyReservations(client);
    } else {
      await Promise.all([...this.changed].map(async (id) =>
        this.verifyReservation((await client.get(`/v1/reservations/${id}`, { status: 200 })).json)));
    }
    this.changed.clear();
    await this.verifyLevels(client);
    client.close();
  }

  verifyReservation({ id, state, lines }) {
    assert.deepEqual({ state, lines: stockLines(lines) }, this.states.get(id), `${id} is as it was acknowledged`);
  }

  async verifyReservations(client) {
    const isOurs = ({ lines }) => lines.every(({ sku }) => SKUS.includes(sku));
    const rows = (await client.walk('/v1/reservations')).filter(isOurs);
    rows.forEach((row) => this.verifyReservation(row));
    assert.equal(new Set(rows.map(({ id }) => id)).size, this.states.size, 'each reservation that was acknowledged is there');
    assert.equal(rows.length, this.states.size, 'and none twice');
  }

  /* on_hand is what acknowledged writes made it, and the promises are those that are open. */
  async verifyLevels(client) {
    const open = new Map(SKUS.map((sku) => [sku, { held: 0, committed: 0 }]));
    for (const { state, lines } of this.states.values()) {
      for (const { sku, quantity } of state === 'held' || state === 'committed' ? lines : []) {
        open.get(sku)[state] += quantity;
      }
    }
    for (const sku of SKUS) {
      const { json } = await client.get(`/v1/levels/${sku}`, { status: 200 });
      const sum = (name) => json.levels.reduce((units, level) => units + level[name], 0);
      const expected = { on_hand: LOCATIONS.length * START + this.net.get(sku), reserved: open.get(sku).held, committed: open.get(sku).committed };
      assert.deepEqual({ on_hand: sum('on_hand'), reserved: sum('reserved'), committed: sum('committed') }, expected, sku);
      for (const level of json.levels) {
        assert.ok(['on_hand', 'reserved', 'committed'].every((name) => level[name] >= 0), JSON.stringify(level));
      }
    }
  }
}
