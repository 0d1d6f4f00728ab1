/*
 * The distributed system as processes of one machine: a PostgreSQL, with a synchronous standby if it is wanted, a broker (NATS,
 * unless another kind is wanted), some nodes of inventory and of availability. Each has a name, `i1` and `a1` for instance, and can be killed, frozen or started again.
 *
 * Inventory and availability are supervised: one that ends with an exit code that asks for it is started again, any other end is
 * a failure of the test. With `proxied` there is a proxy between each node of inventory and PostgreSQL.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Process, freePort } from '../../demo/processes.mjs';
import { BINARY, send, until } from '../node/harness.mjs';
import { Broker } from './broker.mjs';
import { Postgres } from './postgres.mjs';
import { Proxy } from './proxy.mjs';

/* A start that does not reach its database; the store failed; another leads. */
const AGAIN = [69, 70, 75];
const RESTART_MS = 200; /* a supervisor does not begin anew at once */
const START_MS_MAX = 30000;
const LOG_LINES_SHOWN = 25;

/* Where a node runs and is reached: here. */
export const HERE = { host: '127.0.0.1', wrap: [] };

export class Cluster {
  constructor({ inventories = 2, availabilities = 2, standby = false, proxied = false, bus = 'nats', placeOf = () => HERE,
    addresses = '127.0.0.1', serversHost = '127.0.0.1' } = {}) {
    Object.assign(this, { standby, proxied, bus, placeOf, addresses, serversHost });
    Object.assign(this, { failures: [], stopped: false, nodes: new Map(), proxies: new Map() });
    this.inventoryNames = Array.from({ length: inventories }, (_, i) => `i${i + 1}`);
    this.availabilityNames = Array.from({ length: availabilities }, (_, i) => `a${i + 1}`);
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-services-'));
    fs.chmodSync(this.root, 0o755);
    process.on('exit', () => fs.rmSync(this.root, { recursive: true, force: true }));
  }

  static async start(options) {
    const cluster = new Cluster(options);
    try {
      await cluster.begin();
    } catch (error) {
      error.message += `\n${cluster.report()}`;
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async begin() {
    await Promise.all([this.startPostgres(), this.startBroker()]);
    for (const name of [...this.inventoryNames, ...this.availabilityNames]) {
      this.nodes.set(name, { name, ...this.placeOf(name), port: await freePort() });
    }
    for (const name of this.inventoryNames) {
      await this.addInventory(this.node(name));
    }
    this.availabilityNames.forEach((name) => this.addAvailability(this.node(name)));
    await this.ready(START_MS_MAX);
  }

  async startPostgres() {
    this.postgres = await Postgres.start(this.root, this.addresses);
    this.second = this.standby ? await this.postgres.startStandby(this.root) : null;
  }

  async startBroker() {
    const address = this.addresses === '127.0.0.1' ? '127.0.0.1' : '0.0.0.0';
    this.broker = await Broker.start({ kind: this.bus, root: this.root, address, host: this.serversHost });
  }

  node(name) {
    return this.nodes.get(name);
  }

  get inventories() {
    return this.inventoryNames.map((name) => this.node(name));
  }

  get availabilities() {
    return this.availabilityNames.map((name) => this.node(name));
  }

  /* ---- The nodes ---- */

  async addInventory(node) {
    let at = { host: this.serversHost, port: this.postgres.port };
    if (this.proxied) {
      const proxy = new Proxy({ host: '127.0.0.1', port: this.postgres.port });
      at = { host: '127.0.0.1', port: await freePort() };
      await proxy.listen(at.port);
      this.proxies.set(node.name, proxy);
    }
    this.run(node, ['inventory', '--store', `postgresql://postgres@${at.host}:${at.port}/postgres`]);
  }

  addAvailability(node) {
    const urls = this.inventories.map(({ host, port }) => `http://${host}:${port}`).join(',');
    this.run(node, ['availability', '--inventory', urls]);
  }

  run(node, args) {
    node.data = path.join(this.root, node.name);
    const argv = [...node.wrap, BINARY, ...args, '--host', node.host, '--port', String(node.port), '--data', node.data,
      '--bus', this.broker.url, '--node', node.name];
    node.process = new Process(node.name, argv, { again: AGAIN, failed: (why) => this.failures.push(why), restartMs: RESTART_MS });
    node.process.start();
  }

  async isReady(node) {
    try {
      return (await send(node, 'GET', '/readyz', { timeout_ms: 1000 })).status === 200;
    } catch {
      return false;
    }
  }

  /* Until every node is. */
  async ready(ms = START_MS_MAX) {
    await until(async () => {
      this.assertWell();
      const all = await Promise.all([...this.nodes.values()].map((node) => this.isReady(node)));
      return all.every((ready) => ready);
    }, 'all nodes to be ready', ms);
  }

  /* No node ended in a way that nobody asked for. */
  assertWell() {
    assert.deepEqual(this.failures, [], 'nodes live as long as they should');
  }

  /* Who leads, by the books. */
  async leader() {
    const url = await this.postgres.query('SELECT leader FROM onhand.partition');
    return this.inventories.find(({ host, port }) => url === `http://${host}:${port}`) ?? null;
  }

  async epoch() {
    return Number(await this.postgres.query('SELECT epoch FROM onhand.partition'));
  }

  /* The one that leads, and another that could. */
  async leaderAndOther() {
    const leader = await this.leader();
    assert.ok(leader !== null, 'somebody leads');
    return { leader, other: this.inventories.find((node) => node !== leader) };
  }

  /* The standby is the database from now on. */
  switchToSecond() {
    [this.postgres, this.second] = [this.second, this.postgres];
    this.proxies.forEach((proxy) => {
      proxy.target = { host: '127.0.0.1', port: this.postgres.port };
    });
  }

  /* ---- The end ---- */

  report() {
    const processes = [this.postgres, this.second, this.broker, ...this.nodes.values()].map((one) => one?.process);
    return processes.filter((one) => one !== undefined)
      .map(({ name, log }) => `==== ${name}\n${log.trim().split('\n').slice(-LOG_LINES_SHOWN).join('\n')}`).join('\n');
  }

  async stop() {
    this.stopped = true;
    for (const { process: one } of this.nodes.values()) {
      await one?.kill('SIGKILL');
    }
    this.proxies.forEach((proxy) => proxy.close());
    await this.broker?.stop();
    await this.second?.stopAtOnce();
    await this.postgres?.stopAtOnce();
    fs.rmSync(this.root, { recursive: true, force: true });
  }

  /* A clean end: everything leaves with exit code 0. */
  async stopWell() {
    for (const { process: one } of this.nodes.values()) {
      assert.equal(await one.kill('SIGTERM'), 0, `${one.name} stops well`);
    }
  }
}
