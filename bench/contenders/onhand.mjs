/* This program: each measurement on a server of its own, with an empty store. */
import { measureIdle } from '../idle.mjs';
import { BINARY, benchOnhand } from '../load.mjs';
import { run, startProcess, stopProcess, untilReady } from '../processes.mjs';

const CONNECTIONS_MAX = 30000;
const SKU = 'SKU-000001';

export const version = async () => (await run([BINARY, 'version'])).trim().split(' ').at(-1);

/* What `recover` measures is a start; it does that itself. */
export async function start(dir, { core, load, store = 'sqlite' }) {
  if (load.work === 'recover') {
    return { stop: () => {} };
  }
  const one = startProcess([BINARY, 'serve', '--host', '127.0.0.1', '--port', '0', '--data', `${dir}/data`, '--store', store,
    '--log-level', 'error', '--connections-max', String(CONNECTIONS_MAX)], { core });
  const port = await untilReady(one, () => Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(one.stdout)?.[1]));
  return { port, pid: one.pid, stop: () => stopProcess(one) };
}

export async function measure(server, load, options) {
  switch (load.work) {
  case 'idle':
    await oneItem(server);
    return measureIdle(server, `/v1/availability/stream?sku=${SKU}`, load.streams);
  case 'reserve at half of peak':
    return measureAtHalf(server, { ...load, work: 'reserve' }, options);
  case 'recover':
    return benchOnhand(load, options);
  default:
    return benchOnhand({ ...load, url: `http://127.0.0.1:${server.port}` }, options);
  }
}

/* The peak is of the same minute, server and store. */
async function measureAtHalf(server, load, options) {
  const url = `http://127.0.0.1:${server.port}`;
  const peak = await benchOnhand({ ...load, url }, options);
  const half = await benchOnhand({ ...load, url, rate: Math.round(peak.per_second / 2) }, options);
  return { ...half, peak_per_second: peak.per_second };
}

const SENT_BY_EVERYBODY = ['connection', 'content-length', 'keep-alive'];

/* The bytes of an availability and of a reservation, for those that answer with a constant, and the headers with them. */
export async function sampleAnswers(server) {
  await oneItem(server);
  const answer = await request(server, 'GET', `/v1/availability/${SKU}?min_seq=1`);
  const headers = [...answer.headers].filter(([name]) => !SENT_BY_EVERYBODY.includes(name)).map(([name, value]) => `${name}: ${value}`);
  const reserved = await request(server, 'POST', '/v1/reservations', { lines: [{ sku: SKU, quantity: 1 }] },
    { 'Idempotency-Key': 'sample' });
  return { availability: await answer.text(), reservation: await reserved.text(), headers };
}

async function oneItem(server) {
  await request(server, 'PUT', '/v1/locations/main', { name: 'Main', priority: 1 });
  await request(server, 'PUT', `/v1/items/${SKU}`, { name: 'Thing 1' });
  await request(server, 'PUT', `/v1/levels/${SKU}/main`, { on_hand: 1000000 }, { 'If-None-Match': '*' });
}

async function request(server, method, target, body, headers = {}) {
  const answer = await fetch(`http://127.0.0.1:${server.port}${target}`,
    { method, body: body && JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } });
  if (!answer.ok) {
    throw new Error(`${method} ${target} answered ${answer.status}`);
  }
  return answer;
}
