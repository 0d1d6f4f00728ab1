/*
 * `make demo-services`: the highly available topology on this machine, a year of real trade through its gateway, and one process
 * after another killed meanwhile. At the end the books of the client, the audit of the store, the views and the cache must agree.
 *
 *   services.mjs [--seconds SECONDS] [--speed ORDERS_PER_SECOND]     seconds 0: the whole year
 *
 * Exit code 0: everything was right.
 */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Gateway } from './gateway.mjs';
import { Process, freePort, sleep, until } from './processes.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const BINARY = path.resolve(process.env.ONHAND_BIN ?? path.join(here, '../build/onhand'));
const PG = '/usr/lib/postgresql/15/bin';
const SPEED_DEFAULT = 250;
const SECONDS_DEFAULT = 100; /* the kills take most of it */
const CONNECTIONS = 32;
const CALM_MS = 4000; /* between one kill and the next */
const PROBE_MS = 50;
const AGES_MS = 200;
const WRITES_MS_MAX = 60000;
const SETTLE_MS_MAX = 60000;
const SKUS_OF_A_READ = 100;
const LEVELS_OF_A_READ = 1000;

/* ---- What is said ---- */

const begun = performance.now();
const verdicts = [];

const say = (text) => console.log(`[${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s] ${text}`);

function verdict(good, text) {
  verdicts.push(good);
  console.log(`${good ? 'ok    ' : 'WRONG '} ${text}`);
}

/* ---- One request ---- */

function ask(port, method, target, { body, headers = {}, timeout_ms = 15000 } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path: target, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.setTimeout(timeout_ms, () => request.destroy(new Error(`${method} ${target}: no answer in ${timeout_ms} ms`)));
    request.on('error', reject);
    request.end(body);
  });
}

const isReady = async (port) => {
  try {
    return (await ask(port, 'GET', '/readyz', { timeout_ms: 2000 })).status === 200;
  } catch {
    return false;
  }
};

/* ---- The system ---- */

class System {
  constructor() {
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-services-'));
    fs.chmodSync(this.root, 0o755);
    this.nodes = new Map();
  }

  directory(name) {
    const directory = path.join(this.root, name);
    fs.mkdirSync(directory, { mode: 0o755, recursive: true });
    return directory;
  }

  async start() {
    await this.startPostgres();
    await this.startNats();
    await this.startRedis();
    for (const name of ['i1', 'i2', 'a1', 'a2']) {
      this.nodes.set(name, { name, port: await freePort() });
    }
    for (const name of ['i1', 'i2']) {
      this.run(name, ['inventory', '--store', this.store]);
      await until(() => isReady(this.nodes.get(name).port), name);
    }
    for (const { name } of this.availabilities) {
      this.run(name, ['availability', '--cache', this.cache, '--inventory', this.inventories.map(({ port }) => `http://127.0.0.1:${port}`).join(',')]);
      await until(() => isReady(this.nodes.get(name).port), name);
    }
    this.gateway = await Gateway.start({ root: this.directory('nginx'), nodes: this.availabilities, plain: true });
  }

  get inventories() {
    return ['i1', 'i2'].map((name) => this.nodes.get(name));
  }

  get availabilities() {
    return ['a1', 'a2'].map((name) => this.nodes.get(name));
  }

  /* PostgreSQL refuses to run as root. */
  asPostgres(argv) {
    return process.getuid() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', ...argv] : argv;
  }

  async startPostgres() {
    const directory = this.directory('postgres');
    if (process.getuid() === 0) {
      spawnSync('chown', ['postgres:', directory]);
    }
    this.postgresPort = await freePort();
    this.store = `postgresql://postgres@127.0.0.1:${this.postgresPort}/postgres`;
    const [program, ...args] = this.asPostgres([`${PG}/initdb`, '-D', `${directory}/data`, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8',
      '--locale=C.UTF-8']);
    const made = spawnSync(program, args, { cwd: '/', encoding: 'utf8' });
    if (made.status !== 0) {
      throw new Error(`initdb: ${made.stderr}`);
    }
    this.postgres = new Process('postgres', this.asPostgres([`${PG}/postgres`, '-D', `${directory}/data`, '-k', directory, '-c',
      'listen_addresses=127.0.0.1', '-c', `port=${this.postgresPort}`]), { again: true });
    this.postgres.start();
    await until(() => this.postgresAnswers(), 'PostgreSQL');
  }

  postgresAnswers() {
    return spawnSync(`${PG}/pg_isready`, ['-q', '-h', '127.0.0.1', '-p', String(this.postgresPort)]).status === 0;
  }

  async startNats() {
    const port = await freePort();
    this.bus = `nats://127.0.0.1:${port}`;
    this.nats = new Process('nats', ['nats-server', '-a', '127.0.0.1', '-p', String(port), '-js', '-sd', this.directory('nats')], { again: true });
    this.nats.start();
    await until(() => /Server is ready/.test(this.nats.log), 'NATS');
  }

  async startRedis() {
    const port = await freePort();
    this.cache = `redis://127.0.0.1:${port}`;
    this.redis = new Process('redis', ['redis-server', '--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', this.directory('redis')], { again: true });
    this.redis.start();
    await until(() => /Ready to accept connections/.test(this.redis.log), 'Redis');
  }

  /* Values of keys, by redis-cli: a line each, for there is no line break in them. */
  cached(keys) {
    const asked = spawnSync('redis-cli', ['-u', this.cache, 'MGET', ...keys], { encoding: 'utf8', maxBuffer: 1 << 26 });
    return asked.status === 0 ? asked.stdout.split('\n').slice(0, keys.length) : [];
  }

  run(name, args) {
    const node = this.nodes.get(name);
    const argv = [BINARY, ...args, '--host', '127.0.0.1', '--port', String(node.port), '--data', path.join(this.root, name), '--node', name,
      '--bus', this.bus, '--log-level', 'info'];
    node.process = new Process(name, argv, { again: true });
    node.process.start();
  }

  /* Which node leads, by the row that decides it. */
  leader() {
    const asked = spawnSync(`${PG}/psql`, ['-h', '127.0.0.1', '-p', String(this.postgresPort), '-U', 'postgres', '-d', 'postgres', '-qAt', '-c',
      'SELECT leader FROM onhand.partition'], { encoding: 'utf8' });
    return this.inventories.find(({ port }) => asked.stdout.trim() === `http://127.0.0.1:${port}`);
  }

  get processes() {
    return [this.gateway?.process, ...[...this.nodes.values()].map((node) => node.process), this.redis, this.nats, this.postgres].filter((one) => one !== undefined);
  }

  /* In order: a node that stops well leaves with exit code 0. */
  async stop() {
    const codes = {};
    for (const one of this.processes) {
      codes[one.name] = await one.kill(one.name === 'postgres' ? 'SIGINT' : 'SIGTERM');
    }
    return codes;
  }

  report() {
    return this.processes.map(({ name, log }) => `==== ${name}\n${log.trim().split('\n').slice(-15).join('\n')}`).join('\n');
  }
}

/* ---- The replay ---- */

function replay(system, { speed, seconds }) {
  const args = ['demo', '--url', `http://127.0.0.1:${system.gateway.plainPort}`, '--connections', String(CONNECTIONS), '--speed', String(speed),
    ...(seconds > 0 ? ['--duration', String(seconds)] : [])];
  const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill('SIGKILL'));
  const run = { over: false, text: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    run.text += text;
    text.split('\n').filter((line) => line.trim() !== '').forEach((line) => console.log(`           | ${line}`));
  });
  run.code = new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(String(error));
      resolve(2);
    });
    child.on('close', (code, signal) => {
      run.over = true;
      resolve(code ?? signal);
    });
  });
  return run;
}

/* ---- Kills ---- */

/* How long from now until a write is done through the gateway: it defines a location, again and again. */
async function untilWritten(system) {
  const from = performance.now();
  for (;;) {
    const body = JSON.stringify({ name: 'A probe of the demo' });
    try {
      const { status } = await ask(system.gateway.plainPort, 'PUT', '/v1/locations/probe', {
        body, timeout_ms: 5000, headers: { 'Content-Type': 'application/json', 'Content-Length': body.length } });
      if (status < 300) {
        return Math.round(performance.now() - from);
      }
    } catch {
      /* not yet */
    }
    if (performance.now() - from > WRITES_MS_MAX) {
      throw new Error(`no write in ${WRITES_MS_MAX} ms`);
    }
    await sleep(PROBE_MS);
  }
}

/* As when its machine dies; then it is started again, and the system waits until it is well. */
async function killOne(system, what, one, isBack) {
  say(`kill ${what}: ${one.name}, pid ${one.pid}`);
  await one.kill('SIGKILL');
  const apart = untilWritten(system);
  await sleep(1000);
  one.start();
  const started = performance.now();
  say(`     writes work again after ${await apart} ms`);
  await until(() => isBack(performance.now() - started), `${one.name} to be back`, SETTLE_MS_MAX);
  say(`     ${one.name} is back, pid ${one.pid}`);
}

const back = (node) => () => isReady(node.port);

/* A metric of each availability node that is a time, in ms; never: Infinity. */
function times(system, name) {
  return Promise.all(system.availabilities.map(async ({ port }) => {
    const { text } = await ask(port, 'GET', '/metrics');
    const seconds = Number(new RegExp(`^onhand_availability_${name}_seconds (\\S+)$`, 'm').exec(text)?.[1] ?? -1);
    return seconds < 0 ? Infinity : 1000 * seconds;
  }));
}

/* The stream has told each view something since then. */
const isHeard = async (system, since_ms) => (await times(system, 'silence')).every((silence_ms) => silence_ms < since_ms);

/* Whether or not the stream is there, inventory answers: how old does a view become meanwhile? */
async function killNats(system) {
  let [oldest_ms, over] = [0, false];
  const watch = (async () => {
    while (!over) {
      oldest_ms = Math.max(oldest_ms, ...await times(system, 'age'));
      await sleep(AGES_MS);
    }
  })();
  watch.catch(() => {}); /* told below */
  try {
    await killOne(system, 'NATS', system.nats, (since_ms) => isHeard(system, since_ms));
  } finally {
    over = true;
    await watch;
  }
  say(`     no view was older than ${(oldest_ms / 1000).toFixed(1)} s meanwhile`);
}

/* The postmaster's children end by themselves when it is gone; what they hold must be free before it can start again. */
async function killPostgres(system) {
  const { pid } = system.postgres;
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  await killOne(system, 'PostgreSQL', { name: 'postgres', get pid() { return system.postgres.pid; }, start: () => system.postgres.start(),
    async kill() {
      await system.postgres.kill('SIGKILL');
      children.forEach((child) => {
        try {
          process.kill(child, 'SIGKILL');
        } catch {
          /* it has ended already */
        }
      });
    } }, () => system.postgresAnswers() && isReady(system.nodes.get('i1').port) && isReady(system.nodes.get('i2').port));
}

const KILLS = [
  async (system) => {
    const node = system.leader();
    await killOne(system, 'the leader of inventory', node.process, back(node));
  },
  async (system) => {
    const node = system.inventories.find((one) => one !== system.leader());
    await killOne(system, 'the standby of inventory', node.process, back(node));
  },
  (system) => killOne(system, 'an availability node', system.nodes.get('a1').process, back(system.nodes.get('a1'))),
  (system) => killOne(system, 'the other availability node', system.nodes.get('a2').process, back(system.nodes.get('a2'))),
  killNats,
  (system) => killOne(system, 'Redis', system.redis, async () => system.cached(['x']).length === 1),
  killPostgres,
];

async function killAll(system, run) {
  let killed = 0;
  for (const kill of KILLS) {
    await sleep(CALM_MS);
    if (run.over) {
      break;
    }
    await kill(system);
    killed++;
  }
  return killed;
}

/* ---- The end ---- */

async function walk(port, target) {
  const rows = [];
  for (let after = null; ;) {
    const { status, text } = await ask(port, 'GET', `${target}?limit=${LEVELS_OF_A_READ}${after === null ? '' : `&after=${encodeURIComponent(after)}`}`);
    if (status !== 200) {
      throw new Error(`GET ${target}: ${status} ${text}`);
    }
    const page = JSON.parse(text);
    rows.push(...page.data);
    after = page.page.next;
    if (after === null) {
      return rows;
    }
  }
}

/* What each node shows of every item, in its own bytes, and what inventory has, by its levels. */
async function compareViews(system) {
  const [first, second] = system.availabilities;
  const skus = (await walk(first.port, '/v1/items')).map(({ sku }) => sku);
  const leader = system.leader();
  let [differences, wrong] = [0, 0];
  for (let at = 0; at < skus.length; at += SKUS_OF_A_READ) {
    const some = skus.slice(at, at + SKUS_OF_A_READ);
    const query = some.map((sku) => `sku=${encodeURIComponent(sku)}`).join('&');
    const [one, other] = await Promise.all([first, second].map(({ port }) => ask(port, 'GET', `/v1/availability?${query}`)));
    differences += one.status === 200 && one.text === other.text ? 0 : 1;
    const shown = new Map(JSON.parse(one.text).data.map((row) => [row.sku, row]));
    await Promise.all(some.map(async (sku) => {
      const { text } = await ask(leader.port, 'GET', `/v1/levels/${encodeURIComponent(sku)}`);
      wrong += agrees(shown.get(sku), JSON.parse(text)) ? 0 : 1;
    }));
  }
  return { skus: skus.length, differences, wrong };
}

/* Other programs read the cache: in the end it has, of every item, what the nodes show. */
async function compareCache(system) {
  const [node] = system.availabilities;
  const skus = (await walk(node.port, '/v1/items')).map(({ sku }) => sku);
  let differ = 0;
  for (let at = 0; at < skus.length; at += SKUS_OF_A_READ) {
    const some = skus.slice(at, at + SKUS_OF_A_READ);
    const query = some.map((sku) => `sku=${encodeURIComponent(sku)}`).join('&');
    const { text } = await ask(node.port, 'GET', `/v1/availability?${query}`);
    const shown = new Map(JSON.parse(text).data.map((row) => [row.sku, JSON.stringify(row)]));
    const cached = system.cached(some.map((sku) => `onhand:availability:default:${sku}`));
    differ += some.filter((sku, i) => !cached[i]?.startsWith('{') || JSON.stringify(JSON.parse(cached[i])) !== shown.get(sku)).length;
  }
  return differ;
}

const agrees = (shown, { levels, available }) =>
  shown !== undefined && shown.quantity === available && shown.version === levels.reduce((sum, { version }) => sum + version, 0);

const seqOf = async ({ port }) => {
  const { text } = await ask(port, 'GET', '/metrics');
  return Number(/^onhand_(?:availability|ledger)_seq (\d+)$/m.exec(text)?.[1] ?? -1);
};

async function prove(system, run, killed) {
  const code = await run.code;
  say('the end: what everybody says');
  verdict(killed === KILLS.length, `${killed} of ${KILLS.length} kills while it sold`);
  verdict(code === 0 && /Zero units oversold; the books agree/.test(run.text),
    `the client's books: everything that was acknowledged is there, nothing is oversold (exit code ${code})`);
  await until(async () => {
    const seqs = await Promise.all([system.leader(), ...system.availabilities].map(seqOf));
    return seqs[0] > 0 && seqs.every((seq) => seq === seqs[0]);
  }, 'both views to have everything', SETTLE_MS_MAX);
  const views = await compareViews(system);
  verdict(views.differences === 0, `both availability nodes show the same bytes for ${views.skus} items`);
  verdict(views.wrong === 0, `and what the levels of inventory say (${views.wrong} differ)`);
  await until(async () => (await compareCache(system)) === 0, 'the cache to have everything', SETTLE_MS_MAX);
  verdict(true, 'the cache has what they show');
  const audit = spawnSync(BINARY, ['audit', '--store', system.store], { encoding: 'utf8' });
  (audit.stdout + audit.stderr).trim().split('\n').forEach((line) => console.log(`           | ${line}`));
  verdict(audit.status === 0, `the audit of the store (exit code ${audit.status})`);
  const codes = await system.stop();
  const bad = ['i1', 'i2', 'a1', 'a2'].filter((name) => codes[name] !== 0);
  verdict(bad.length === 0, `all nodes stop well${bad.length === 0 ? '' : `, but not ${bad.map((name) => `${name} (${codes[name]})`).join(', ')}`}`);
}

/* Where everybody has come to, for when something is late. */
async function showMetrics(system) {
  for (const { name, port } of system.nodes.values()) {
    const text = await ask(port, 'GET', '/metrics', { timeout_ms: 2000 }).then((answer) => answer.text, String);
    console.error(`==== ${name}\n${text.split('\n').filter((line) => /^onhand_(availability|relay|ledger_(seq|epoch)|forward)/.test(line)).join('\n')}`);
  }
}

async function main() {
  const { values } = parseArgs({ options: {
    speed: { type: 'string', default: String(SPEED_DEFAULT) }, seconds: { type: 'string', default: String(SECONDS_DEFAULT) } } });
  const system = new System();
  const leave = async (code) => {
    await system.stop();
    fs.rmSync(system.root, { recursive: true, force: true });
    process.exit(code);
  };
  process.on('SIGINT', () => leave(1));
  process.on('SIGTERM', () => leave(1));
  try {
    await system.start();
    say(`PostgreSQL, NATS, Redis, inventory ${system.inventories.map(({ port }) => port).join(' and ')}, availability ${
      system.availabilities.map(({ port }) => port).join(' and ')}, gateway http://127.0.0.1:${system.gateway.plainPort}/ and https://127.0.0.1:${system.gateway.port}/`);
    const run = replay(system, values);
    const killed = await killAll(system, run);
    if (killed === KILLS.length) {
      say('no more kills: the trade goes on to its end');
    }
    await prove(system, run, killed);
  } catch (error) {
    console.error(error.stack);
    await showMetrics(system);
    verdicts.push(false);
  }
  const good = verdicts.length > 0 && verdicts.every((one) => one);
  console.log(good ? '\nEverything was right.' : '\nSOMETHING IS WRONG: see above.');
  if (!good) {
    console.log(system.report());
  }
  await leave(good ? 0 : 1);
}

await main();
