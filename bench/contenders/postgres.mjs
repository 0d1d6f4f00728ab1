/* PostgreSQL with a transaction that locks the row of the level, driven by pgbench. */
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, run, startProcess, stopProcess, untilReady } from '../processes.mjs';

const BIN = '/usr/lib/postgresql/15/bin';
const ON_HAND = 1000000000;
const CONNECTED_PER_S = 50; /* at least, also on a slow machine */
const fileOf = (name) => fileURLToPath(new URL(name, import.meta.url));

export const version = async () => (await run([`${BIN}/postgres`, '--version'])).trim();

/* It refuses to run as root. */
const asPostgres = (...argv) =>
  (process.getuid() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', ...argv] : argv);

/* As it comes: every commit is synced, with no more memory than the others. */
export async function start(dir, { core }) {
  const data = `${dir}/postgres`;
  const port = await freePort();
  fs.mkdirSync(data, { mode: 0o700 });
  if (process.getuid() === 0) {
    await run(['chown', 'postgres:', data]);
  }
  await run(asPostgres(`${BIN}/initdb`, '-D', data, '-U', 'postgres', '--auth=trust', '--no-locale', '-E', 'UTF8'), { cwd: '/' });
  const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', max_connections: 300, shared_buffers: '256MB',
    fsync: 'on', synchronous_commit: 'on' };
  const one = startProcess(asPostgres(`${BIN}/postgres`, '-D', data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])), { core, cwd: '/', stop: 'SIGINT' });
  await untilReady(one, () => run([`${BIN}/pg_isready`, ...at(port)]).then(() => true, () => false));
  return { port, stop: () => stopProcess(one) };
}

const at = (port) => ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres'];

/* Then the books must hold as many reservations as there were transactions. */
export async function measure({ port }, load, { core, seconds, warmup }) {
  const psql = (...args) => run([`${BIN}/psql`, ...at(port), '-q', '-v', 'ON_ERROR_STOP=1', '-At', ...args]);
  await psql('-f', fileOf('postgres.sql'));
  await psql('-c', `INSERT INTO level (sku, on_hand) SELECT sku, ${ON_HAND} FROM generate_series(1, ${load.skus}) sku`, '-c', 'VACUUM ANALYZE');
  const bench = async (time) =>
    parsePgbench(await run([`${BIN}/pgbench`, ...at(port), ...benchmarkArguments(load, time), 'postgres'], { core }));
  const warm = await bench(Math.max(1, Math.round(warmup)));
  const result = await bench(Math.max(1, Math.round(seconds)));
  const reserved = Number(await psql('-c', 'SELECT sum(reserved) FROM level WHERE (SELECT count(*) FROM movement) = (SELECT count(*) FROM reservation)'));
  if (reserved !== warm.operations + result.operations) {
    throw new Error(`PostgreSQL reserved ${reserved} of ${warm.operations + result.operations}`);
  }
  return result;
}

/* The time that pgbench is given is also for its connections, which are made first and do not count in its figure. */
export function benchmarkArguments({ connections, skus, hot }, seconds) {
  const time = seconds + Math.ceil(connections / CONNECTED_PER_S);
  return ['-n', '-M', 'prepared', '-c', String(connections), '-j', '1', '-T', String(time),
    '-D', `skus=${hot ? 1 : skus}`, '-f', fileOf('reserve.pgbench')];
}

export function parsePgbench(text) {
  const number = (pattern) => Number(pattern.exec(text)?.[1]);
  const result = {
    operations: number(/^number of transactions actually processed: (\d+)/m),
    failed: number(/^number of failed transactions: (\d+)/m),
    per_second: number(/^tps = ([\d.]+) \(without initial connection time\)/m),
    latency_us: { mean: Math.round(number(/^latency average = ([\d.]+) ms/m) * 1000) },
  };
  if (!(result.per_second > 0)) {
    throw new Error(`pgbench printed no figures: ${text.slice(0, 300)}`);
  }
  if (result.failed > 0) {
    throw new Error(`${result.failed} transactions failed`);
  }
  return result;
}
