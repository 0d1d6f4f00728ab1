/*
 * Clients that write down what they ask and what they are told, for the checker of histories: test/history/record.h says
 * how a record looks. They fight for few units of few items, ask again with the same key until they know the outcome,
 * and sometimes never learn it.
 */
import { spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { api, BINARY, killServer, newKey, send, sleep, startServer, temporaryDirectory, until } from './harness.mjs';
import { randomFrom } from './trade.mjs';

export const CLIENTS = 32;
export const SKUS = Array.from({ length: 10 }, (_, i) => `H-${i}`);
const PLACE = 'leeds';
const START = 8; /* units of each item */
const POOL = 300; /* reservations that clients still have something to do with */
const TTL_S = [1, 1, 2, 600, 600, 600];
const EDGE_MS = 30; /* so long before its time someone takes up a hold that was left alone: a race with the clock */
const RETRY_MS = 5;
export const LATE_MS = 60000; /* a hold expires at the latest so long after its time; the server is away in between */
const SLACK_MS = 100;
export const CHECKER = path.join(path.dirname(BINARY), 'test/history/history_check');
const PHASE_MS_MAX = 240000;
const EXPORTS_MAX = 20; /* then it is not the clock that is to blame, and the checker shall see it */

export const now = () => process.hrtime.bigint();
const amounts = ({ on_hand, reserved, committed }) => `${on_hand} ${reserved} ${committed}`;

/* How each operation is asked, and how its answers are written down; `what` is the middle of its record. */
const told = {
  change: ({ json }) => `ok ${json.seq} ${json.lines[0].version} ${amounts(json.lines[0])}`,
  reservation: ({ json }) => `ok ${json.seq} ${json.id} ${Date.parse(json.expires_at)}`,
  end: ({ json }) => `ok ${json.seq} ${json.state}`,
  level: ({ json }) => `ok ${json.version} ${amounts(json)}`,
  availability: ({ json }) => `ok ${json.seq} ${json.version} ${json.quantity}`,
};
const refused = {
  negative_quantity: ({ shortfalls }) => `refused negative ${shortfalls[0].available}`,
  insufficient_stock: ({ shortfalls }) => `refused short ${shortfalls.map(({ sku, available }) => `${sku}:${available}`).join(',')}`,
  hold_expired: ({ state }) => `refused expired ${state}`,
  wrong_state: ({ state }) => `refused state ${state}`,
};

function movementRecord(m) {
  const delta = amounts({ on_hand: 0, reserved: 0, committed: 0, ...m.delta });
  return `movement ${m.seq} ${m.kind} ${m.sku} ${delta} ${amounts(m.after)} ${m.version} ${m.reservation_seq ?? '-'} ${Date.parse(m.at)} ${m.reference ?? '-'}`;
}

export class History {
  constructor(seed, operations, lateMs = LATE_MS) {
    this.random = randomFrom(seed);
    this.wanted = operations;
    this.retryMs = RETRY_MS;
    this.records = [`bounds ${lateMs} ${SLACK_MS}`];
    this.done = 0;
    this.unknown = 0;
    this.retried = 0;
    this.expired = 0;
    this.refusals = 0;
    this.exports = 0;
    this.died = null;
    this.mayDie = false; /* it is being killed, or stopped in the end */
    this.seen = 0; /* the highest seq that anyone was told */
    this.pool = [];
    this.aging = []; /* short holds that are left alone until they are about to run out, by time */
    this.last = new Map(SKUS.map((sku) => [sku, { on_hand: 0, reserved: 0, committed: 0 }]));
  }

  pick(list) {
    return list[this.random(list.length)];
  }

  /* ---- Operations ---- */

  change(kind, sku, units) {
    const line = kind === 'receive' ? { sku, location: PLACE, quantity: units } : { sku, location: PLACE, quantity: 'on_hand', delta: units };
    const key = newKey();
    return {
      key, told: told.change, what: `${kind} ${sku} ${units}`,
      target: kind === 'receive' ? '/v1/receipts' : '/v1/adjustments',
      body: { lines: [line], reference: key, ...(kind === 'adjust' ? { reason: 'load' } : {}) },
    };
  }

  /* What the last answer said is missing comes too, so that items never stay sold out for long. */
  receipt() {
    const sku = this.pick(SKUS);
    const { on_hand, reserved, committed } = this.last.get(sku);
    return this.change('receive', sku, 1 + this.random(4) + Math.max(0, reserved + committed - on_hand));
  }

  adjustment() {
    const sku = this.pick(SKUS);
    const tooMany = -(this.last.get(sku).on_hand + 1 + this.random(5));
    return this.change('adjust', sku, this.random(4) === 0 ? tooMany : this.pick([-2, -1, 1, 2]));
  }

  reservation() {
    const first = this.random(SKUS.length);
    const lines = Array.from({ length: this.pick([1, 1, 2, 3]) }, (_, i) => ({ sku: SKUS[(first + i) % SKUS.length], quantity: 1 + this.random(2) }));
    const key = newKey();
    const ttl_s = this.pick(TTL_S);
    return {
      key, told: told.reservation, target: '/v1/reservations', body: { lines, ttl_s, reference: key },
      what: `reserve ${ttl_s * 1000} ${lines.map(({ sku, quantity }) => `${sku}:${quantity}`).join(',')}`,
    };
  }

  /* Several clients may have the same reservation in mind. */
  end(verb) {
    while (this.aging.length > 0 && this.aging[0].due <= performance.now()) {
      this.pool.unshift(this.aging.shift().id);
    }
    if (this.pool.length === 0) {
      return this.reservation();
    }
    const at = this.random(2) * this.random(this.pool.length);
    const id = this.pool[at];
    if (this.random(3) > 0) {
      this.pool.splice(at, 1);
    }
    return { key: newKey(), told: told.end, what: `${verb} ${id}`, target: `/v1/reservations/${id}/${verb}`, body: {} };
  }

  level() {
    const sku = this.pick(SKUS);
    return { key: null, told: told.level, what: `level ${sku}`, target: `/v1/levels/${sku}/${PLACE}` };
  }

  availability() {
    const sku = this.pick(SKUS);
    const min_seq = this.random(2) === 0 ? 0 : this.seen;
    const target = `/v1/availability/${sku}${min_seq === 0 ? '' : `?min_seq=${min_seq}`}`;
    return { key: null, told: told.availability, what: `availability ${sku} ${min_seq}`, target };
  }

  next() {
    const n = this.random(100);
    const courses = [[10, () => this.receipt()], [18, () => this.adjustment()], [52, () => this.reservation()], [66, () => this.end('commit')],
      [78, () => this.end('release')], [92, () => this.level()], [100, () => this.availability()]];
    return courses.find(([below]) => n < below)[1]();
  }

  /* ---- Asking ---- */

  send({ key, target, body }) {
    /* Some hang up at once and ask again. */
    const timeout_ms = key !== null && this.random(60) === 0 ? 1 : 60000;
    if (key === null) {
      return send(this.server, 'GET', target, { agent: this.agent, timeout_ms });
    }
    const bytes = JSON.stringify(body);
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key, 'Content-Length': Buffer.byteLength(bytes) };
    return send(this.server, 'POST', target, { headers, body: bytes, agent: this.agent, timeout_ms });
  }

  /* The answer; null: there was none and it is not asked again. */
  async outcome(operation, { mayGiveUp = true } = {}) {
    for (;;) {
      assert.ok(this.died === null, `the server ended by itself; it said:\n${this.died?.output}`);
      try {
        const { status, text } = await this.send(operation);
        const answer = { status, json: JSON.parse(text) };
        if (status !== 503 && answer.json.code !== 'idempotency_key_in_flight') {
          return answer;
        }
      } catch (error) {
        if (error instanceof SyntaxError) {
          throw error;
        }
        if (mayGiveUp && operation.key !== null && this.random(6) === 0) {
          return null;
        }
      }
      this.retried++;
      await this.up;
      await sleep(this.retryMs);
    }
  }

  result(operation, answer) {
    if (answer.status === 200 || answer.status === 201) {
      return operation.told(answer);
    }
    const write = refused[answer.json.code];
    assert.ok(answer.status === 409 && write !== undefined, `${operation.what}: ${answer.status} ${JSON.stringify(answer.json)}`);
    this.refusals++;
    this.expired += answer.json.code === 'hold_expired' ? 1 : 0;
    return write(answer.json);
  }

  async ask(client, operation, options) {
    const invoke = now();
    const answer = await this.outcome(operation, options);
    const end = now();
    this.record(client, operation, { invoke, end, answer });
    return answer;
  }

  record(client, operation, { invoke, end, answer }) {
    const result = answer === null ? '- unknown' : `${end} ${this.result(operation, answer)}`;
    this.records.push(`op ${client} ${operation.key ?? '-'} ${operation.what} ${invoke} ${result}`);
    this.done++;
    if (answer === null) {
      this.unknown++;
    } else {
      this.learn(operation, answer);
    }
  }

  learn(operation, { status, json }) {
    if (operation.key !== null && json.seq !== undefined) {
      this.seen = Math.max(this.seen, json.seq);
    }
    if (operation.told === told.reservation && status === 201) {
      this.keep(operation, json.id);
    }
    if (status < 300 && (operation.told === told.level || operation.told === told.change)) {
      const level = json.lines?.[0] ?? json;
      this.last.set(level.sku, level);
    }
  }

  keep({ body: { ttl_s } }, id) {
    if (ttl_s === 1 && this.random(2) === 0) {
      this.aging.push({ id, due: performance.now() + 1000 - EDGE_MS });
      return;
    }
    this.pool.push(id);
    if (this.pool.length > POOL) {
      this.pool.splice(this.random(POOL), 1);
    }
  }

  async client(n) {
    while (this.done < this.wanted) {
      const operation = this.next();
      const answer = await this.ask(n, operation);
      if (answer !== null && operation.key !== null && this.random(40) === 0) {
        await this.ask(n, operation, { mayGiveUp: false });
      }
    }
  }

  /* ---- A run ---- */

  async stock() {
    const client = await api(this.server);
    await client.put(`/v1/locations/${PLACE}`, { name: 'Leeds', priority: 1 });
    for (const sku of SKUS) {
      await client.put(`/v1/items/${sku}`, { name: sku });
      await this.ask(0, this.change('receive', sku, START), { mayGiveUp: false });
    }
    client.close();
  }

  /* A server that ends by itself ends the run: nobody would answer any more. */
  async start(options) {
    const server = await startServer(options);
    server.exited.catch(() => {}).then(() => {
      this.died = this.mayDie ? this.died : server;
    });
    this.mayDie = false;
    this.server = server;
  }

  async crash() {
    let resolve;
    this.up = new Promise((done) => {
      resolve = done;
    });
    this.mayDie = true;
    await killServer(this.server);
    await sleep(this.random(150));
    await this.start({ data: this.server.data });
    resolve();
  }

  /* Runs the clients until there are enough operations; the server is killed `kills` times meanwhile. */
  async run(kills) {
    this.agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
    await this.start();
    await this.stock();
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, i) => this.client(i + 1)));
    clients.catch(() => {
      this.wanted = 0;
    });
    for (let kill = 1; kill <= kills; kill++) {
      const due = Math.floor(this.wanted * kill / (kills + 1));
      await until(() => this.done >= due || this.wanted === 0, `${due} operations`, PHASE_MS_MAX);
      if (this.wanted > 0) {
        await this.crash();
      }
    }
    await clients;
    this.mayDie = true;
    this.agent.destroy();
    await this.exportAll();
  }

  /* Until nothing came in between: a hold may still expire. Each movement is a version of one level. */
  async exportAll() {
    const client = await api(this.server);
    await until(async () => {
      const rows = await client.walk('/v1/movements');
      const levels = await Promise.all(SKUS.map((sku) => client.level(sku, PLACE)));
      const versions = levels.reduce((sum, { version }) => sum + version, 0);
      if (versions !== rows.length && this.exports++ < EXPORTS_MAX) {
        return false;
      }
      rows.forEach((row) => this.records.push(movementRecord(row))); /* there may be a million */
      levels.forEach((level) => this.records.push(`final ${level.sku} ${level.version} ${amounts(level)}`));
      return true;
    }, 'an export at rest', PHASE_MS_MAX);
    client.close();
  }
}

/* Holds the records against the checker; gives what it said. A history that it rejects is kept. */
export function check(records) {
  const file = path.join(temporaryDirectory(), 'history.txt');
  fs.writeFileSync(file, `${records.join('\n')}\n`);
  const { status, stdout, stderr } = spawnSync(CHECKER, [file], { encoding: 'utf8' });
  if (status !== 0) {
    const kept = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-history-')), 'history.txt');
    fs.copyFileSync(file, kept);
    assert.fail(`${kept}:\n${stdout}${stderr}`);
  }
  fs.rmSync(file);
  return stdout;
}
