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

/* The server of a directory that was made. */
async function runPostgres(directory) {
  const [program, ...argv] = asPostgres([`${BIN}/postgres`, '-D', path.join(directory, 'data'), '-k', directory, '-c', 'listen_addresses=', '-c', 'max_connections=200']);
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
    async end(signal) {
      child.kill(signal);
      await ended;
    },
  };
}

export async function startPostgres() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-pg-'));
  if (process.getuid() === 0) {
    ran(['chown', 'postgres:', directory]);
  }
  const data = path.join(directory, 'data');
  ran(asPostgres([`${BIN}/initdb`, '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']), { cwd: '/' });
  let running = await runPostgres(directory);
  return {
    directory,
    /* As a crash. */
    async crash() {
      await running.end('SIGQUIT');
    },
    async startAgain() {
      running = await runPostgres(directory);
    },
    async stop() {
      await running.end('SIGINT');
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
