/*
 * Clients of a cluster: they talk to whichever node they please, ask again elsewhere with the same key when one does not
 * answer, and write down what they were told.
 *
 * Load is a history for the checker: it knows receipts, adjustments, reservations, commits and releases. Orders trade in everything
 * there is, cancellations and parts sent off as well, and know themselves what must have become of it.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { api, newKey, send, sleep, until } from '../node/harness.mjs';
import { CLIENTS, History, LATE_MS, now } from '../node/history.mjs';
import { Trade } from '../node/trade.mjs';

const PATIENCE_MS = 3000; /* then a client asks elsewhere */
const LAST_MS_MAX = 60000; /* for what is under way when the load ends */
const RETRY_MS = 50;
const SETTLE_S = 60; /* time enough to commit one */
const PROBE_EVERY_MS = 50;
const PROBE_THROUGH_MS = 250; /* a node keeps one that it has handed on for as long as it waits for the answer */
const PROBE_MS_MAX = 30000;

export class Load extends History {
  /*
   * Availability is read from one node alone: each view is behind by its own time, and only one of them never goes back.
   * `away_ms`: for so long nothing can be written, and no hold expire. `pause_ms`: of a client after each answer.
   */
  constructor(seed, cluster, { viewReads = true, away_ms = 0, pause_ms = 0 } = {}) {
    super(seed, Infinity, LATE_MS + away_ms);
    this.pause_ms = pause_ms;
    this.cluster = cluster;
    this.nodes = [...cluster.inventories, ...cluster.availabilities];
    this.view = cluster.availabilities[0];
    this.viewReads = viewReads;
    this.server = this.view;
    this.acknowledged = []; /* when a write was, performance.now() */
    this.reservations = new Set(); /* that were acknowledged */
    this.retryMs = RETRY_MS;
    this.unread = 0;
    this.exported = false;
    this.stale = 0;
    this.deadline = Infinity;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
  }

  /* Besides, one reservation that is committed and stays so. */
  async stock() {
    await super.stock();
    let order = this.reservation();
    while (order.body.ttl_s < SETTLE_S) {
      order = this.reservation();
    }
    this.settled = (await this.ask(0, order, { mayGiveUp: false })).json.id;
    this.pool = [this.settled];
    const { json } = await this.ask(0, this.end('commit'), { mayGiveUp: false });
    assert.equal(json.state, 'committed');
    this.pool = [];
  }

  next() {
    const operation = super.next();
    return !this.viewReads && /^availability /.test(operation.what) ? this.level() : operation;
  }

  send({ key, target, body }) {
    const node = /^\/v1\/availability\//.test(target) ? this.view : this.pick(this.nodes);
    /* Some hang up at once and ask again. */
    const timeout_ms = key !== null && this.random(60) === 0 ? 1 : PATIENCE_MS;
    if (key === null) {
      return send(node, 'GET', target, { agent: this.agent, timeout_ms });
    }
    assert.ok(performance.now() < this.deadline, `there is no answer to ${target}`);
    const bytes = JSON.stringify(body);
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key, 'Content-Length': Buffer.byteLength(bytes) };
    return send(node, 'POST', target, { headers, body: bytes, agent: this.agent, timeout_ms });
  }

  /* A read is not asked again. What a view shows while it says that it may have missed something is no record. */
  async ask(client, operation, options) {
    if (this.pause_ms > 0) {
      await sleep(this.pause_ms);
    }
    if (operation.key !== null) {
      return super.ask(client, operation, options);
    }
    const invoke = now();
    let answer;
    try {
      const { status, text } = await this.send(operation);
      answer = { status, json: JSON.parse(text) };
    } catch {
      this.unread++;
      return null;
    }
    assert.ok(answer.status === 200 || answer.status === 503, `${operation.what}: ${answer.status} ${JSON.stringify(answer.json)}`);
    if (answer.status === 200 && answer.json.stale !== true) {
      this.record(client, operation, { invoke, end: now(), answer });
    } else {
      this.unread++;
      this.stale += answer.json.stale === true ? 1 : 0;
      await sleep(1);
    }
    return answer;
  }

  learn(operation, answer) {
    super.learn(operation, answer);
    if (operation.key !== null && answer.status < 300) {
      this.acknowledged.push(performance.now());
      if (operation.target === '/v1/reservations') {
        this.reservations.add(answer.json.id);
      }
    }
  }

  /* How many writes were acknowledged in this time, for each second. */
  rate(from, to) {
    return this.acknowledged.filter((at) => at >= from && at < to).length * 1000 / (to - from);
  }

  /* Runs the clients until `meanwhile` has ended and what they began then, too. A client that is told nonsense ends it at once. */
  async during(meanwhile) {
    this.wanted = Infinity;
    this.deadline = Infinity;
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, i) => this.client(i + 1)));
    try {
      const doing = meanwhile();
      doing.catch(() => {}); /* should the clients fail first */
      await Promise.race([doing, clients]);
    } finally {
      this.wanted = 0;
      this.deadline = performance.now() + LAST_MS_MAX;
    }
    await clients;
  }

  /* Until so many more writes were acknowledged. */
  async writes(count) {
    const due = this.acknowledged.length + count;
    await until(() => this.acknowledged.length >= due || this.wanted === 0, `${count} writes`, LAST_MS_MAX);
  }

  /* Once: what others do afterwards is none of the checker's business. */
  async exportAll() {
    if (!this.exported) {
      await super.exportAll();
      this.exported = true;
    }
  }

  close() {
    this.agent.destroy();
  }
}

/*
 * How long after now a node has a write done: small ones are begun at short intervals, whatever became of the earlier, and the
 * first that is acknowledged counts. What is written is the answer to committing again what is committed: it moves nothing.
 */
export async function untilWritten(load, node) {
  const every_ms = node.name.startsWith('a') ? PROBE_THROUGH_MS : PROBE_EVERY_MS;
  const begun = performance.now();
  const probes = { taken: null };
  while (probes.taken === null) {
    assert.ok(performance.now() - begun < PROBE_MS_MAX, `no write through ${node.name} in ${PROBE_MS_MAX} ms`);
    probe(load, node, probes, begun);
    await sleep(every_ms);
  }
  return Math.round(probes.taken);
}

async function probe(load, node, probes, begun) {
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': newKey(), 'Content-Length': 2 };
  try {
    const target = `/v1/reservations/${load.settled}/commit`;
    const { status } = await send(node, 'POST', target, { headers, body: '{}', timeout_ms: PROBE_MS_MAX });
    if (status === 200) {
      probes.taken ??= performance.now() - begun;
    }
  } catch {
    /* another one is on its way */
  }
}

/* Trade through all nodes, which are on this machine. */
export class Orders {
  constructor(seed, cluster) {
    this.trade = new Trade(seed);
    const nodes = [...cluster.inventories, ...cluster.availabilities];
    const pick = () => nodes[Math.floor(Math.random() * nodes.length)];
    this.anyone = { get port() { return pick().port; } };
    this.good = cluster.availabilities[0];
  }

  stock() {
    return this.trade.stock(this.good);
  }

  during(meanwhile) {
    return this.trade.during(this.anyone, meanwhile, { patient: true });
  }

  verify() {
    return this.trade.verify(this.good);
  }

  told() {
    const { acknowledged, retried, unavailable } = this.trade;
    return `${acknowledged} answers, ${retried} asked again without an answer, ${unavailable} times 503`;
  }

  verifyAll() {
    return this.trade.verify(this.good, { all: true });
  }
}

/* All rows of a list of the API. */
export async function walk(node, target) {
  const client = await api(node);
  const rows = await client.walk(target);
  client.close();
  return rows;
}
