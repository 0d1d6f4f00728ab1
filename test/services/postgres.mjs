/* A PostgreSQL on a port of its own, and one that follows it synchronously and can take its place. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Process, freePort } from '../../demo/processes.mjs';
import { until } from '../node/harness.mjs';

const BIN = '/usr/lib/postgresql/15/bin';
const run = promisify(execFile);

/* It refuses to run as root. */
const asPostgres = (argv) =>
  (process.getuid() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', ...argv] : argv);

async function runAsPostgres(argv) {
  const [program, ...args] = asPostgres(argv);
  await run(program, args, { cwd: '/' });
}

const giveToPostgres = (directory) => {
  if (process.getuid() === 0) {
    assert.equal(spawnSync('chown', ['postgres:', directory]).status, 0);
  }
};

/* The data of a server that never ran: making it takes long, so each takes a copy. */
let fresh = null;

async function freshData() {
  if (fresh === null) {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'onhand-services-fresh-'));
    process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
    giveToPostgres(directory);
    fresh = path.join(directory, 'data');
    await runAsPostgres([`${BIN}/initdb`, '-D', fresh, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']);
  }
  return fresh;
}

export class Postgres {
  constructor(name, root, port, addresses) {
    this.port = port;
    this.directory = path.join(root, name);
    this.data = path.join(this.directory, 'data');
    const options = [`listen_addresses=${addresses}`, `port=${port}`, 'max_connections=200', 'wal_keep_size=256MB'];
    const argv = [`${BIN}/postgres`, '-D', this.data, '-k', this.directory, ...options.flatMap((option) => ['-c', option])];
    this.process = new Process(name, asPostgres(argv));
    fs.mkdirSync(this.directory, { mode: 0o755 });
    giveToPostgres(this.directory);
  }

  /* The first column of the rows of `sql`, a line each; does not hold up the proxies that live in this process. */
  async query(sql) {
    const at = ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-d', 'postgres'];
    const { stdout } = await run(`${BIN}/psql`, [...at, '-qAt', '-v', 'ON_ERROR_STOP=1', '-c', sql]);
    return stdout.trim();
  }

  async isUp() {
    try {
      return await this.query('SELECT 1') === '1';
    } catch {
      return false;
    }
  }

  async begin() {
    this.process.start();
    await until(() => this.isUp(), 'PostgreSQL', 30000);
  }

  static async start(root, addresses = '127.0.0.1') {
    const made = new Postgres('postgres', root, await freePort(), addresses);
    await runAsPostgres(['cp', '-a', await freshData(), made.data]);
    if (addresses !== '127.0.0.1') {
      fs.appendFileSync(path.join(made.data, 'pg_hba.conf'), 'host all all 10.0.0.0/8 trust\n');
    }
    await made.begin();
    return made;
  }

  /* From here on a commit is confirmed when both have it. */
  async startStandby(root) {
    const standby = new Postgres('postgres-standby', root, await freePort(), '127.0.0.1');
    await runAsPostgres([`${BIN}/pg_basebackup`, '-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-D', standby.data, '-R',
      '-X', 'stream', '-c', 'fast', '--no-sync']);
    await standby.begin();
    await this.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
    await this.query('SELECT pg_reload_conf()');
    await until(async () => await this.query('SELECT sync_state FROM pg_stat_replication') === 'sync', 'a synchronous standby');
    return standby;
  }

  async promote() {
    await this.query('SELECT pg_promote()');
    await until(async () => await this.query('SELECT pg_is_in_recovery()') === 'f', 'a promoted standby');
  }

  /* As when its machine dies: nobody of it does anything more, not even say that it ends. */
  async kill() {
    this.process.freeze();
    const { pid } = this.process;
    for (const child of fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')) {
      process.kill(Number(child), 'SIGKILL');
    }
    await this.process.kill('SIGKILL');
  }

  /* What `pg_ctl stop -m immediate` does. */
  stopAtOnce() {
    return this.process.kill('SIGQUIT');
  }

  stop() {
    return this.process.kill('SIGINT');
  }
}
