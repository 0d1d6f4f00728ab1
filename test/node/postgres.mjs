/*
 * A PostgreSQL of the tests' own, in a temporary directory, reached by a socket in it.
 *
 * With $ONHAND_TEST_POSTGRES, the directory of one that runs, servers of harness.mjs keep their books there: each data
 * directory has a database of its name.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const BIN = '/usr/lib/postgresql/15/bin';
const READY_TRIES = 500;

/* It refuses to run as root. */
const asPostgres = (argv) =>
  (process.getuid() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', ...argv] : argv);

function ran(argv, options = {}) {
  const result = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', ...options });
  assert.equal(result.status, 0, `${argv[0]}: ${result.stderr}`);
  return result.stdout;
}

/* First column of the rows of `sql`, a line each. */
export function psql(directory, database, sql) {
  return ran([`${BIN}/psql`, '-h', directory, '-U', 'postgres', '-d', database, '-qAt', '-v', 'ON_ERROR_STOP=1', '-c', sql]).trim();
}

export async function startPostgres() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-pg-'));
  if (process.getuid() === 0) {
    ran(['chown', 'postgres:', directory]);
  }
  const data = path.join(directory, 'data');
  ran(asPostgres([`${BIN}/initdb`, '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']), { cwd: '/' });
  const [program, ...argv] = asPostgres([`${BIN}/postgres`, '-D', data, '-k', directory, '-c', 'listen_addresses=', '-c', 'max_connections=200']);
  const child = spawn(program, argv, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    log = (log + text).slice(-10000);
  });
  const ended = new Promise((resolve) => { child.on('close', resolve); });
  for (let i = 0; spawnSync(`${BIN}/pg_isready`, ['-h', directory, '-U', 'postgres']).status !== 0; i++) {
    assert.ok(i < READY_TRIES, `PostgreSQL does not start: ${log}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  return {
    directory,
    async stop() {
      child.kill('SIGINT');
      await ended;
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}

/* ---- For harness.mjs ---- */

const given = process.env.ONHAND_TEST_POSTGRES;
export const isGiven = given !== undefined;
const nameOf = (data) => path.basename(data);

/* The store of a data directory; its database is made when it is not there yet. */
export function storeOf(data) {
  const name = nameOf(data);
  if (psql(given, 'postgres', `SELECT 1 FROM pg_database WHERE datname = '${name}'`) === '') {
    psql(given, 'postgres', `CREATE DATABASE "${name}"`);
  }
  return `postgresql://postgres@/${name}?host=${given}`;
}

/* What the audit would find, in SQL: each query gives what is wrong. */
const WRONG = {
  'levels that are not the sum of their movements': `
    SELECT l.item, l.location FROM level l LEFT JOIN (
      SELECT item, location, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved, sum(committed_delta) AS committed,
        sum(damaged_delta) AS damaged, sum(incoming_delta) AS incoming, count(*) AS version, max(seq) AS seq
      FROM movement GROUP BY item, location) m USING (item, location)
    WHERE (l.on_hand, l.reserved, l.committed, l.damaged, l.incoming, l.version, l.seq)
      IS DISTINCT FROM (m.on_hand, m.reserved, m.committed, m.damaged, m.incoming, m.version, m.seq)`,
  'movements without a level': 'SELECT m.seq FROM movement m LEFT JOIN level l USING (item, location) WHERE l.item IS NULL',
  'units promised by nobody': `
    SELECT l.item, l.location FROM level l LEFT JOIN (
      SELECT n.item, n.location, sum(n.quantity) FILTER (WHERE r.state = 1) AS reserved,
        sum(n.quantity - n.fulfilled) FILTER (WHERE r.state = 2) AS committed
      FROM reservation r JOIN reservation_line n ON n.seq BETWEEN r.seq AND r.seq + r.lines - 1 WHERE r.state IN (1, 2)
      GROUP BY n.item, n.location) p USING (item, location)
    WHERE l.reserved <> coalesce(p.reserved, 0) OR l.committed <> coalesce(p.committed, 0)`,
  'a gap in the movements': 'SELECT seq FROM partition WHERE seq <> (SELECT count(*) FROM movement) OR seq <> (SELECT coalesce(max(seq), 0) FROM movement)',
};

export function booksAreGood(data) {
  for (const [what, sql] of Object.entries(WRONG)) {
    assert.equal(psql(given, nameOf(data), `SET search_path TO onhand; ${sql}`), '', what);
  }
}
