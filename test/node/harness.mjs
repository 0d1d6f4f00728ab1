/*
 * Runs the real program for black-box tests, and holds every answer against the server's own OpenAPI document.
 *
 * startServer() gives a server on a free port and its own data directory; api(server) gives a client whose every
 * answer is validated: the operation, the status and the body must be declared. Which operations were exercised is
 * appended to the file $ONHAND_COVERAGE, which run.mjs checks at the end.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import * as postgres from './postgres.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const BINARY = path.resolve(process.env.ONHAND_BIN ?? path.join(here, '../../build/onhand'));
const READY_MS_MAX = 30000;
const STOP_MS_MAX = 30000;
/* What the program says when it was built with a sanitizer and that found something. */
const SANITIZER_REPORT = /(?:WARNING|ERROR|FATAL|SUMMARY): \w+Sanitizer|: runtime error: /;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const newKey = () => randomUUID();

/* Waits until `check` gives something true; fails with `what` after `ms`. */
export async function until(check, what, ms = 10000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) {
      return value;
    }
    assert.ok(Date.now() < end, `waited ${ms} ms in vain for: ${what}`);
    await sleep(10);
  }
}

/* ---- The program ---- */

const running = new Set();
const directories = new Set();

process.on('exit', () => {
  for (const server of running) {
    server.child.kill('SIGKILL');
    if (SANITIZER_REPORT.test(server.output)) {
      console.error(`a server that was left running reported:\n${server.output}`);
      process.exitCode = 1;
    }
  }
  for (const directory of directories) {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => process.exit(1));
}

export function temporaryDirectory() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-test-'));
  directories.add(directory);
  return directory;
}

const storeVariables = (data) => (postgres.isGiven ? { ONHAND_STORE: postgres.storeOf(data) } : {});

/*
 * An `onhand serve` that was just begun. With `data` it goes on with an existing directory. `wrap` is a command that runs
 * it as the same process, `variables` are added to its environment.
 */
export function launchServer({ data = temporaryDirectory(), args = [], wrap = [], variables = {} } = {}) {
  const [program, ...argv] = [...wrap, BINARY, 'serve', '--host', '127.0.0.1', '--port', '0', '--data', data, ...args];
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ONHAND_')));
  const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...inherited, ...storeVariables(data), ...variables } });
  const server = { child, data, pid: child.pid, url: null, output: '', launched: performance.now() };
  running.add(server);
  server.exited = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(server);
      if (SANITIZER_REPORT.test(server.output)) {
        reject(new Error(`the server reported:\n${server.output}`));
      }
      resolve({ code, signal });
    });
  });
  server.ready = readyUrl(server).then((url) => {
    server.ready_ms = performance.now() - server.launched;
    server.url = url;
    server.port = Number(new URL(url).port);
  });
  server.ready.catch(() => {}); /* whoever waits for it hears of it */
  return server;
}

/* One that serves; `ready_ms` is how long that took. */
export async function startServer(options) {
  const server = launchServer(options);
  await server.ready;
  return server;
}

function readyUrl(server) {
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${why}; the server said:\n${server.output}`));
    const timer = setTimeout(() => fail('not ready in time'), READY_MS_MAX);
    const take = (chunk) => {
      server.output = (server.output + chunk).slice(-100000);
    };
    server.child.stderr.on('data', take);
    server.child.stdout.on('data', (chunk) => {
      take(chunk);
      /* One that stands by is not ready: the lease of a process that was killed has to run out. */
      const found = /^onhand ready: (http:\/\/127\.0\.0\.1:\d+)/m.exec(server.output);
      if (found !== null) {
        clearTimeout(timer);
        resolve(found[1]);
      }
    });
    server.exited.then(({ code, signal }) => {
      clearTimeout(timer);
      fail(`ended with ${code ?? signal}`);
    }, reject);
  });
}

/* Asks the server to end; a code other than 0 fails. */
export async function stopServer(server) {
  server.child.kill('SIGTERM');
  const late = setTimeout(() => server.child.kill('SIGKILL'), STOP_MS_MAX);
  const { code, signal } = await server.exited;
  clearTimeout(late);
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `SIGTERM ends the server well; it said:\n${server.output}`);
}

/* The crash must be this one: a server that ended by itself before fails. */
export async function killServer(server) {
  server.child.kill('SIGKILL');
  const { code, signal } = await server.exited;
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' }, `the server was up; it said:\n${server.output}`);
}

/* Ends what a test that failed left running, with this data or at all: it would keep the tests from ending. */
export async function abandonServers(data) {
  for (const server of [...running].filter((one) => data === undefined || one.data === data)) {
    server.child.kill('SIGKILL');
    await server.exited;
  }
}

export function onhand(...args) {
  const done = spawnSync(BINARY, args, { encoding: 'utf8', timeout: 120000 });
  assert.doesNotMatch(done.stderr, SANITIZER_REPORT);
  return done;
}

const booksOf = (data) => (postgres.isGiven ? ['--store', postgres.storeOf(data)] : ['--data', data]);

/* The independent audit of a stopped server's data finds no difference. */
export function auditClean(data) {
  const { status, stdout, stderr } = onhand('audit', ...booksOf(data));
  assert.equal(status, 0, `the audit is clean:\n${stdout}${stderr}`);
  return stdout;
}

/* The same while other things go on. */
export async function auditCleanMeanwhile(data) {
  const child = spawn(BINARY, ['audit', ...booksOf(data)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
    });
  }
  const [code, signal] = await once(child, 'close');
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, `the audit is clean:\n${said}`);
}

/* The usual end of a file: a clean stop, and books that balance. */
export async function finish(server) {
  await stopServer(server);
  auditClean(server.data);
}

/* ---- The document ---- */

const METHODS = ['get', 'put', 'post', 'delete', 'head', 'patch'];

/* How every operation of the document answers: finds the operation of a request and validates its answer. */
export class Contract {
  constructor(document) {
    this.ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats(this.ajv);
    this.ajv.addSchema(document, 'openapi');
    this.operations = [];
    for (const [template, entry] of Object.entries(document.paths)) {
      for (const method of METHODS.filter((name) => entry[name] !== undefined)) {
        this.operations.push({ template, method, pattern: patternOf(template), at: ['paths', template, method], operation: entry[method] });
      }
    }
    this.document = document;
  }

  /* The operation with the fewest parameters wins: /v1/availability/stream before /v1/availability/{sku}. */
  find(method, pathname) {
    const wanted = method === 'HEAD' ? 'get' : method.toLowerCase();
    return this.operations
      .filter((o) => o.method === wanted && o.pattern.test(pathname))
      .sort((a, b) => a.template.split('{').length - b.template.split('{').length)[0];
  }

  check(method, pathname, answer) {
    const found = this.find(method, pathname);
    if (found === undefined) {
      assert.ok([400, 404, 405, 503].includes(answer.status), `${method} ${pathname} is not declared and answers ${answer.status}`);
      this.checkProblem(answer);
      return;
    }
    const { response, at } = this.response(found, answer.status);
    assert.ok(response, `${method} ${found.template} answers ${answer.status}, which is not declared: ${answer.text.slice(0, 500)}`);
    exercised(found.operation.operationId);
    if (method !== 'HEAD' && answer.status !== 304 && answer.status !== 204) {
      this.checkBody(`${method} ${found.template} ${answer.status}`, response, at, answer);
    }
  }

  response(found, status) {
    for (const name of [String(status), `${Math.floor(status / 100)}XX`, 'default']) {
      let response = found.operation.responses[name];
      let at = [...found.at, 'responses', name];
      if (response?.$ref !== undefined) {
        at = response.$ref.slice(2).split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
        response = at.reduce((node, step) => node[step], this.document);
      }
      if (response !== undefined) {
        return { response, at };
      }
    }
    return {};
  }

  checkBody(what, response, at, answer) {
    const type = answer.headers['content-type']?.split(';')[0].trim();
    const media = response.content?.[type];
    assert.ok(media, `${what} is ${type}, which is not declared`);
    if (type.endsWith('json')) {
      this.validate([...at, 'content', type, 'schema'], answer.json, what);
    }
  }

  checkProblem(answer) {
    assert.equal(answer.headers['content-type'], 'application/problem+json', answer.text);
    assert.equal(answer.json.status, answer.status);
    assert.equal(typeof answer.json.code, 'string');
  }

  validate(at, value, what) {
    const pointer = `openapi#/${at.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    const check = this.ajv.getSchema(pointer);
    assert.ok(check, `there is no schema at ${pointer}`);
    assert.ok(check(value), `${what}: ${this.ajv.errorsText(check.errors)} in ${JSON.stringify(value).slice(0, 1000)}`);
  }
}

/* One for each document: a server that starts again has the same one, and the validators take long to make. */
const contracts = new Map();

function contractOf(text) {
  const made = contracts.get(text) ?? new Contract(JSON.parse(text));
  contracts.set(text, made);
  return made;
}

function patternOf(template) {
  const steps = template.split('/').map((step) =>
    step.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '[^/]+'));
  return new RegExp(`^${steps.join('/')}$`);
}

const exercisedHere = new Set();

function exercised(operation) {
  if (!exercisedHere.has(operation)) {
    exercisedHere.add(operation);
    if (process.env.ONHAND_COVERAGE) {
      fs.appendFileSync(process.env.ONHAND_COVERAGE, `${operation}\n`);
    }
  }
}

/* ---- The client ---- */

/* One request as it stands, to {host, port}; resolves with {status, headers, text}. */
export function send(server, method, target, { headers = {}, body, agent, timeout_ms = 60000 } = {}) {
  return new Promise((resolve, reject) => {
    /* The option alone counts while it connects. */
    const options = { host: server.host ?? '127.0.0.1', port: server.port, method, path: target, headers, agent, timeout: timeout_ms };
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode, headers: response.headers, bytes, text: bytes.toString() });
      });
    });
    request.setTimeout(timeout_ms, () => request.destroy(new Error(`${method} ${target}: no answer in ${timeout_ms} ms`)));
    request.on('error', reject);
    request.end(body);
  });
}

/*
 * A client of one server. `body` is sent as JSON, `raw` as it is. POSTs get a fresh idempotency key unless `key` is
 * given (null: none). With `status` the answer must have it.
 */
export async function api(server, { connections = 16 } = {}) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const contract = contractOf((await send(server, 'GET', '/openapi.json', { agent })).text);
  const { document } = contract;

  async function request(method, target, { body, raw, headers = {}, key, status } = {}) {
    const bytes = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const all = { Accept: '*/*' };
    if (bytes !== undefined) {
      all['Content-Type'] = 'application/json';
      all['Content-Length'] = Buffer.byteLength(bytes);
    } else if (method === 'POST') {
      all['Content-Length'] = 0;
    }
    if (method === 'POST' && key !== null) {
      all['Idempotency-Key'] = key ?? newKey();
    }
    const answer = await send(server, method, target, { headers: merged(all, headers), body: bytes, agent });
    const type = answer.headers['content-type'] ?? '';
    answer.json = /json/.test(type) && answer.text !== '' ? JSON.parse(answer.text) : undefined;
    contract.check(method, target.split('?')[0], answer);
    if (answer.status >= 400) {
      assert.equal(answer.headers['content-type'], 'application/problem+json');
    }
    if (status !== undefined) {
      assert.equal(answer.status, status, `${method} ${target} ${bytes?.slice?.(0, 300) ?? ''}: ${answer.text.slice(0, 1000)}`);
    }
    return answer;
  }

  const client = {
    server, contract, document, request, agent,
    get: (target, options) => request('GET', target, options),
    put: (target, body, options) => request('PUT', target, { body, ...options }),
    post: (target, body, options) => request('POST', target, { body, ...options }),
    close: () => agent.destroy(),
    /* Every row of a list, page by page. */
    async walk(target, limit = 1000) {
      const rows = [];
      let after = null;
      do {
        const query = `limit=${limit}${after === null ? '' : `&after=${encodeURIComponent(after)}`}`;
        const { json } = await client.get(`${target}${target.includes('?') ? '&' : '?'}${query}`, { status: 200 });
        assert.ok(json.data.length <= limit);
        rows.push(...json.data);
        after = json.page.next;
      } while (after !== null);
      return rows;
    },
    /* Items with stock at locations: stock({A: {leeds: 5, york: 0}}). */
    async stock(items) {
      const locations = new Set(Object.values(items).flatMap((levels) => Object.keys(levels)));
      let priority = 1;
      for (const id of locations) {
        await client.put(`/v1/locations/${id}`, { name: `Place ${id}`, priority: priority++ });
      }
      for (const [sku, levels] of Object.entries(items)) {
        await client.put(`/v1/items/${encodeURIComponent(sku)}`, { name: `Thing ${sku}` });
        for (const [location, on_hand] of Object.entries(levels)) {
          const headers = { 'If-None-Match': '*' };
          const target = `/v1/levels/${encodeURIComponent(sku)}/${location}`;
          await client.put(target, { on_hand }, { headers, status: 201 });
        }
      }
    },
    level: async (sku, location) => (await client.get(`/v1/levels/${encodeURIComponent(sku)}/${location}`, { status: 200 })).json,
    reserve: (lines, more = {}, options = {}) => client.post('/v1/reservations', { lines, ...more }, options),
    /* Everything that a refused request must leave as it was. */
    async state(skus) {
      const movements = (await client.walk('/v1/movements')).length;
      const levels = {};
      for (const sku of skus) {
        levels[sku] = (await client.get(`/v1/levels/${encodeURIComponent(sku)}`, { status: 200 })).json;
      }
      return { movements, levels };
    },
  };
  return client;
}

/* `more` overrides whatever its case; undefined takes a header away. */
function merged(headers, more) {
  const all = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  for (const [name, value] of Object.entries(more)) {
    if (value === undefined) {
      all.delete(name.toLowerCase());
    } else {
      all.set(name.toLowerCase(), value);
    }
  }
  return Object.fromEntries(all);
}

/* The problem that an answer must be. */
export function assertProblem(answer, status, code) {
  assert.equal(`${answer.status} ${answer.json?.code}`, `${status} ${code}`, answer.text.slice(0, 500));
}

/* Bytes as they are, on a socket of their own; resolves with all that came back, and whether the server closed. */
export function sendRaw(server, bytes, { wait_ms = 3000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, '127.0.0.1');
    const chunks = [];
    const done = (closed) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString(), closed });
    };
    const timer = setTimeout(() => done(false), wait_ms);
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => done(true));
    socket.on('error', (error) => (error.code === 'ECONNRESET' || error.code === 'EPIPE' ? done(true) : reject(error)));
  });
}

/* ---- Streams ---- */

/* An open Server-Sent Events stream: events as {id, event, data}, comments, the retry time. */
export async function openStream(server, target, headers = {}) {
  const stream = { events: [], comments: [], retry_ms: null, ended: false, lastId: null };
  const response = await new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: server.port, path: target, headers: { Accept: 'text/event-stream', ...headers } };
    stream.request = http.get(options, resolve).on('error', reject);
  });
  Object.assign(stream, { status: response.statusCode, headers: response.headers, response });
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (chunk) => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop();
    blocks.forEach((block) => streamTake(stream, block));
  });
  response.on('error', () => {});
  response.on('close', () => {
    stream.ended = true;
  });
  stream.close = () => stream.request.destroy();
  stream.wait = (check, what, ms) => until(() => stream.events.find(check), what, ms);
  stream.of = (sku) => stream.events.filter(({ event, data }) => event === 'availability' && data.sku === sku).map(({ data }) => data);
  return stream;
}

function streamTake(stream, block) {
  const event = { event: 'message', data: '' };
  let dataLines = 0;
  for (const line of block.split('\n')) {
    const at = line.indexOf(':');
    const field = at === -1 ? line : line.slice(0, at);
    const value = line.slice(at + 1).replace(/^ /, '');
    if (field === '') {
      stream.comments.push(value);
    } else if (field === 'retry') {
      stream.retry_ms = Number(value);
    } else if (field === 'data') {
      event.data += value;
      dataLines++;
    } else {
      event[field] = value;
    }
  }
  if (event.id !== undefined) {
    stream.lastId = event.id;
  }
  if (dataLines > 0) {
    event.data = event.data.startsWith('{') ? JSON.parse(event.data) : event.data;
    stream.events.push(event);
  }
}
