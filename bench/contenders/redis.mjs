/* Redis with an append-only file and a script that reserves, driven by Redis' own client. */
import fs from 'node:fs';
import { freePort, run, startProcess, stopProcess, untilListening } from '../processes.mjs';

const SCRIPT = fs.readFileSync(new URL('reserve.lua', import.meta.url), 'utf8');
const ON_HAND = 1000000000;
const REQUESTS_FIRST = 10000;

const version = async () => (await run(['redis-server', '--version'])).trim();

/* The file is not rewritten meanwhile, which spares it a copy of everything. */
async function start(dir, appendfsync, { core }) {
  const port = await freePort();
  const one = startProcess(['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '',
    '--appendonly', 'yes', '--appendfsync', appendfsync, '--auto-aof-rewrite-percentage', '0'], { core });
  await untilListening(one, port);
  return { port, stop: () => stopProcess(one) };
}

/*
 * redis-benchmark knows no seconds, only requests: runs that grow tell how many fill the warm-up, the last of them how
 * many fill the time. Then the books must hold as many reservations as there were requests.
 */
async function measure({ port }, load, { core, seconds, warmup }) {
  const cli = (...args) => run(['redis-cli', '-p', String(port), ...args]);
  await cli('EVAL', `for i = 0, ${load.skus - 1} do redis.call('HSET', string.format('level:%012d', i), 'on_hand', ${ON_HAND}, 'reserved', 0) end`, '0');
  const sha = (await cli('SCRIPT', 'LOAD', SCRIPT)).trim();
  const bench = async (requests) =>
    parseRedisCsv(await run(['redis-benchmark', '-p', String(port), ...benchmarkArguments(load, requests, sha)], { core }));
  const first = await bench(REQUESTS_FIRST);
  const warm_requests = Math.ceil(first.per_second * warmup);
  const warm = await bench(warm_requests);
  const operations = Math.ceil(warm.per_second * seconds);
  const result = await bench(operations);
  const reserved = Number(await cli('GET', 'reservations'));
  if (reserved !== REQUESTS_FIRST + warm_requests + operations) {
    throw new Error(`Redis reserved ${reserved} of ${REQUESTS_FIRST + warm_requests + operations}`);
  }
  return { ...result, operations };
}

/* It replaces __rand_int__ with twelve digits under the number of -r, another one at each place: the SKU is in the key alone. */
export function benchmarkArguments({ connections, skus, hot }, requests, sha) {
  const [random, key] = hot ? [[], 'level:000000000000'] : [['-r', String(skus)], 'level:__rand_int__'];
  return ['--csv', '-n', String(requests), '-c', String(connections), ...random, 'EVALSHA', sha, '1', key, '1'];
}

/* A line of names and one of values, all in quotes; milliseconds. */
export function parseRedisCsv(text) {
  const lines = text.trim().split('\n').map((line) => line.trim()).filter((line) => line.startsWith('"'));
  const [names, values] = lines.slice(-2).map((line) => line.slice(1, -1).split('","'));
  const of = (name) => Number(values?.[names.indexOf(name)]);
  const us = (name) => Math.round(of(name) * 1000);
  if (lines.length !== 2 || !(of('rps') > 0)) {
    throw new Error(`redis-benchmark printed no figures: ${text.slice(0, 300)}`);
  }
  return { per_second: of('rps'), latency_us: { p50: us('p50_latency_ms'), p99: us('p99_latency_ms'), max: us('max_latency_ms') } };
}

const contender = (appendfsync) => ({ version, measure, start: (dir, options) => start(dir, appendfsync, options) });

export const always = contender('always');
export const everysec = contender('everysec');
